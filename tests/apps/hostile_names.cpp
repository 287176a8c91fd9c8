// Model files, run folders and data sets of strangers whose names and settings point out of the folders that the user
// named: whatever the program makes of them, nothing is written there.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/experiment_plan.h"
#include "data/hdf5.h"
#include "distill/model_file.h"
#include "engine/io/checkpoint.h"
#include "engine/io/safetensors.h"
#include "tests/apps/disc_model.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

const std::string kName = "../../victim/x";

// Every path of a folder with size and time, but for what lies in these.
std::set<std::string> state_of(const std::string& root, const std::vector<std::string>& but_for) {
  std::set<std::string> state;
  for (const fs::directory_entry& e : fs::recursive_directory_iterator(root)) {
    const std::string path = e.path().string();
    if (std::any_of(but_for.begin(), but_for.end(), [&](const std::string& f) { return path.starts_with(f); }))
      continue;
    state.insert(path + (e.is_regular_file() ? " " + std::to_string(e.file_size()) + " " +
                                                   std::to_string(e.last_write_time().time_since_epoch().count())
                                             : ""));
  }
  return state;
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  std::size_t n = 0;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()), ++n)
    text.replace(at, from.size(), to);
  REQUIRE_MESSAGE(n > 0, from);
}

// Files of a stranger in a folder of their own, beside a folder that must stay as it is.
struct Stranger {
  TemporaryFolder t;
  std::string victim = t / "victim", model_file = t / "models/evil.gfm", config = t / "evil.toml";

  Stranger() {
    for (const char* folder : {"victim", "models", "deep/run"}) fs::create_directories(t / folder);
    const NetworkFile good = load_network(model().file);
    CheckpointState state;
    state.entries = changed(good.entries);
    save_checkpoint(model_file, *good.network, nullptr, state);
    write_text(config, state.entries.at("config"));
  }

  // As a file made for this: classes and metrics called like paths, a configuration that works elsewhere.
  FileEntries changed(FileEntries entries) const {
    entries["class.1"] = kName;
    entries["metric." + kName] = "1";
    entries["run.dir"] = entries["output.dir"] = entries["output"] = victim;
    entries["version"] = kName;
    entries["config"] = hostile(entries.at("config"));
    return entries;
  }
  std::string hostile(std::string toml) const {
    replace(toml, "\"disc\"", "\"" + kName + "\"");
    replace(toml, model().folder / "run", victim);
    return toml;
  }

  // Runs it and says what changed elsewhere than in these folders.
  Outcome runs(const std::string& arguments, const std::vector<std::string>& named, int code = 0) const {
    const std::set<std::string> before = state_of(t.path(), named), data = state_of(model().folder.path(), {});
    const Outcome o = run(arguments);
    CHECK_MESSAGE(o.code == code, arguments, "\n", o.text);
    const std::set<std::string> after = state_of(t.path(), named);
    CHECK_MESSAGE(before == after, arguments);
    CHECK_MESSAGE(data == state_of(model().folder.path(), {}), arguments);
    return o;
  }
};

}  // namespace

TEST_CASE("hostile names in a model's file: predict, evaluate, postprocess and export write where they were told to") {
  const Stranger s;
  const std::string out = s.t / "deep/out";
  s.runs("predict -m " + s.model_file + " -i " + model().images + " -o " + out +
             " --preview --save-probabilities --statistics --report",
         {out});
  CHECK(contains(read_text(out + "/statistics.csv"), kName + ","));  // a word in a table
  s.runs("evaluate -m " + s.model_file + " -o " + out + " --tex " + out + "/t.tex", {out});
  CHECK(contains(read_text(out + "/per_class.csv"), kName));
  s.runs("export -m " + s.model_file + " -o " + out + "/x.onnx --size 64x64", {out});
  s.runs("postprocess " + s.model_file, {s.t / "models/"});
}

