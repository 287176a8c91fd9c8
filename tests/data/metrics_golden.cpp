// Scores against medpy, MONAI and surface-distance (tests/golden/make_metrics.py), pair by pair and protocol by
// protocol.
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/metrics/confusion.h"
#include "data/metrics/segmentation_metrics.h"
#include "data/metrics/surface_distance.h"
#include "data/metrics/surface_elements.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using nlohmann::json;
using Voxels = std::vector<std::uint8_t>;

const json& golden() {
  static const json j = [] {
    const fixtures::Bytes text = fixtures::read_bytes(std::string(GF_SOURCE_DIR) + "/tests/golden/metrics.json");
    return json::parse(text.begin(), text.end());
  }();
  return j;
}

MaskGrid grid_of(const json& shape, const json& spacing) {
  MaskGrid g;
  g.volume = shape.size() == 3;
  const std::size_t z = g.volume ? 1 : 0;
  g.nz = g.volume ? shape[0].get<std::int64_t>() : 1;
  g.ny = shape[z];
  g.nx = shape[z + 1];
  g.spacing = {g.volume ? spacing[0].get<double>() : 1, spacing[z], spacing[z + 1]};
  return g;
}

Voxels mask_of(const std::string& text, const MaskGrid& g) {
  Voxels v(static_cast<std::size_t>(g.voxels()));
  std::istringstream in(text);
  std::string kind, digits;
  in >> kind;
  if (kind == "bits") {
    in >> digits;
    for (std::size_t i = 0; i < v.size(); ++i)
      v[i] = std::stoi(digits.substr(i / 4, 1), nullptr, 16) >> (3 - i % 4) & 1;
    return v;
  }
  for (std::int64_t cz, cy, cx, r; in >> cz >> cy >> cx >> r;)
    for (std::int64_t z = 0, i = 0; z < g.nz; ++z)
      for (std::int64_t y = 0; y < g.ny; ++y)
        for (std::int64_t x = 0; x < g.nx; ++x, ++i)
          if ((z - cz) * (z - cz) + (y - cy) * (y - cy) + (x - cx) * (x - cx) <= r * r) v[i] = 1;
  return v;
}

TEST_CASE("scores of two masks agree with medpy, MONAI and surface-distance") {
  CHECK(golden()["pairs"].size() == 15);
  for (const json& pair : golden()["pairs"]) {
    CAPTURE(pair["name"].get<std::string>());
    const MaskGrid g = grid_of(pair["shape"], pair["spacing"]);
    const Voxels p = mask_of(pair["prediction"], g), t = mask_of(pair["truth"], g);
    ConfusionMatrix counts(2);
    counts.add(std::vector<std::int32_t>(t.begin(), t.end()), std::vector<std::int32_t>(p.begin(), p.end()));
    const SurfaceDistances d = surface_distances(p, t, g);
    const ElementDistances e = element_distances(cut_pair(p, t, g));
    const std::pair<const char*, double> scores[] = {{"dice", counts.dice(1)},
                                                     {"iou", counts.iou(1)},
                                                     {"precision", counts.precision(1)},
                                                     {"recall", counts.recall(1)},
                                                     {"specificity", counts.specificity(1)},
                                                     {"accuracy", counts.accuracy(1)},
                                                     {"hd", hd100(d)},
                                                     {"hd95_pooled", hd95_pooled(d)},
                                                     {"hd95_greater", hd95_greater(d)},
                                                     {"hd95_area", hd95_area(e)},
                                                     {"assd", assd(d)},
                                                     {"nsd_1", nsd(e, 1)},
                                                     {"nsd_2", nsd(e, 2)},
                                                     {"border_nsd_1", border_nsd(d, 1)},
                                                     {"border_nsd_2", border_nsd(d, 2)}};
    CHECK(pair["scores"].size() == std::size(scores));
    for (const auto& [name, value] : scores) {
      CAPTURE(std::string(name));
      CHECK(std::fabs(value - pair["scores"][name].get<double>()) < 1e-6);
    }
  }
}

TEST_CASE("areas and lengths of every neighbourhood are surface-distance's") {
  const json& e = golden()["elements"];
  const std::array<double, 3> spacing = e["spacing"];
  const std::array<double, 256> areas = element_areas(spacing);
  const std::array<double, 16> lengths = element_lengths(spacing);
  for (std::size_t code = 0; code < 256; ++code) {
    CAPTURE(code);
    CHECK(std::fabs(areas[code] - e["areas"][code].get<double>()) < 1e-8);
  }
  for (std::size_t code = 0; code < 16; ++code) {
    CAPTURE(code);
    CHECK(std::fabs(lengths[code] - e["lengths"][code].get<double>()) < 1e-8);
  }
}

std::vector<Mask> slices(const std::string& digits, const MaskGrid& g) {
  std::vector<Mask> masks;
  for (std::int64_t z = 0, i = 0; z < g.nz; ++z) {
    masks.emplace_back(g.ny, g.nx);
    for (std::int32_t& v : masks.back().values) v = digits.at(i++) - '0';
  }
  return masks;
}

