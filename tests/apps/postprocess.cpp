// graphflow postprocess, and what predict and evaluate make of its choice.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/postprocess_file.h"
#include "distill/model_file.h"
#include "engine/io/checkpoint.h"
#include "tests/apps/program.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

nlohmann::json json_of(const std::string& file) { return nlohmann::json::parse(read_text(file)); }

double mean_dice(const std::string& folder) { return json_of(folder + "/summary.json")["foreground_mean"]["Dice"]; }

std::int64_t foreground(const std::string& png) {
  const Mask m = read_png_mask(png);
  return std::count_if(m.values.begin(), m.values.end(), [](std::int32_t v) { return v > 0; });
}

// Weights that nobody has trained say different things of different pixels, in specks; a short training says nothing
// yet.
void forget(const std::string& checkpoint) {
  const NetworkFile f = load_network(checkpoint);
  f.network->initialise(5);
  CheckpointState state;
  state.entries = f.entries;
  save_checkpoint(checkpoint, *f.network, nullptr, state);
}

}  // namespace

TEST_CASE("postprocess: chosen on validation, applied by evaluate and predict, turned off by a flag") {
  const TemporaryFolder t;
  const std::string run_folder = t / "run", best = run_folder + "/checkpoints/best.gfm",
                    chosen = run_folder + "/postprocess.json";
  Outcome o = run("train -q -c " + disc_config(t.path()) + " --set train.max_iterations=1 -o " + run_folder);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  forget(best);
  o = run("postprocess " + run_folder);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK_MESSAGE(contains(o.text, "written: " + chosen), o.text);
  const nlohmann::json j = json_of(chosen);
  CHECK(j["chosen_on"]["checkpoint"] == "best.gfm");
  CHECK(j["trials"].size() == static_cast<std::size_t>(postprocessing_trials(2)));
  CHECK(j["classes"].contains("disc"));

  // What it says of the validation part is what evaluate finds with and without.
  o = run("evaluate -m " + best + " --split val -o " + t / "with");
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK_MESSAGE(contains(o.text, "post-processing of " + chosen), o.text);
  o = run("evaluate -m " + best + " --split val --no-postprocess -o " + t / "without");
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK_FALSE(contains(o.text, "post-processing"));
  CHECK(mean_dice(t / "with") == doctest::Approx(j["dice_after"].get<double>()).epsilon(1e-6));
  CHECK(mean_dice(t / "without") == doctest::Approx(j["dice_before"].get<double>()).epsilon(1e-6));
  CHECK(j["dice_after"].get<double>() > j["dice_before"].get<double>());

  // A file of one's own, so strict that nothing is left; and back.
  const std::string strict = t / "strict.json", picture = t.path() + "/data/images/disc_0.png";
  write_text(strict, R"({"format": "graphflow postprocess 1", "classes": {"disc": {"min_voxels": 100000}}})");
  CHECK(run("predict -m " + best + " -i " + picture + " -o " + t / "raw.png" + " --no-postprocess").code == 0);
  CHECK(run("predict -m " + best + " -i " + picture + " -o " + t / "none.png" + " --postprocess " + strict).code == 0);
  CHECK(foreground(t / "raw.png") > 0);
  CHECK(foreground(t / "none.png") == 0);
  fs::copy_file(strict, chosen, fs::copy_options::overwrite_existing);
  CHECK(run("predict -m " + best + " -i " + picture + " -o " + t / "run.png").code == 0);
  CHECK(foreground(t / "run.png") == 0);
  fs::copy_file(best, t / "alone.gfm");  // away from its run folder a checkpoint is on its own
  CHECK(run("predict -m " + t / "alone.gfm" + " -i " + picture + " -o " + t / "alone.png").code == 0);
  CHECK(foreground(t / "alone.png") == foreground(t / "raw.png"));

  o = run("predict -m " + best + " -i " + picture + " -o " + t / "x.png" + " --no-postprocess --postprocess " + strict);
  CHECK(o.code == 2);
  CHECK(contains(run("evaluate -g " + t.path() + " -p " + t.path() + " --no-postprocess").text, "go with -m"));
  CHECK(run("postprocess " + t / "nowhere").code == 2);
  CHECK_MESSAGE(contains(run("postprocess " + t.path()).text, "no trained model in the run folder"), t.path());
}

TEST_CASE("post-processing files: what is written is read, mistakes are named") {
  const TemporaryFolder t;
  const std::string file = t / "p.json";
  const std::vector<std::string> names{"background", "liver", "left \"kidney\""};
  PostprocessingChoice choice;
  choice.chosen.foreground_largest_component = true;
  choice.chosen.classes = {{}, {.min_voxels = 7, .fill_holes = true}, {.min_mm3 = 12.5, .largest_component = true}};
  choice.trials = {{0, "largest_component", 0.5, 0.75, true}, {2, "fill_holes", std::nan(""), std::nan(""), false}};
  choice.dice_before = std::nan("");
  choice.dice_after = 0.75;
  write_postprocessing(file, choice, names, "best.gfm", 3);
  CHECK(read_postprocessing(file, names) == choice.chosen);
  CHECK(describe(choice.chosen, names) ==
        "foreground: largest component; liver: objects from 7 voxels, holes filled; left \"kidney\": objects from 12.5 "
        "mm3, "
        "largest component");
  CHECK(describe({}, names) == "none");

  const auto refused = [&](const std::string& rest, const std::string& message) {
    write_text(file, R"({"format": "graphflow postprocess 1")" + rest + "}");
    const std::string text = error_of([&] { read_postprocessing(file, names); });
    CHECK_MESSAGE(contains(text, message), text);
    CHECK(contains(text, "3: "));
    CHECK(contains(text, file));
  };
  refused(R"(, "clases": {})", "unknown key");
  refused(R"(, "classes": [])", "expected an object, found []");
  refused(R"(, "classes": {"spleen": {}})",
          "expected foreground classes of the model: liver, left \"kidney\", found spleen");
  refused(R"(, "classes": {"background": {}})", "found background");
  refused(R"(, "classes": {"liver": 3})", "class liver: expected an object, found 3");
  refused(R"(, "classes": {"liver": {"min_voxel": 3}})", "found min_voxel");
  refused(R"(, "classes": {"liver": {"min_voxels": 3.5}})", "expected a whole number, at least 0, found 3.5");
  refused(R"(, "classes": {"liver": {"min_mm3": -1}})", "expected a number, at least 0, found -1");
  refused(R"(, "classes": {"liver": {"fill_holes": 1}})", "expected true or false, found 1");
  refused(R"(, "foreground_largest_component": "yes")", "expected true or false, found \"yes\"");
  write_text(file, "{}");
  CHECK(contains(error_of([&] { read_postprocessing(file, names); }), "JSON of the format"));
  CHECK(contains(error_of([&] { read_postprocessing(t / "none.json", names); }), "3: no such file"));
}
