// The size of pixels that files do not know: eval.spacing in training's own scores, in evaluate -m, and on the pages.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/scoring.h"
#include "data/csv.h"
#include "engine/io/checkpoint.h"
#include "tests/apps/program.h"
#include "tests/harness/golden_folder.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

EvalConfig eval(const std::vector<std::string>& sets) { return parse_config("", "run.toml", sets).eval; }

std::string fault(MaskSource source, const std::vector<std::string>& sets) {
  return error_of([&] { configured_scoring(eval(sets), source, 2); });
}

std::string unit(MaskSource source, const std::vector<std::string>& sets) {
  return configured_scoring(eval(sets), source, 2).protocol.unit();
}

std::string unit_of(const std::string& folder) {
  return nlohmann::json::parse(read_text(folder + "/summary.json"))["protocol"]["unit"];
}

// Columns of per_case.csv, by case and name.
using Distances = std::map<std::string, double>;
Distances distances(const std::string& folder) {
  const CsvTable table = CsvTable::read(folder + "/per_case.csv");
  Distances values;
  for (std::size_t i = 0; i < table.rows(); ++i)
    for (const char* column : {"hd", "hd95", "assd", "hd95_area"})
      values[table.at(i, table.column("case")) + " " + column] = table.number(i, column);
  return values;
}

// A network that finds something within few steps.
std::string training(const std::string& config) {
  return "train -q -c " + config + " --set model.arch=unet --set train.max_iterations=20 --set train.eval_every=0 -o ";
}

void check_factor(const Distances& values, const Distances& of, double factor) {
  REQUIRE(values.size() == of.size());
  double largest = 0;
  for (const auto& [name, value] : of) {
    CAPTURE(name);
    REQUIRE(values.contains(name));
    CHECK(std::isfinite(values.at(name)) == std::isfinite(value));
    if (!std::isfinite(value)) continue;  // the class is missed, or in neither mask
    CHECK(values.at(name) == doctest::Approx(factor * value).epsilon(1e-5));
    largest = std::max(largest, value);
  }
  CHECK(largest > 0);  // something was measured
}

}  // namespace

TEST_CASE("spacing: the unit of distances, and what is refused before anything is scored") {
  using enum MaskSource;
  const std::string two = "eval.spacing=[0.5, 0.25]", three = "eval.spacing=[3, 0.5, 0.25]", mm = "eval.distance=mm";
  CHECK(unit(pictures, {}) == "voxel");
  CHECK(unit(pictures, {two}) == "mm");
  CHECK(unit(pictures, {two, "eval.distance=voxel"}) == "voxel");
  CHECK(unit(pictures, {two, "eval.protocol=monai"}) == "voxel");  // as MONAI measures
  CHECK(unit(pictures, {two, "eval.protocol=monai", mm}) == "mm");
  CHECK(unit(volumes, {}) == "mm");
  CHECK(unit(arrays, {}) == "mm");  // of 1, as the data set's note says
  CHECK(fault(pictures, {mm}) ==
        "2: the size of a pixel is not known: eval.distance: expected eval.spacing = [HEIGHT, WIDTH] in mm beside "
        "\"mm\", found none; add it to [eval] or with --set eval.spacing=[0.5,0.5], or take eval.distance = \"voxel\"");
  CHECK(fault(pictures, {mm, "eval.protocol=gastric"}) == "");  // it has no distances

  using Spacing = std::array<double, 3>;
  CHECK(configured_scoring(eval({two}), pictures, 2).spacing == Spacing{1, 0.5, 0.25});
  CHECK(configured_scoring(eval({"eval.spacing=[0.5]"}), pictures, 2).spacing == Spacing{1, 0.5, 0.5});
  CHECK(configured_scoring(eval({three}), arrays, 2).spacing == Spacing{3, 0.5, 0.25});
  CHECK_FALSE(configured_scoring(eval({}), volumes, 2).spacing);
  CHECK(contains(fault(pictures, {three}),
                 "expected HEIGHT,WIDTH in mm or one number for pictures, found [3, 0.5, 0.25]"));
  CHECK(contains(fault(arrays, {two}), "expected SLICES,HEIGHT,WIDTH in mm for slices of volumes, found [0.5, 0.25]"));
  CHECK(contains(fault(volumes, {two}), "2: eval.spacing (--spacing) is for pictures, and slices without geometry"));
  CHECK(contains(fault(volumes, {two}), "expected none: NIfTI files say the size of voxels, found [0.5, 0.25]"));
  for (const char* bad : {"0", "-1", "inf", "nan"})
    CHECK(contains(
        fault(pictures, {"eval.spacing=[1, " + std::string(bad) + "]"}),
        "value out of range for eval.spacing: --set eval.spacing=[1, " + std::string(bad) + "]: expected > 0"));
  CHECK(contains(fault(pictures, {"eval.pixel_size=1"}), "did you mean 'eval.spacing'?"));

  // Of a data set: by what its files are.
  Dataset d;
  d.class_names = {"background", "organ"};
  d.volumes = true;
  d.cases = {{"a", {golden_folder() + "layout_stack.h5"}, "", Split::test}};
  CHECK(configured_scoring(eval({three}), d).spacing == Spacing{3, 0.5, 0.25});
  d.cases[0].images = {"a.nii.gz"};
  CHECK(contains(error_of([&] { configured_scoring(eval({three}), d); }), "NIfTI files say"));
}