TEST_CASE("hostile names in a model's file: training from it and distilling it write into the run folder") {
  const Stranger s;
  const std::string run_folder = s.t / "deep/run", few = " -q --set train.max_iterations=2 --set train.eval_every=2";
  const std::string from = " -c " + s.config + few + " -o " + run_folder;
  s.runs("distill --set distill.method=kd --teacher " + s.model_file + from, {run_folder});
  CHECK(contains(read_text(run_folder + "/config.toml"), kName));
  s.runs("paraphrase --overwrite --set paraphrase.max_iterations=2 --teacher " + s.model_file + from, {run_folder});
  s.runs("train --overwrite --init " + s.model_file + from, {run_folder});

  // Weights whose tensors are called like files elsewhere.
  const SafetensorsFile file(s.model_file);
  std::vector<TensorToWrite> tensors;
  const std::vector<float> one{1};
  for (const std::string& name : {kName, s.victim + "/y", std::string("..")})
    tensors.push_back(to_write(name, {1}, std::span<const float>(one)));
  std::vector<std::vector<float>> kept;
  for (const FileTensor& t : file.tensors()) {
    kept.push_back(file.floats(t.name));
    const std::string prefix = "model.";
    tensors.push_back(to_write(t.name.starts_with(prefix) ? t.name.substr(prefix.size()) : t.name, t.shape,
                               std::span<const float>(kept.back())));
  }
  write_safetensors(s.t / "models/w.safetensors", std::move(tensors), {{"output.dir", s.victim}});
  s.runs("train --overwrite --set model.init_strict=false --init " + (s.t / "models/w.safetensors") + from,
         {run_folder});
  CHECK(contains(read_text(run_folder + "/initial_weights.txt"), kName));
}

TEST_CASE("hostile names in a stranger's run folder: resume, report, compare and preview stay in it") {
  const Stranger s;
  const std::string run_folder = s.t / "deep/run", latest = run_folder + "/checkpoints/latest.gfm";
  fs::copy(model().folder / "run", run_folder, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  write_text(run_folder + "/config.toml", s.hostile(read_text(run_folder + "/config.toml")));
  for (const auto& [key, value] : s.changed(read_checkpoint_state(latest).entries))
    replace_checkpoint_entries(latest, key, {{key, value}}, checkpoint_checksum(latest));
  REQUIRE(read_checkpoint_state(latest).entries.at("class.1") == kName);
  std::string record = read_text(run_folder + "/report.json");
  replace(record, "\"run_folder\": \".\"", "\"run_folder\": \"" + s.victim + "\"");
  write_text(run_folder + "/report.json", record);

  s.runs("train -q --resume --set train.max_iterations=14 -o " + run_folder, {run_folder});
  CHECK(contains(read_text(run_folder + "/metrics.csv"), "\n14,"));
  s.runs("report " + run_folder, {run_folder});
  s.runs("compare " + run_folder + " -o " + run_folder, {run_folder});
  s.runs("preview " + run_folder + " -n 2 -o " + run_folder + "/sheet.png", {run_folder});
}

TEST_CASE("hostile names in the lists of a data set: convert writes no case elsewhere") {
  const Stranger s;
  // Read from here, and written as far above OUT/label, this is one file.
  const std::string data = s.t / "in/a/data", name = "../../../../in/a/data/test_vol_h5/case0001";
  fs::create_directories(data + "/test_vol_h5");
  fs::create_directories(data + "/train_npz");
  std::vector<float> image(3 * 64), label(image.size(), 5);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i % 7) / 7;
  write_hdf5(data + "/test_vol_h5/case0001.npy.h5", {{"image", {3, 8, 8}, image}, {"label", {3, 8, 8}, label}});
  fs::create_directories(data + "/lists_Synapse");
  write_text(data + "/lists_Synapse/train.txt", "");
  write_text(data + "/lists_Synapse/test_vol.txt", "case0001\n");
  const std::string out = s.t / "out", command = "convert -i " + data + " -o " + out + " --to nifti";
  s.runs(command, {out});
  CHECK(fs::exists(out + "/label/label0001.nii.gz"));
  fs::remove_all(out);
  write_text(data + "/lists_Synapse/test_vol.txt", name + "\n");
  REQUIRE(fs::exists(data + "/test_vol_h5/" + name + ".npy.h5"));
  const Outcome o = s.runs(command, {out}, 3);
  CHECK_MESSAGE(contains(o.text, "the list leads to another folder: " + data + "/lists_Synapse/test_vol.txt line 1"),
                o.text);
  CHECK(contains(o.text, name));
}

TEST_CASE("hostile names in an experiment: a folder above is no name") {
  const TemporaryFolder t;
  const std::string file = t / "e.toml";
  for (const std::string name : {"..", ".", "...", "/..", "../"}) {
    write_text(file, "[[student]]\nname = \"" + name + "\"\nmodel.arch = \"enet\"\n");
    CHECK(contains(error_of([&] { load_experiment(file); }), "without a name"));
    write_text(file, "name = \"" + name + "\"\n[[student]]\nname = \"ENet\"\nmodel.arch = \"enet\"\n");
    CHECK(load_experiment(file).output == "runs/");
  }
  write_text(file, "name = \"../../x\"\n[[student]]\nname = \"../../ENet v1.0\"\nmodel.arch = \"enet\"\n");
  const ExperimentFile e = load_experiment(file);
  for (const std::string& slug : {e.output.substr(5), e.students.at(0).slug})
    CHECK_MESSAGE(slug.find('/') == std::string::npos, slug);
}