const Measure& measure(const std::string& column) {
  for (const Measure& m : measures())
    if (m.column == column) return m;
  FAIL("no measure " << column);
  return measures()[0];
}

void check(double value, const json& expected) {
  if (expected.is_null())
    CHECK(std::isnan(value));
  else if (expected.is_string())
    CHECK(std::isinf(value));
  else
    CHECK(std::fabs(value - expected.get<double>()) < 1e-6);
}

TEST_CASE("every protocol reports its tool's number, empty classes too") {
  const json& sets = golden()["sets"];
  const MaskGrid g = grid_of(sets["shape"], sets["spacing"]);
  const int classes = sets["classes"];
  for (const auto& [name, reports] : sets["reports"].items()) {
    CAPTURE(name);
    Protocol protocol = find_protocol(name);
    protocol.nsd_tolerance = {sets["nsd_tolerance"].get<double>()};
    ScoreOptions options;
    options.protocol = protocol;
    if (protocol.millimetres) options.spacing = g.spacing;
    SegmentationScores scores({"background", "one", "two", "three"}, protocol);
    for (const json& c : sets["cases"])
      scores.add(score_case("", classes, slices(c["truth"], g), slices(c["prediction"], g), options));
    for (const auto& [column, expected] : reports.items()) {
      CAPTURE(column);
      for (int id = 1; id < classes; ++id) {
        CAPTURE(id);
        check(scores.score(id, measure(column).value), expected[std::to_string(id)]);
      }
      check(scores.mean(measure(column).value), expected["mean"]);
    }
    const ClassSummary two = scores.summary(2), three = scores.summary(3);
    CHECK(two.missed == 1);
    CHECK(two.false_alarm == 1);
    CHECK(two.both_empty == 1);
    CHECK(three.both_empty == 4);
  }
}

Mask disc(const json& d) {
  Mask m(256, 256);
  const int cy = d[0], cx = d[1], r = d[2];
  for (int y = 0; y < 256; ++y)
    for (int x = 0; x < 256; ++x) m.at(y, x) = (y - cy) * (y - cy) + (x - cx) * (x - cx) <= r * r;
  return m;
}

TEST_CASE("gastric: the centre of every tile, one confusion matrix, mean IoU with the background") {
  const json& gastric = golden()["gastric"];
  for (const auto& [name, expected] : gastric["expected"].items()) {
    CAPTURE(name);
    Protocol protocol = find_protocol("gastric");
    CHECK(protocol.crop == Crop::centre);
    if (name == "centre_authors") protocol.crop = Crop::centre_authors;
    ScoreOptions options;
    options.volume = false;
    options.protocol = protocol;
    SegmentationScores scores({"background", "tumour"}, protocol);
    for (const json& tile : gastric["tiles"]) scores.add(score_case("", 2, {disc(tile[1])}, {disc(tile[0])}, options));
    CHECK(scores.pooled().pixels() == 3 * 64 * 64);
    CHECK(std::fabs(scores.pooled().accuracy() - expected["accuracy"].get<double>()) < 1e-12);
    for (const auto& [column, value] : expected.items())
      CHECK(std::fabs(scores.mean(measure(column).value) - value.get<double>()) < 1e-12);
    CHECK(std::isnan(scores.mean_hd95()));
  }
  ScoreOptions options;
  options.volume = false;
  options.protocol = find_protocol("gastric");
  CHECK(fixtures::holds(fixtures::message_of([&] { score_case("tile_7", 2, {Mask(30, 32)}, {Mask(30, 32)}, options); }),
                        "tile_7: expected height and width a multiple of 8, found 32x30"));
  options.volume = true;
  fixtures::message_of([&] { score_case("v", 2, {Mask(8, 8)}, {Mask(8, 8)}, options); });
}

TEST_CASE("tolerances a class, and a name that is no protocol") {
  Protocol p = find_protocol("standard");
  p.nsd_tolerance = {0, 3};
  ScoreOptions options;
  options.protocol = p;
  std::vector<Mask> truth(4, Mask(8, 12)), prediction = truth;
  for (int z = 1; z < 3; ++z)
    for (int y = 2; y < 6; ++y)
      for (int x = 1; x < 4; ++x) {
        truth[z].at(y, x) = prediction[z].at(y, x + 1) = 1;
        truth[z].at(y, x + 6) = prediction[z].at(y, x + 7) = 2;
      }
  const CaseScore s = score_case("", 3, truth, prediction, options);
  CHECK(s.classes[1].hd == 1);
  CHECK(s.classes[2].hd == 1);
  CHECK(s.classes[1].nsd < 0.9);
  CHECK(s.classes[2].nsd == 1);
  CHECK(fixtures::holds(fixtures::message_of([] { find_protocol("medpy"); }, ErrorKind::usage),
                        "standard, transunet, gastric, nnunet, monai"));
}

}  // namespace
}  // namespace gf