TEST_CASE("spacing: a run that asks for mm of pictures stops before it trains, and with eval.spacing has them") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), one = t / "one";
  const std::string train = training(config);
  Outcome o = run(train + one + " --set eval.distance=mm");
  CHECK_MESSAGE(o.code == 2, o.text);
  CHECK(contains(o.text, "the size of a pixel is not known"));
  CHECK_FALSE(fs::exists(one));

  o = run(train + one + " --set eval.distance=mm --set eval.spacing=[0.5,0.25]");
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "HD95 (mm)"));
  for (const char* part : {"/test", "/validation"}) CHECK(unit_of(one + part) == "mm");
  const std::string best = one + "/checkpoints/best.gfm";
  // The checkpoint has the key: what evaluate finds is what training found, and the same as of written masks.
  REQUIRE(run("evaluate -m " + best + " -o " + (t / "again")).code == 0);
  check_factor(distances(t / "again"), distances(one + "/test"), 1);
  REQUIRE(run("predict -m " + best + " -i " + (t / "data/images") + " -o " + (t / "masks")).code == 0);
  fs::create_directories(t / "truth");
  const nlohmann::json summary = nlohmann::json::parse(read_text(one + "/test/summary.json"));
  for (const nlohmann::json& c : summary["metric_per_case"]) {
    const fs::path truth = c["reference_file"].get<std::string>();
    fs::copy_file(truth, (t / "truth/") + truth.filename().string());
  }
  o = run("evaluate -g " + (t / "truth") + " -p " + (t / "masks") + " --spacing 0.5,0.25 -o " + (t / "folders"));
  CHECK_MESSAGE(o.code == 4, o.text);  // masks of the other parts have no partner
  check_factor(distances(t / "folders"), distances(one + "/test"), 1);

  // Pages: their tables say the unit of what stands in them, whatever was scored since.
  CHECK(contains(read_text(one + "/report.html"), "HD95, mm"));
  CHECK(contains(run("compare " + one).text, "HD95, mm"));
  CHECK_FALSE(contains(read_text(one + "/report.html"), "HD95, voxel"));
  REQUIRE(run("evaluate -m " + best + " --set eval.distance=voxel -o " + one + "/test").code == 0);
  REQUIRE(run("report " + one).code == 0);
  const std::string page = read_text(one + "/report.html");
  CHECK(contains(page, "HD95, mm"));     // of comparison.csv
  CHECK(contains(page, "HD95, voxel"));  // intervals over the cases
}

TEST_CASE("spacing: evaluate -m by flag, by --set, and of a checkpoint from before there was the key") {
  const TemporaryFolder t;
  const std::string command = "evaluate -m ", file = t / "run/checkpoints/best.gfm";
  REQUIRE(run(training(disc_config(t.path())) + (t / "run")).code == 0);
  const auto score = [&](const std::string& rest, const std::string& name) {
    const Outcome o = run(command + rest + " -o " + (t / name));
    CHECK_MESSAGE(o.code == 0, o.text);
    return distances(t / name);
  };
  const Distances pixels = score(file, "pixels");
  CHECK(unit_of(t / "pixels") == "voxel");
  check_factor(score(file + " --spacing 0.5", "flag"), pixels, 0.5);
  CHECK(unit_of(t / "flag") == "mm");
  check_factor(score(file + " --set eval.spacing=[2,2]", "set"), pixels, 2);
  check_factor(score(file + " --spacing 2 --protocol monai --set eval.distance=mm", "monai"), pixels, 2);
  check_factor(score(file + " --set eval.spacing=[2] --protocol monai", "voxel"), pixels, 1);

  const auto refuse = [&](const std::string& rest, const std::string& said) {
    const Outcome o = run(command + file + rest);
    INFO(rest << "\n" << o.text);
    CHECK(o.code == 2);
    CHECK(contains(o.text, said));
  };
  refuse(" --spacing 1 --protocol monai", "--spacing would change nothing: protocol monai: expected distances in mm");
  refuse(" --spacing 1 --protocol gastric --set eval.gastric_crop=none", "this protocol has no distances");
  refuse(" --spacing 1,1,1", "HEIGHT,WIDTH in mm or one number");

  const std::string old = t / "old.gfm";
  fs::copy_file(file, old);
  std::string config = read_checkpoint_entries(old).at("config");
  const std::size_t key = config.find("\nspacing = [");
  REQUIRE(key != config.npos);
  config.erase(key, config.find('\n', key + 1) - key);
  replace_checkpoint_entries(old, "config", {{"config", config}}, checkpoint_checksum(old));
  check_factor(score(old, "old"), pixels, 1);
  CHECK(unit_of(t / "old") == "voxel");
  check_factor(score(old + " --spacing 0.5", "old_mm"), pixels, 0.5);
}
