#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "data/csv.h"
#include "data/metrics/confusion.h"
#include "data/metrics/segmentation_metrics.h"
#include "data/metrics/surface_distance.h"
#include "kernels/philox.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;
using Voxels = std::vector<std::uint8_t>;

struct Sphere {
  int z, y, x, r;
};

constexpr std::int64_t depth = 40, side = 64;

void draw(Voxels& v, const Sphere& s) {
  for (std::int64_t z = 0, i = 0; z < depth; ++z)
    for (std::int64_t y = 0; y < side; ++y)
      for (std::int64_t x = 0; x < side; ++x, ++i)
        if ((z - s.z) * (z - s.z) + (y - s.y) * (y - s.y) + (x - s.x) * (x - s.x) <= s.r * s.r) v[i] = 1;
}

Voxels spheres(const std::vector<Sphere>& all) {
  Voxels v(depth * side * side);
  for (const Sphere& s : all) draw(v, s);
  return v;
}

double dice(const Voxels& a, const Voxels& b) {
  ConfusionMatrix m(2);
  const std::vector<std::int32_t> ia(a.begin(), a.end()), ib(b.begin(), b.end());
  m.add(ia, ib);
  return m.dice(1);
}

struct Golden {
  const char* name;
  std::vector<Sphere> prediction, truth;
  std::array<double, 3> spacing;
  double dice, hd95, hd100, assd;
};

// Computed with medpy's code; see field.md C3.
const std::vector<Golden> golden = {
    {"shifted", {{20, 30, 30, 12}}, {{20, 33, 30, 12}}, {1, 1, 1}, .816161, 3.000000, 3.000000, 1.433429},
    {"shifted, mm", {{20, 30, 30, 12}}, {{20, 33, 30, 12}}, {3, .8, .8}, .816161, 2.400000, 2.400000, 1.324369},
    {"concentric", {{20, 30, 30, 12}}, {{20, 30, 30, 10}}, {1, 1, 1}, .736442, 2.236068, 2.449490, 1.890935},
    {"concentric, mm", {{20, 30, 30, 12}}, {{20, 30, 30, 10}}, {3, .8, .8}, .736442, 3.757659, 6.000000, 2.060471},
    {"far blob", {{20, 30, 30, 12}, {20, 58, 58, 3}}, {{20, 30, 30, 12}}, {1, 1, 1}, .991476, 0, 31.112698, .874930},
    {"far blob, mm",
     {{20, 30, 30, 12}, {20, 58, 58, 3}},
     {{20, 30, 30, 12}},
     {3, .8, .8},
     .991476,
     0,
     24.890159,
     .699944},
    {"cut by the edge", {{2, 30, 30, 10}}, {{4, 30, 30, 10}}, {1, 1, 1}, .889352, 2.000000, 2.000000, .594182},
    {"cut by the edge, mm", {{2, 30, 30, 10}}, {{4, 30, 30, 10}}, {3, .8, .8}, .889352, 3.206244, 6.000000, .705067},
};

TEST_CASE("surface distances and Dice agree with medpy's golden values") {
  for (const Golden& g : golden) {
    CAPTURE(g.name);
    const Voxels p = spheres(g.prediction), t = spheres(g.truth);
    const SurfaceDistances d = surface_distances(p, t, {depth, side, side, g.spacing, true});
    CHECK(std::fabs(dice(p, t) - g.dice) < 1e-5);
    CHECK(std::fabs(hd95(d) - g.hd95) < 1e-5);
    CHECK(std::fabs(hd100(d) - g.hd100) < 1e-5);
    CHECK(std::fabs(assd(d) - g.assd) < 1e-5);
  }
}

