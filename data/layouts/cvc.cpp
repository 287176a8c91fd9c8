// Layout cvc: CVC-ClinicDB, frames 1..612 of 29 colonoscopy videos as Original/N.tif with "Ground Truth/N.tif", or the
// mirror's PNG/Original, PNG/Ground Truth (preferred) and TIF/...; data.root is the folder above. One class, polyp;
// masks hold 0 and 255.
//
// Parts are drawn by video (data.split_by = "sequence"): neighbouring frames look alike. "random" draws frames, as most
// papers do.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>

#include "data/layouts/folder.h"
#include "data/layouts/layouts.h"
#include "data/layouts/one_class.h"
#include "data/split_file.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

// The last frame of each of the 29 videos, as the data set's publishers list them.
constexpr int kLastFrames[] = {25,  50,  67,  78,  103, 126, 151, 177, 199, 205, 227, 252, 277, 297, 317,
                               342, 363, 383, 408, 428, 447, 466, 478, 503, 528, 546, 571, 591, 612};
constexpr int kFrames = kLastFrames[std::size(kLastFrames) - 1];

int frame_number(const std::string& stem) {
  int n = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), n);
  return error == std::errc() && end == stem.data() + stem.size() ? n : 0;
}

std::string video_of(const std::string& stem, const std::string& path) {
  const int frame = frame_number(stem);
  if (frame < 1 || frame > kFrames)
    bad_data("frame of an unknown video", path, fmt::format("1 to {} as its name", kFrames), stem,
             "set data.split_by = \"random\", or name patients in a table (layout csv)");
  return fmt::format("video {:02}", std::lower_bound(std::begin(kLastFrames), std::end(kLastFrames), frame) -
                                        std::begin(kLastFrames) + 1);
}

// Folders of frames and of masks.
std::pair<std::string, std::string> find_folders(const std::string& root) {
  for (const char* mirror : {"", "PNG", "TIF", "CVC-ClinicDB"}) {
    const std::string at = (fs::path(root) / mirror).string();
    for (const char* masks : {"Ground Truth", "GroundTruth"})
      if (has_folder(at, "Original") && has_folder(at, masks))
        return {(fs::path(at) / "Original").string(), (fs::path(at) / masks).string()};
  }
  bad_data("not the layout cvc", root, "folders Original and \"Ground Truth\", or PNG or TIF with them", "neither");
}

}  // namespace

Dataset open_cvc(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  Dataset d = one_class_dataset(source, preprocessing, "polyp");
  const auto [images, labels] = find_folders(d.root);
  const std::map<std::string, std::string> masks = pictures_by_stem(labels);
  for (const auto& [stem, path] : pictures_by_stem(images)) {
    const auto mask = masks.find(stem);
    Case c;
    c.id = stem;
    c.images = {path};
    faults.attempt(Check::missing_pair, c.id, [&, &path = path, &labels = labels] {
      if (mask == masks.end()) bad_data("frame without a mask", path, "a file " + c.id + " in " + labels, "none");
      c.label = mask->second;
    });
    if (source.keep_sequences)
      faults.attempt(Check::data_set, c.id, [&, &path = path] { c.patient = video_of(c.id, path); });
    d.cases.push_back(std::move(c));
  }
  std::ranges::stable_sort(d.cases, {}, [](const Case& c) { return frame_number(c.id); });
  if (d.cases.size() != kFrames)
    faults.note(fmt::format("warning: cvc: {} frames, {} were published", d.cases.size(), kFrames));
  if (!source.keep_sequences)
    faults.note("cvc: frames are drawn one by one: the test part shows polyps that were trained on");
  draw_parts(d, source.val_share, source.test_share, source.split_seed);
  return d;
}

}  // namespace gf
