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

// A run of one step whose best model has been made to speak in specks.
std::string speckled_run(const TemporaryFolder& t) {
  const std::string run_folder = t / "run";
  const Outcome o = run("train -q -c " + disc_config(t.path()) + " --set train.max_iterations=1 -o " + run_folder);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  forget(run_folder + "/checkpoints/best.gfm");
  return run_folder;
}

// So strict that nothing is left.
std::string strict_settings(const TemporaryFolder& t) {
  write_text(t / "strict.json",
             R"({"format": "graphflow postprocess 1", "classes": {"disc": {"min_voxels": 100000}}})");
  return t / "strict.json";
}

}  // namespace

TEST_CASE("postprocess: chosen on validation, applied by evaluate and predict, turned off by a flag") {
  const TemporaryFolder t;
  const std::string run_folder = speckled_run(t), best = run_folder + "/checkpoints/best.gfm",
                    report = run_folder + "/postprocess.json";
  Outcome o = run("postprocess " + run_folder);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK_MESSAGE(contains(o.text, "written into " + best + ": "), o.text);
  const nlohmann::json j = json_of(report);
  CHECK(j["chosen_on"]["checkpoint"] == "best.gfm");
  CHECK(j["trials"].size() == static_cast<std::size_t>(postprocessing_trials(2)));
  CHECK(j["classes"].contains("disc"));
  const NetworkFile model = load_network(best);
  REQUIRE(model.description.postprocessing.has_value());
  CHECK(*model.description.postprocessing == read_postprocessing(report, model.description.class_names));

  // What it says of the validation part is what evaluate finds with and without.
  o = run("evaluate -m " + best + " --split val -o " + t / "with");
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK_MESSAGE(contains(o.text, "post-processing of " + best), o.text);
  o = run("evaluate -m " + best + " --split val --no-postprocess -o " + t / "without");
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK_FALSE(contains(o.text, "post-processing"));
  CHECK(mean_dice(t / "with") == doctest::Approx(j["dice_after"].get<double>()).epsilon(1e-6));
  CHECK(mean_dice(t / "without") == doctest::Approx(j["dice_before"].get<double>()).epsilon(1e-6));
  CHECK(j["dice_after"].get<double>() > j["dice_before"].get<double>());
  CHECK(json_of(t / "with/summary.json")["postprocessing"] ==
        describe(*model.description.postprocessing, model.description.class_names));
  CHECK(json_of(t / "without/summary.json")["postprocessing"] == "none");

  // A file of one's own; it can also take the choice's place in the model.
  const std::string strict = strict_settings(t), picture = t.path() + "/data/images/disc_0.png";
  CHECK(run("predict -m " + best + " -i " + picture + " -o " + t / "raw.png" + " --no-postprocess").code == 0);
  CHECK(run("predict -m " + best + " -i " + picture + " -o " + t / "none.png" + " --postprocess " + strict).code == 0);
  CHECK(foreground(t / "raw.png") > 0);
  CHECK(foreground(t / "none.png") == 0);
  o = run("postprocess " + best + " --from " + strict);
  CHECK_MESSAGE(contains(o.text, "written into " + best + ": disc: objects from 100000 voxels"), o.text);
  CHECK(json_of(report) == j);

  // It is the model's own: without its run folder it does the same.
  fs::copy_file(best, t / "alone.gfm");
  o = run("predict -m " + t / "alone.gfm" + " -i " + picture + " -o " + t / "alone.png");
  CHECK_MESSAGE(contains(o.text, "post-processing of " + t / "alone.gfm" + ": disc: objects from 100000"), o.text);
  CHECK(foreground(t / "alone.png") == 0);
  CHECK(run("predict -m " + t / "alone.gfm" + " -i " + picture + " -o " + t / "again.png" + " --no-postprocess").code ==
        0);
  CHECK(read_text(t / "again.png") == read_text(t / "raw.png"));

  o = run("predict -m " + best + " -i " + picture + " -o " + t / "x.png" + " --no-postprocess --postprocess " + strict);
  CHECK(o.code == 2);
  CHECK(contains(run("evaluate -g " + t.path() + " -p " + t.path() + " --no-postprocess").text, "go with -m"));
  CHECK(run("postprocess " + t / "nowhere").code == 2);
  CHECK_MESSAGE(contains(run("postprocess " + t.path()).text, "no trained model in the run folder"), t.path());
  CHECK(run("postprocess " + picture).code == 3);
}

TEST_CASE("postprocess: a choice that lies beside a model and not in it is refused, with what to do") {
  const TemporaryFolder t;
  const std::string run_folder = speckled_run(t), best = run_folder + "/checkpoints/best.gfm",
                    picture = t.path() + "/data/images/disc_0.png", predict = " -i " + picture + " -o " + t / "x.png";
  const std::string older =
      R"({"format": "graphflow postprocess 1", "chosen_on": {"checkpoint": "best.gfm"}, "classes": {"disc": {"fill_holes": true}}})";
  write_text(run_folder + "/postprocess.json", older);
  for (const std::string& command : {"predict -m " + best + predict, "evaluate -m " + best}) {
    const Outcome o = run(command);
    CHECK(o.code == 2);
    CHECK_MESSAGE(contains(o.text, "found " + run_folder + "/postprocess.json"), o.text);
    CHECK_MESSAGE(contains(o.text, "graphflow postprocess RUN --from FILE"), o.text);
  }
  CHECK_FALSE(fs::exists(t / "x.png"));
  CHECK(run("predict -m " + run_folder + "/checkpoints/final.gfm" + predict).code == 0);  // it was not chosen for that
  CHECK(run("predict -m " + best + predict + " --no-postprocess").code == 0);
  CHECK(run("postprocess " + run_folder + " --from " + run_folder + "/postprocess.json").code == 0);
  const Outcome o = run("predict -m " + best + predict);
  CHECK_MESSAGE(contains(o.text, "post-processing of " + best + ": disc: holes filled"), o.text);
}

TEST_CASE("postprocess: a checkpoint to resume from keeps its state and its run the bits") {
  const TemporaryFolder t;
  const std::string plain = t / "plain", chosen = t / "chosen", config = disc_config(t.path());
  REQUIRE(run("train -q -c " + config + " --set train.max_iterations=4 -o " + plain).code == 0);
  fs::copy(plain, chosen, fs::copy_options::recursive);
  const std::string latest = chosen + "/checkpoints/latest.gfm";
  Outcome o = run("postprocess " + latest + " --from " + strict_settings(t));
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK(load_network(latest).description.postprocessing.has_value());
  for (const std::string& folder : {plain, chosen}) {
    o = run("train -q --resume -c " + config + " --set train.max_iterations=8 -o " + folder);
    REQUIRE_MESSAGE(o.code == 0, o.text);
  }
  CHECK_FALSE(load_network(latest).description.postprocessing.has_value());  // other weights, other choice
  const auto weights_of = [](const std::string& file) {
    const NetworkFile f = load_network(file);
    std::vector<std::vector<float>> values;
    for (const NamedTensor& p : f.network->parameters()) values.push_back(p.tensor.to_vector());
    return values;
  };
  CHECK(weights_of(plain + "/checkpoints/final.gfm") == weights_of(chosen + "/checkpoints/final.gfm"));
  CHECK(weights_of(plain + "/checkpoints/latest.gfm") == weights_of(latest));
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
  write_postprocessing_report(file, choice, names, "best.gfm", 3);
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
