#include "engine/io/weights.h"

#include <algorithm>
#include <set>

#include "engine/io/checkpoint_format.h"
#include "engine/io/safetensors.h"
#include "engine/io/tensor_match.h"

namespace gf {
namespace {

// Counts batches for averages we do not take; every PyTorch batch norm has one.
bool is_batch_counter(const std::string& name) { return name.ends_with("num_batches_tracked"); }

// What PyTorch's DataParallel puts before every name.
constexpr const char* kWrapped = "module.";

bool is_wrapped(const TensorFile& file) {
  return !file.tensors().empty() && std::all_of(file.tensors().begin(), file.tensors().end(),
                                                [](const FileTensor& t) { return t.name.starts_with(kWrapped); });
}

// The table that knows most of the file's names; null where our own names do at least as well.
const ForeignNames* names_of(const TensorFile& file, const std::vector<NamedTensor>& ours,
                             const std::vector<ForeignNames>& foreign, const std::string& prefix) {
  std::set<std::string> found;
  for (const FileTensor& t : file.tensors()) found.insert(t.name);
  std::ptrdiff_t most =
      std::count_if(ours.begin(), ours.end(), [&](const NamedTensor& t) { return found.count(t.name) > 0; });
  const ForeignNames* best = nullptr;
  for (const ForeignNames& f : foreign) {
    const std::ptrdiff_t known = std::count_if(f.tensors.begin(), f.tensors.end(), [&](const auto& entry) {
      return found.count(prefix + entry.second.name) > 0;
    });
    if (known <= most) continue;
    most = known;
    best = &f;
  }
  return best;
}

// Our tensors under the file's names; those that such files do not hold go to `fresh`.
std::vector<NamedTensor> renamed(const std::vector<NamedTensor>& ours, const ForeignNames& names,
                                 const std::string& prefix, std::vector<std::string>& fresh) {
  std::vector<NamedTensor> theirs;
  for (const NamedTensor& t : ours) {
    const auto it = names.tensors.find(t.name);
    if (it == names.tensors.end())
      fresh.push_back(t.name);
    else
      theirs.push_back({prefix + it->second.name, t.tensor, it->second.layout});
  }
  return theirs;
}

LoadReport load_foreign(const TensorFile& file, const std::vector<NamedTensor>& ours, const ForeignNames& names,
                        const std::string& prefix, LoadMode mode) {
  std::vector<std::string> fresh, unneeded;
  const std::vector<NamedTensor> tensors = renamed(ours, names, prefix, fresh);
  const auto is_unneeded = [&](const std::string& name) {
    return std::any_of(names.unneeded.begin(), names.unneeded.end(),
                       [&](const std::string& begin) { return name.starts_with(prefix + begin); });
  };
  for (const FileTensor& t : file.tensors())
    if (is_unneeded(t.name)) unneeded.push_back(t.name);
  LoadReport report = match(
      file, tensors, [&](const std::string& name) { return is_batch_counter(name) || is_unneeded(name); },
      TokenGrids::square);
  report.origin = names.origin;
  report.fresh = std::move(fresh);
  report.unneeded = std::move(unneeded);
  if (mode == LoadMode::strict && !report.complete())
    refuse("weights do not fit the network", file.path(), report,
           "give the file of the same architecture, or load by name (model.init_strict = false)");
  load_matched(file, tensors, report, TokenGrids::square);
  return report;
}

}  // namespace

void save_weights(const std::string& path, const Module& module, const Metadata& metadata) {
  write_safetensors(path, to_write(module_tensors(module, "")), metadata);
}

LoadReport load_weights(Module& module, const std::string& path, LoadMode mode,
                        const std::vector<ForeignNames>& foreign) {
  const std::unique_ptr<TensorFile> file = open_tensor_file(path);
  const auto* safetensors = dynamic_cast<const SafetensorsFile*>(file.get());
  const bool checkpoint = safetensors && is_checkpoint(*safetensors);
  if (checkpoint) safetensors->verify_checksum("checkpoint");
  const std::vector<NamedTensor> tensors = module_tensors(module, checkpoint ? kModelPrefix : "");
  const std::string prefix = is_wrapped(*file) ? kWrapped : "";
  if (const ForeignNames* names = checkpoint ? nullptr : names_of(*file, tensors, foreign, prefix))
    return load_foreign(*file, tensors, *names, prefix, mode);
  const LoadReport report = match(
      *file, tensors,
      [&](const std::string& name) {
        return is_batch_counter(name) ||
               (checkpoint && (name.starts_with(kOptimizerPrefix) || name.starts_with(kCompanionPrefix)));
      },
      TokenGrids::own);
  if (mode == LoadMode::strict && !report.complete())
    refuse("weights do not fit the network", path, report, "give the file of the same architecture, or load by name");
  load_matched(*file, tensors, report, TokenGrids::own);
  return report;
}

}  // namespace gf
