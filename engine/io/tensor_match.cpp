#include "engine/io/tensor_match.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "engine/io/file_layout.h"
#include "kernels/error.h"

namespace gf {
namespace {

bool is_float(const std::string& dtype) {
  return dtype == "F32" || dtype == "F16" || dtype == "BF16" || dtype == "F64";
}

template <class Items, class Text>
void list(std::string& out, const char* title, const Items& items, std::size_t limit, Text text) {
  if (items.empty()) return;
  out += fmt::format("; {} ({}): ", title, items.size());
  for (std::size_t i = 0; i < std::min(items.size(), limit); ++i) out += (i ? ", " : "") + text(items[i]);
  if (items.size() > limit) out += fmt::format(" and {} more", items.size() - limit);
}

}  // namespace

std::string LoadReport::text(std::size_t limit) const {
  std::string out = fmt::format("{} tensors fit{}", loaded.size(), origin.empty() ? "" : ", by the names of " + origin);
  const auto name = [](const std::string& s) { return s; };
  list(out, "wrong shape", wrong_shape, limit,
       [](const WrongShape& w) { return fmt::format("{} (file {}, network {})", w.name, w.file, w.module); });
  list(out, "not in the file", missing, limit, name);
  list(out, "not in the network", unexpected, limit, name);
  list(out, "resized", resized, limit, name);
  list(out, "not needed", unneeded, limit, name);
  list(out, "beyond such files and as initialised", fresh, limit, name);
  return out;
}

std::string LoadReport::table() const {
  std::string out;
  const auto add = [&](const char* fate, const std::vector<std::string>& names) {
    for (const std::string& n : names) out += fmt::format("{:<12} {}\n", fate, n);
  };
  add("used", loaded);
  add("resized", resized);
  for (const WrongShape& w : wrong_shape)
    out += fmt::format("{:<12} {}: file {}, network {}\n", "wrong shape", w.name, w.file, w.module);
  add("missing", missing);
  add("unexpected", unexpected);
  add("not needed", unneeded);
  add("fresh", fresh);
  return out;
}

std::vector<NamedTensor> module_tensors(const Module& module, const std::string& prefix) {
  std::vector<NamedTensor> all = module.parameters();
  for (NamedTensor& b : module.buffers()) all.push_back(std::move(b));
  for (NamedTensor& t : all) t.name = prefix + t.name;
  return all;
}

std::vector<TensorToWrite> to_write(const std::vector<NamedTensor>& tensors) {
  std::vector<TensorToWrite> all;
  for (const NamedTensor& t : tensors)
    all.push_back(
        {t.name, "F32", file_shape(t.tensor.shape(), t.layout), [t](std::span<std::byte> out) {
           to_file_order(t.tensor, t.layout, {reinterpret_cast<float*>(out.data()), out.size() / sizeof(float)});
         }});
  return all;
}

LoadReport match(const TensorFile& file, const std::vector<NamedTensor>& tensors,
                 const std::function<bool(const std::string&)>& ignored, TokenGrids grids) {
  std::map<std::string, const FileTensor*> left;
  for (const FileTensor& t : file.tensors())
    if (!ignored(t.name)) left[t.name] = &t;
  LoadReport report;
  for (const NamedTensor& t : tensors) {
    const auto it = left.find(t.name);
    if (it == left.end()) {
      report.missing.push_back(t.name);
      continue;
    }
    const Shape& ours = t.tensor.shape();
    const FileTensor& theirs = *it->second;
    const std::string change =
        t.layout == FileLayout::tokens ? token_grid_change(theirs.shape, ours, grids) : std::string();
    if ((fits_layout(theirs.shape, ours, t.layout) || !change.empty()) && is_float(theirs.dtype)) {
      report.loaded.push_back(t.name);
      if (change.starts_with("from"))
        report.resized.push_back(fmt::format("{} ({} to {}x{})", t.name, change, ours.h, ours.w));
    } else {
      report.wrong_shape.push_back({t.name, theirs.str(), shape_text(file_shape(ours, t.layout))});
    }
    left.erase(it);
  }
  for (const auto& [name, t] : left) report.unexpected.push_back(name);
  return report;
}

void load_matched(const TensorFile& file, const std::vector<NamedTensor>& tensors, const LoadReport& report,
                  TokenGrids grids) {
  const std::set<std::string> wanted(report.loaded.begin(), report.loaded.end());
  std::map<std::string, const FileTensor*> theirs;
  for (const FileTensor& t : file.tensors()) theirs[t.name] = &t;
  for (const NamedTensor& t : tensors) {
    if (!wanted.count(t.name)) continue;
    std::vector<float> values = file.floats(t.name);
    if (t.layout == FileLayout::tokens)
      values = fit_token_grid(values, theirs.at(t.name)->shape, t.tensor.shape(), grids);
    from_file_order(values, t.layout, t.tensor);
  }
}

void refuse(const std::string& what, const std::string& path, const LoadReport& report, const std::string& remedy) {
  const std::size_t wanted = report.loaded.size() + report.missing.size() + report.wrong_shape.size();
  bad_data(what, path, fmt::format("the {} tensors of the network", wanted), report.text(), remedy);
}

}  // namespace gf