TEST_CASE("distance transform is exact on random seeds and anisotropic grids") {
  for (const auto& [nz, ny, nx] : {std::array<std::int64_t, 3>{1, 1, 1}, {1, 7, 5}, {4, 1, 9}, {5, 6, 7}}) {
    const MaskGrid grid{nz, ny, nx, {2.5, 1.0, 0.3}, true};
    for (std::uint64_t trial = 0; trial < 8; ++trial) {
      Voxels seeds(static_cast<std::size_t>(nz * ny * nx));
      for (std::size_t i = 0; i < seeds.size(); ++i) seeds[i] = philox(trial, 1, i).v[0] % 9 == 0;
      const std::vector<double> got = squared_distance_transform(seeds, grid);
      for (std::size_t i = 0; i < seeds.size(); ++i) {
        double nearest = INFINITY;
        for (std::size_t j = 0; j < seeds.size(); ++j) {
          if (!seeds[j]) continue;
          const auto along = [&](std::int64_t divisor, std::int64_t n) {
            return double(std::int64_t(i) / divisor % n - std::int64_t(j) / divisor % n);
          };
          const double dx = 0.3 * along(1, nx), dy = along(nx, ny), dz = 2.5 * along(nx * ny, nz);
          nearest = std::min(nearest, dx * dx + dy * dy + dz * dz);
        }
        if (std::isinf(nearest))
          CHECK(std::isinf(got[i]));
        else
          CHECK(got[i] == doctest::Approx(nearest).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("a picture's border has no z neighbours, a one-slice volume is all border") {
  Voxels square(25), dot(25);
  for (int y = 1; y < 4; ++y)
    for (int x = 1; x < 4; ++x) square[y * 5 + x] = 1;
  dot[12] = 1;
  const MaskGrid picture{1, 5, 5, {1, 1, 1}, false}, volume{1, 5, 5, {1, 1, 1}, true};
  CHECK(surface_distances(square, dot, picture).prediction_to_truth.size() == 8);
  CHECK(surface_distances(square, dot, volume).prediction_to_truth.size() == 9);
  CHECK(hd100(surface_distances(square, dot, picture)) == doctest::Approx(std::sqrt(2.0)));
}

TEST_CASE("surface distance to an empty mask is an error, as in medpy") {
  const Voxels empty(8), full(8, 1);
  const MaskGrid grid{2, 2, 2, {1, 1, 1}, true};
  CHECK_THROWS_AS(surface_distances(empty, full, grid), Error);
  CHECK_THROWS_AS(surface_distances(full, empty, grid), Error);
  CHECK_THROWS_AS(surface_distances(Voxels(7), full, grid), Error);
}

TEST_CASE("confusion matrix") {
  ConfusionMatrix m(3);
  const std::vector<std::int32_t> truth = {0, 0, 1, 1, 1, 2, 255}, prediction = {0, 1, 1, 1, 0, 2, 1};
  m.add(truth, prediction, 255);
  CHECK(m.pixels() == 6);
  CHECK(m.true_positives(1) == 2);
  CHECK(m.false_positives(1) == 1);
  CHECK(m.false_negatives(1) == 1);
  CHECK(m.true_negatives(1) == 2);
  CHECK(m.dice(1) == doctest::Approx(4.0 / 6));
  CHECK(m.iou(1) == doctest::Approx(2.0 / 4));
  CHECK(m.accuracy() == doctest::Approx(4.0 / 6));
  CHECK(m.foreground_dice() == doctest::Approx((4.0 / 6 + 1) / 2));
  CHECK_THROWS_AS(m.add(truth, prediction), Error);  // 255 is no class
  CHECK_THROWS_AS(m.add(truth, std::vector<std::int32_t>(3)), Error);
  ConfusionMatrix empty(2);
  CHECK(std::isnan(empty.dice(1)));
  CHECK(std::isnan(empty.accuracy()));
}

Mask mask_of(std::int64_t h, std::int64_t w, std::vector<std::int32_t> values) {
  Mask m(h, w);
  m.values = std::move(values);
  return m;
}

TEST_CASE("empty classes are counted and left out of the means") {
  SegmentationScores scores({"background", "one", "two, \"odd\" name"});
  const ScoreOptions picture{{1, 1, 1}, false, true, std::nullopt};
  const auto add = [&](const char* id, std::vector<std::int32_t> truth, std::vector<std::int32_t> prediction) {
    scores.add(score_case(id, 3, {mask_of(2, 3, std::move(truth))}, {mask_of(2, 3, std::move(prediction))}, picture));
  };
  add("a", {1, 1, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0});  // class 1: Dice 2/3, HD95 .9; class 2 in neither
  add("b", {1, 0, 0, 0, 0, 2}, {0, 0, 0, 0, 0, 2});  // class 1 missed; class 2 perfect
  add("c", {0, 0, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0});  // class 1 false alarm

  const ClassSummary one = scores.summary(1), two = scores.summary(2);
  CHECK(one.n == 3);
  CHECK(one.missed == 1);
  CHECK(one.false_alarm == 1);
  CHECK(one.both_empty == 0);
  CHECK(one.hd95_n == 1);
  CHECK(one.dice_mean == doctest::Approx((2.0 / 3) / 3));
  CHECK(one.dice_std == doctest::Approx(std::sqrt((4.0 / 9 - 4.0 / 27) / 2)));
  CHECK(one.hd95_mean == doctest::Approx(0.9));  // distances 0 | 0, 1: 95 % lies .9 of the way from 0 to 1
  CHECK(one.dice_pooled == doctest::Approx(2.0 * 1 / (3 + 2)));
  CHECK(two.n == 1);
  CHECK(two.both_empty == 2);
  CHECK(two.dice_mean == 1);
  CHECK(two.hd95_mean == 0);
  CHECK(scores.mean_dice() == doctest::Approx((2.0 / 9 + 1) / 2));

  const TemporaryFolder folder;
  scores.write_per_case_csv(folder / "per_case.csv");
  scores.write_per_class_csv(folder / "per_class.csv");
  scores.write_summary_json(folder / "summary.json", "voxel");
  CHECK(folder.files() == 3);

  const CsvTable cases = CsvTable::read(folder / "per_case.csv");
  CHECK(cases.rows() == 6);
  CHECK(cases.at(1, cases.column("class")) == "two, \"odd\" name");
  CHECK(cases.at(0, cases.column("dice")) == "0.666667");
  CHECK(cases.at(1, cases.column("dice")) == "");
  CHECK(cases.at(2, cases.column("status")) == "missed");
  CHECK(CsvTable::read(folder / "per_class.csv").rows() == 2);

  const Bytes text = read_bytes(folder / "summary.json");
  const nlohmann::json json = nlohmann::json::parse(text.begin(), text.end());
  CHECK(json["metric_per_case"].size() == 3);
  CHECK(json["metric_per_case"][0]["metrics"]["1"]["Dice"].get<double>() == doctest::Approx(2.0 / 3));
  CHECK(json["metric_per_case"][0]["metrics"]["2"]["Dice"].is_null());
  CHECK(json["mean"]["1"]["Dice"].get<double>() == doctest::Approx(2.0 / 9));
  CHECK(json["foreground_mean"]["Dice"].get<double>() == doctest::Approx(scores.mean_dice()));
  CHECK(json["counts"]["1"]["missed"] == 1);
  CHECK(json["class_names"][2] == "two, \"odd\" name");
}

TEST_CASE("a volume is scored over all its slices, and sizes are checked") {
  std::vector<Mask> truth(3, Mask(4, 4)), prediction = truth;
  truth[0].at(1, 1) = 1;
  prediction[2].at(1, 1) = 1;
  const CaseScore s = score_case("v", 2, truth, prediction, {{3, 1, 1}, true, true, std::nullopt});
  CHECK(s.classes[1].dice == 0);
  CHECK(s.classes[1].status == ClassStatus::scored);
  CHECK(s.classes[1].hd95 == doctest::Approx(6));
  CHECK(std::isnan(score_case("v", 2, truth, prediction, {{3, 1, 1}, true, false, std::nullopt}).classes[1].hd95));
  prediction[1] = Mask(4, 5);
  CHECK_THROWS_AS(score_case("v", 2, truth, prediction, {}), Error);
}

}  // namespace
}  // namespace gf
