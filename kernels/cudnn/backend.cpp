#include "kernels/cudnn/backend.h"

#include <algorithm>
#include <sstream>

#include "kernels/cudnn/library.h"
#include "kernels/error.h"
#include "kernels/shared_library.h"

namespace gf::cudnn {
namespace {

struct Loaded {
  Api api;
  LibraryInfo info;
};

Loaded load() {
  const std::string major = std::to_string(CUDNN_MAJOR);
  // The graph API's own library first: the other name is a thin one that opens it in turn.
  const SharedLibrary so("cuDNN " + major, {"libcudnn_graph.so." + major, "libcudnn.so." + major},
                         LibrarySearch::standard());
  Loaded l;
  so.load("cudnnGetVersion", l.api.version);
  so.load("cudnnGetErrorString", l.api.error_string);
  so.load("cudnnGetLastErrorString", l.api.last_error_string);
  so.load("cudnnCreate", l.api.create);
  so.load("cudnnDestroy", l.api.destroy);
  so.load("cudnnSetStream", l.api.set_stream);
  so.load("cudnnBackendCreateDescriptor", l.api.create_descriptor);
  so.load("cudnnBackendDestroyDescriptor", l.api.destroy_descriptor);
  so.load("cudnnBackendFinalize", l.api.finalize);
  so.load("cudnnBackendSetAttribute", l.api.set_attribute);
  so.load("cudnnBackendGetAttribute", l.api.get_attribute);
  so.load("cudnnBackendExecute", l.api.execute);
  l.info = checked_library("cuDNN", so, l.api.version(), CUDNN_MAJOR);
  return l;
}

const Loaded& loaded() {
  static const Loaded l = load();
  return l;
}

}  // namespace

const Api& api() { return loaded().api; }
const LibraryInfo& library() { return loaded().info; }

bool available(std::string* reason) { return can_open(loaded, reason); }

std::string last_reason() {
  char text[8192] = "";
  api().last_error_string(text, sizeof text);
  // Notes are separated by empty lines. Each may open with a line in braces that names the engine, then comes the
  // cause, then the functions it passed through.
  std::istringstream lines(text);
  std::vector<std::string> causes;
  bool fresh = true;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) fresh = true;
    if (line.empty() || line[0] == '{' || !fresh) continue;
    fresh = false;
    if (const auto at = line.find("Reason: "); at != std::string::npos) line.erase(0, at + 8);
    const bool nameless = line.find("global index -1") != std::string::npos;
    if (!nameless && std::find(causes.begin(), causes.end(), line) == causes.end()) causes.push_back(line);
  }
  std::string s;
  for (std::size_t i = 0; i < std::min<std::size_t>(causes.size(), 3); ++i) s += (i ? "; " : "") + causes[i];
  return s;
}

void check(cudnnStatus_t status, const char* call, const std::string& about) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  const std::string reason = last_reason();
  fail(std::string("cuDNN: ") + call + " failed", about, {},
       std::string(api().error_string(status)) + (reason.empty() ? "" : " (" + reason + ")"));
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type, std::string name) : name_(std::move(name)) {
  check(api().create_descriptor(type, &raw_), "cudnnBackendCreateDescriptor", name_);
}

Descriptor::~Descriptor() {
  if (raw_) api().destroy_descriptor(raw_);
}

void Descriptor::set(cudnnBackendAttributeName_t attribute, const std::vector<Descriptor>& others) {
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const Descriptor& d : others) raw.push_back(d.raw_);
  write(attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(raw.size()), raw.data());
}

void Descriptor::finalize() { check(api().finalize(raw_), "cudnnBackendFinalize", name_); }

void Descriptor::write(cudnnBackendAttributeName_t attribute, cudnnBackendAttributeType_t type, std::int64_t count,
                       const void* values) {
  check(api().set_attribute(raw_, attribute, type, count, values), "cudnnBackendSetAttribute",
        name_ + ", attribute " + std::to_string(attribute));
}

std::int64_t Descriptor::read(cudnnBackendAttributeName_t attribute, cudnnBackendAttributeType_t type,
                              std::int64_t room, void* values) const {
  std::int64_t count = 0;
  check(api().get_attribute(raw_, attribute, type, room, &count, values), "cudnnBackendGetAttribute",
        name_ + ", attribute " + std::to_string(attribute));
  return room == 0 ? count : std::min(count, room);
}

Descriptor Descriptor::inner(cudnnBackendAttributeName_t attribute, cudnnBackendDescriptorType_t type,
                             const char* name) const {
  Descriptor d(type, name);
  read(attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &d.raw_);
  return d;
}

std::vector<Descriptor> Descriptor::inner_list(cudnnBackendAttributeName_t attribute, cudnnBackendDescriptorType_t type,
                                               const char* name) const {
  std::vector<Descriptor> list;
  std::vector<cudnnBackendDescriptor_t> raw;
  const std::int64_t room = read(attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
  for (std::int64_t i = 0; i < room; ++i) raw.push_back(list.emplace_back(type, name).raw_);
  const std::int64_t count = room ? read(attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, room, raw.data()) : 0;
  while (static_cast<std::int64_t>(list.size()) > count) list.pop_back();
  return list;
}

}  // namespace gf::cudnn
