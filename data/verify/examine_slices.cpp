#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "data/array_files.h"
#include "data/case.h"
#include "data/verify/examination.h"

namespace gf {
namespace {

// Of slices that share a fault the first has it told in full and so many more are named.
constexpr std::size_t kNamed = 4;

std::string size_text(Extent e) { return fmt::format("{}x{} pixels", e.w, e.h); }

void take_image(Examination& x, const ImageStack& stack) {
  const auto [h, w] = stack.extent;
  CaseFacts& facts = x.facts();
  facts.size = {stack.slices, h, w};
  facts.spacing_mm = slice_spacing(stack.header, 2);
  facts.channels = stack.channels;
  x.finish_image(stack.pixels);
  const int channels = x.preprocessing().channels;
  if (stack.channels != channels)
    x.error(Check::channels, fmt::format("{}: expected {} channels (data.channels), found {}", x.examined().images[0],
                                         channels, stack.channels));
}

// Values are of use whatever the label's shape; that they do not fit the image is said too.
bool read_label(Examination& x, const std::string& path, std::vector<std::int32_t>& values) {
  if (!x.reads([&](NonFinite n) { values = read_label_values(path, n); })) return false;
  x.survives(Check::size_mismatch, [&] { require_fitting_label(path); });
  return true;
}

void examine_stack(Examination& x) {
  const Case& c = x.examined();
  ImageStack image;
  if (!x.reads([&](NonFinite n) { image = read_image_stack(c.images, 0, -1, n); })) return;
  take_image(x, image);
  const std::size_t each = image.pixels.size() / static_cast<std::size_t>(image.slices);
  for (std::size_t at = 0; at < image.pixels.size(); at += each)
    x.add_slice(image.extent, image.channels, std::span(image.pixels).subspan(at, each));
  if (c.label.empty()) return;
  std::vector<std::int32_t> label;
  if (read_label(x, c.images[0], label)) x.take_labels(label, c.images[0]);
}

// One .npz, which is appended to `all`.
void examine_file(Examination& x, const std::string& path, ImageStack& all) {
  ImageStack image;
  if (!x.reads([&](NonFinite n) { image = read_image_stack({path}, 0, 0, n); })) return x.add_unread_slice();
  x.add_slice(image.extent, image.channels, image.pixels);
  if (all.slices == 0) {
    all = image;
  } else if (image.extent != all.extent) {
    x.error(Check::size_mismatch, fmt::format("{}: slices of one case differ in size: expected {}, found {}", path,
                                              size_text(all.extent), size_text(image.extent)));
  } else {
    all.pixels.insert(all.pixels.end(), image.pixels.begin(), image.pixels.end());
    ++all.slices;
  }
  if (x.examined().label.empty()) return;
  std::vector<std::int32_t> label;
  if (!read_label(x, path, label)) return;
  x.count_labels(label);
  if (x.to_classes(label, path)) x.count_classes(label);
}

// Findings of one kind as one. `files` lie beside the findings.
std::vector<Finding> fold(const std::vector<Finding>& findings, const std::vector<std::string>& files) {
  std::map<Check, std::vector<std::size_t>> alike;
  for (std::size_t i = 0; i < findings.size(); ++i) alike[findings[i].check].push_back(i);
  std::vector<Finding> folded;
  for (const auto& [check, places] : alike) {
    Finding f = findings[places[0]];
    for (std::size_t k = 1; k < std::min(places.size(), kNamed + 1); ++k)
      f.message += (k == 1 ? "; also in " : ", ") + array_stem(files[places[k]]);
    if (places.size() > kNamed + 1) f.message += fmt::format(" and {} more", places.size() - kNamed - 1);
    folded.push_back(std::move(f));
  }
  return folded;
}

void examine_files(Examination& x) {
  const Case& c = x.examined();
  ImageStack all;
  std::vector<std::string> of_finding;
  std::set<std::string> read;
  for (const std::string& path : c.images) {
    examine_file(x, path, all);
    if (!read.insert(path).second)
      x.warn(Check::duplicate_image, path + ": listed twice, it is trained on twice as often");
    of_finding.resize(x.facts().findings.size(), path);
  }
  x.facts().findings = fold(x.facts().findings, of_finding);
  if (all.slices > 0) take_image(x, all);
  x.note_empty(c.id);
}

}  // namespace

void examine_slices(Examination& x) { slices_are_files(x.examined()) ? examine_files(x) : examine_stack(x); }

}  // namespace gf
