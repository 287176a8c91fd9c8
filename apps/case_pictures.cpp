#include "apps/case_pictures.h"

#include <algorithm>

#include <fmt/format.h>

#include "apps/json_file.h"
#include "apps/report/contours.h"
#include "apps/report/fitting_picture.h"
#include "apps/report/overlay.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr const char* kFile = "/overlays.json";
constexpr const char* kFormat = "graphflow overlays 1";
constexpr std::int64_t kSide = 360;
constexpr std::size_t kBytes = 90'000;  // of one data URI: six of them are a third of a page

// Ignored pixels are background of both masks.
void leave_out(Mask& reference, Mask& prediction, std::optional<std::int32_t> ignore) {
  for (std::size_t i = 0; ignore && i < reference.values.size(); ++i)
    if (reference.values[i] == *ignore) reference.values[i] = prediction.values[i] = 0;
}

}  // namespace

std::size_t fullest_slice(const std::vector<Mask>& reference, const std::vector<Mask>& prediction,
                          std::optional<std::int32_t> ignore) {
  std::size_t best = 0;
  std::int64_t most = -1;
  for (std::size_t j = 0; j < reference.size(); ++j) {
    const std::vector<std::int32_t>&r = reference[j].values, &p = prediction[j].values;
    std::int64_t pixels = 0;
    for (std::size_t i = 0; i < r.size(); ++i) pixels += (r[i] > 0 || p[i] > 0) && r[i] != ignore;
    if (pixels > most) most = pixels, best = j;
  }
  return best;
}

int quarter_turns(const Dataset& dataset) { return dataset.volumes && dataset.preprocessing.slice_axis != 2 ? 1 : 0; }

void draw_case(GalleryCase& shown, const PreparedCase& c, const std::vector<Mask>& prediction, const Dataset& dataset) {
  if (c.images.empty()) return;
  const std::optional<std::int32_t> ignore = dataset.preprocessing.label_map.ignore_index;
  const std::size_t slice = fullest_slice(c.truth, prediction, ignore);
  if (c.volume) shown.place = fmt::format("slice {}", c.first_slice + static_cast<std::int64_t>(slice));
  if (c.tiles) shown.place = fmt::format("tile {}", slice);

  Mask reference = c.truth[slice], guess = prediction[slice];
  leave_out(reference, guess, ignore);
  OverlayStyle style;
  style.quarter_turns = quarter_turns(dataset);
  style.scale = static_cast<int>(std::max<std::int64_t>(1, kSide / std::max(c.full.h, c.full.w)));
  const Bytes8 bare = draw_overlay(unfit(c.images[slice], c.full, dataset.preprocessing), Mask(), style);
  reference = turned(reference, style.quarter_turns);
  guess = turned(guess, style.quarter_turns);
  shown.image_uri = fitting_png(kSide, kBytes, [&](std::int64_t side) {
    Bytes8 picture = shrunk_to(bare, side);
    draw_contours(picture, reference, guess);
    return picture;
  });
}

void add_to_gallery(CaseGallery& gallery, std::size_t index, const PreparedCase& c, const std::vector<Mask>& prediction,
                    const CaseScore& score, const Dataset& dataset) {
  gallery.add({index, c.id, foreground_mean(score, &ClassScore::dice), "", ""},
              [&](GalleryCase& shown) { draw_case(shown, c, prediction, dataset); });
}

void write_case_pictures(const std::string& folder, const CaseGallery& gallery) {
  nlohmann::ordered_json j{{"format", kFormat}, {"cases", nlohmann::ordered_json::array()}};
  for (const std::vector<GalleryCase>& group : {gallery.worst(), gallery.best()})
    for (const GalleryCase& c : group)
      j["cases"].push_back(
          {{"index", c.index}, {"case", c.name}, {"score", c.score}, {"place", c.place}, {"picture", c.image_uri}});
  // A case's name need not be UTF-8.
  write_file_atomically(folder + kFile, j.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

std::map<std::size_t, GalleryCase> read_case_pictures(const std::string& folder) {
  std::map<std::size_t, GalleryCase> pictures;
  const std::string file = folder + kFile;
  const std::optional<nlohmann::json> j = read_json(file, kFormat);
  if (!j) return pictures;
  try {
    for (const nlohmann::json& c : j->at("cases"))
      pictures[c.at("index").get<std::size_t>()] = {c.at("index").get<std::size_t>(), c.at("case").get<std::string>(),
                                                    c.at("score").get<double>(), c.at("place").get<std::string>(),
                                                    c.at("picture").get<std::string>()};
  } catch (const nlohmann::json::exception& e) {
    bad_data("broken pictures of cases", file, "index, case, score, place and picture of each", e.what(),
             "write them anew with graphflow evaluate -o " + folder);
  }
  return pictures;
}

}  // namespace gf
