#include <cmath>
#include <nlohmann/json.hpp>

#include "data/csv.h"
#include "data/metrics/confusion.h"
#include "data/metrics/segmentation_metrics.h"
#include "data/metrics/surface_distance.h"
#include "data/metrics/surface_elements.h"
#include "kernels/philox.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;
using Voxels = std::vector<std::uint8_t>;

TEST_CASE("distance transform is exact on random seeds and anisotropic grids") {
  for (const auto& [nz, ny, nx] : {std::array<std::int64_t, 3>{1, 1, 1}, {1, 7, 5}, {4, 1, 9}, {5, 6, 7}}) {
    const MaskGrid grid{nz, ny, nx, {2.5, 1.0, 0.3}, true};
    for (std::uint64_t trial = 0; trial < 8; ++trial) {
      Voxels seeds(static_cast<std::size_t>(nz * ny * nx));
      for (std::size_t i = 0; i < seeds.size(); ++i) seeds[i] = philox(trial, 1, i).v[0] % 9 == 0;
      const std::vector<double> got = squared_distance_transform(seeds, grid);
      Voxels asked(seeds.size());
      for (std::size_t i = 0; i < asked.size(); ++i) asked[i] = philox(trial, 2, i).v[0] % 5 == 0;
      const std::vector<double> some = distances_to(seeds, asked, grid);
      std::size_t next = 0;
      for (std::size_t i = 0; i < asked.size(); ++i)
        if (asked[i]) CHECK(some.at(next++) == std::sqrt(got[i]));
      CHECK(next == some.size());
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

TEST_CASE("surface distances to an empty mask") {
  const Voxels empty(8), full(8, 1);
  const MaskGrid grid{2, 2, 2, {1, 1, 1}, true};
  CHECK_THROWS_AS(surface_distances(empty, full, grid), Error);
  CHECK_THROWS_AS(surface_distances(full, empty, grid), Error);
  CHECK_THROWS_AS(surface_distances(Voxels(7), full, grid), Error);

  for (const auto& [p, t] : {std::pair(empty, full), std::pair(full, empty)}) {
    const MaskPair pair = cut_pair(p, t, grid);
    CHECK(std::isnan(hd95_greater(surface_distances(pair))));  // as MONAI
    CHECK(std::isinf(hd100(surface_distances(pair))));
    CHECK(std::isinf(assd(surface_distances(pair))));
    CHECK(std::isinf(hd95_area(element_distances(pair))));  // as surface-distance
    CHECK(nsd(element_distances(pair), 1) == 0);
  }
  const MaskPair none = cut_pair(empty, empty, grid);
  CHECK(std::isnan(hd100(surface_distances(none))));
  CHECK(std::isnan(assd(surface_distances(none))));
  CHECK(std::isinf(hd95_area(element_distances(none))));
  CHECK(std::isnan(nsd(element_distances(none), 1)));
}

TEST_CASE("the box of a class does not change its distances") {
  const MaskGrid grid{6, 20, 30, {3, 1, 0.5}, true};
  Voxels a(grid.voxels()), b(grid.voxels());
  for (std::int64_t z = 2; z < 5; ++z)
    for (std::int64_t y = 10; y < 14; ++y)
      for (std::int64_t x = 20; x < 27; ++x) {
        a[(z * 20 + y) * 30 + x] = 1;
        b[(z * 20 + y - 3) * 30 + x - 4] = 1;
      }
  // The same masks in a corner: a box that is the image.
  const MaskPair cut = cut_pair(a, b, grid);
  CHECK(cut.grid.nz == 5);
  CHECK(cut.grid.ny == 9);
  CHECK(cut.grid.nx == 13);
  Voxels p(3 * 7 * 11), t(3 * 7 * 11);
  for (std::int64_t z = 0, i = 0; z < 3; ++z)
    for (std::int64_t y = 0; y < 7; ++y)
      for (std::int64_t x = 0; x < 11; ++x, ++i) {
        p[i] = a[((z + 2) * 20 + y + 7) * 30 + x + 16];
        t[i] = b[((z + 2) * 20 + y + 7) * 30 + x + 16];
      }
  const MaskGrid small{3, 7, 11, grid.spacing, true};
  CHECK(surface_distances(a, b, grid).prediction_to_truth == surface_distances(p, t, small).prediction_to_truth);
  CHECK(element_distances(cut).truth.distance == element_distances(cut_pair(p, t, small)).truth.distance);
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
  CHECK(m.accuracy(1) == doctest::Approx(4.0 / 6));
  CHECK(m.precision(1) == doctest::Approx(2.0 / 3));
  CHECK(m.recall(1) == doctest::Approx(2.0 / 3));
  CHECK(m.specificity(1) == doctest::Approx(2.0 / 3));
  CHECK(m.accuracy(2) == 1);
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
  const ScoreOptions picture{.volume = false};
  const auto add = [&](const char* id, std::vector<std::int32_t> truth, std::vector<std::int32_t> prediction) {
    scores.add(score_case(id, 3, {mask_of(2, 3, std::move(truth))}, {mask_of(2, 3, std::move(prediction))}, picture));
  };
  add("a", {1, 1, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0});  // class 1: Dice 2/3, HD95 .95; class 2 in neither
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
  CHECK(one.hd95_mean == doctest::Approx(0.95));  // distances 0 | 0, 1; the greater of 0 and .95 from 0 to 1
  CHECK(scores.over_cases(1, &ClassScore::hd95_pooled).mean == doctest::Approx(0.9));
  CHECK(scores.over_cases(1, &ClassScore::recall).n == 2);  // undefined where the truth is empty
  CHECK(scores.over_cases(1, &ClassScore::recall).mean == doctest::Approx(0.25));
  CHECK(scores.pooled_score(1).recall == doctest::Approx(1.0 / 3));
  CHECK(one.dice_pooled == doctest::Approx(2.0 * 1 / (3 + 2)));
  CHECK(two.n == 1);
  CHECK(two.both_empty == 2);
  CHECK(two.dice_mean == 1);
  CHECK(two.hd95_mean == 0);
  CHECK(scores.mean_dice() == doctest::Approx((2.0 / 9 + 1) / 2));

  const TemporaryFolder folder;
  scores.write_per_case_csv(folder / "per_case.csv");
  scores.write_per_class_csv(folder / "per_class.csv");
  scores.add_failed({"d", "broken \"file\""});
  scores.write_summary_json(folder / "summary.json");
  CHECK(folder.files() == 3);

  const CsvTable cases = CsvTable::read(folder / "per_case.csv");
  CHECK(cases.rows() == 6);
  CHECK(cases.at(1, cases.column("class")) == "two, \"odd\" name");
  CHECK(cases.at(0, cases.column("dice")) == "0.666667");
  CHECK(cases.at(1, cases.column("dice")) == "");
  CHECK(cases.at(2, cases.column("status")) == "missed");
  CHECK(cases.at(0, cases.column("hd95_pooled")) == "0.900000");
  CHECK(cases.at(0, cases.column("precision")) == "1.000000");
  CHECK(cases.at(2, cases.column("precision")) == "");
  const CsvTable table = CsvTable::read(folder / "per_class.csv");
  CHECK(table.rows() == 2);
  CHECK(table.at(0, table.column("recall_pooled")) == "0.333333");
  CHECK(table.at(0, table.column("protocol")) == "standard");

  const Bytes text = read_bytes(folder / "summary.json");
  const nlohmann::json json = nlohmann::json::parse(text.begin(), text.end());
  CHECK(json["metric_per_case"].size() == 3);
  CHECK(json["metric_per_case"][0]["metrics"]["1"]["Dice"].get<double>() == doctest::Approx(2.0 / 3));
  CHECK(json["metric_per_case"][0]["metrics"]["2"]["Dice"].is_null());
  CHECK(json["mean"]["1"]["Dice"].get<double>() == doctest::Approx(2.0 / 9));
  CHECK(json["foreground_mean"]["Dice"].get<double>() == doctest::Approx(scores.mean_dice()));
  CHECK(json["counts"]["1"]["missed"] == 1);
  CHECK(json["postprocessing"] == "none");
  CHECK(json["class_names"][2] == "two, \"odd\" name");
  // nnU-Net's keys, and ours
  for (const char* key : {"Dice", "IoU", "TP", "FP", "FN", "TN", "n_pred", "n_ref", "HD95", "Precision", "NSD"})
    for (const nlohmann::json* at :
         {&json["foreground_mean"], &json["mean"]["1"], &json["metric_per_case"][0]["metrics"]["1"]})
      CHECK_MESSAGE(at->contains(key), key);
  CHECK(json["mean"]["1"]["TP"].get<double>() == doctest::Approx(1.0 / 3));
  CHECK(json["std"]["1"]["Dice"].get<double>() == doctest::Approx(one.dice_std));
  CHECK(json["pooled"]["1"]["Recall"].get<double>() == doctest::Approx(1.0 / 3));
  CHECK(json["protocol"]["name"] == "standard");
  CHECK(json["protocol"]["unit"] == "mm");
  CHECK(json["failed"][0]["error"] == "broken \"file\"");
}

TEST_CASE("a volume is scored over all its slices, and sizes are checked") {
  std::vector<Mask> truth(3, Mask(4, 4)), prediction = truth;
  truth[0].at(1, 1) = 1;
  prediction[2].at(1, 1) = 1;
  const CaseScore s = score_case("v", 2, truth, prediction, {.spacing = {3, 1, 1}});
  CHECK(s.classes[1].dice == 0);
  CHECK(s.classes[1].status == ClassStatus::scored);
  CHECK(s.classes[1].hd95 == doctest::Approx(6));
  CHECK(std::isnan(score_case("v", 2, truth, prediction, {.spacing = {3, 1, 1}, .surface = false}).classes[1].hd95));
  prediction[1] = Mask(4, 5);
  CHECK_THROWS_AS(score_case("v", 2, truth, prediction, {}), Error);
}

}  // namespace
}  // namespace gf
