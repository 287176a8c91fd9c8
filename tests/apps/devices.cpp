// Devices, self-test and benchmarks from the command line.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/png.h"
#include "tests/apps/fixtures.h"
#include "tests/apps/program.h"
#include "tests/harness/discs.h"

using namespace gf;
using namespace gf::test;

namespace {

// Files of a folder's masks that differ.
int different_masks(const std::string& a, const std::string& b) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(a)) {
    const std::string name = entry.path().filename().string();
    count += read_png_mask(a + "/" + name).values != read_png_mask(b + "/" + name).values;
  }
  return count;
}

}  // namespace

TEST_CASE("a run on simt: trained, resumed on cpu, and its predictions those of cpu") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), run_folder = t.path() + "/run";
  Outcome o = run("train -q -c " + config + " --device simt --set model.width=0.1 --set train.max_iterations=4 -o " +
                  run_folder);
  INFO(o.text);
  REQUIRE(o.code == 0);
  CHECK(o.text.find("device simt") != std::string::npos);
  CHECK(read_text(run_folder + "/env.json").find("simt") != std::string::npos);
  const std::string model = run_folder + "/checkpoints/final.gfm";
  for (const char* device : {"cpu", "simt:3"}) {
    o = run("predict -m " + model + " --device " + device + " -i " + t.path() + "/data/images -o " + t.path() + "/" +
            device);
    CHECK_MESSAGE(o.code == 0, o.text);
  }
  CHECK(different_masks(t.path() + "/cpu", t.path() + "/simt:3") == 0);
}

TEST_CASE("--amp bf16: refused on cpu, trains on simt, its checkpoint predicts in float32 anywhere") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), run_folder = t.path() + "/run";
  const std::string small = " --set model.width=0.1 --set train.max_iterations=3 -o " + run_folder;
  Outcome o = run("train -q -c " + config + " --amp bf16 --device cpu" + small);
  CHECK(o.code == 2);
  CHECK(o.text == "graphflow: error: --amp bf16 needs --device cuda or simt\n");
  o = run("train -q -c " + config + " --amp bf16 --device simt" + small);
  INFO(o.text);
  REQUIRE(o.code == 0);
  CHECK(read_text(run_folder + "/config.toml").find("amp = \"bf16\"") != std::string::npos);
  const std::string model = run_folder + "/checkpoints/final.gfm";
  CHECK(run("info " + model).text.find("bf16") == std::string::npos);  // weights are float32
  for (const char* device : {"cpu", "simt:3"}) {
    o = run("predict -m " + model + " --device " + device + " -i " + t.path() + "/data/images -o " + t.path() + "/" +
            device);
    CHECK_MESSAGE(o.code == 0, o.text);
  }
  CHECK(different_masks(t.path() + "/cpu", t.path() + "/simt:3") == 0);
}

TEST_CASE("selftest --dtype bf16: on simt, not on cpu") {
  const Outcome o = run("selftest --device simt --dtype bf16 --family pooling");
  INFO(o.text);
  CHECK(o.code == 0);
  CHECK(o.text.find("checks passed on simt in bf16") != std::string::npos);
  CHECK(run("selftest --device cpu --dtype bf16").code == 2);
}

TEST_CASE("selftest: a family on a device, its table as JSON, and what is not there") {
  const TemporaryFolder t;
  const std::string file = t.path() + "/selftest.json";
  const Outcome o = run("selftest --device simt --family resize --json " + file);
  INFO(o.text);
  CHECK(o.code == 0);
  CHECK(o.text.find("checks passed on simt") != std::string::npos);
  const nlohmann::json document = nlohmann::json::parse(read_text(file));
  REQUIRE(document["families"].size() == 1);
  CHECK(document["families"][0]["family"] == "resize");
  CHECK(document["families"][0]["checks"] > 100);
  CHECK(document["families"][0]["failures"].empty());
  CHECK(run("selftest --list").text.find("batch norm") != std::string::npos);
  CHECK(run("selftest --family nonsense").code == 2);
}

TEST_CASE("bench: a kernel and a step, and what does not fit") {
  const TemporaryFolder t;
  const std::string file = t.path() + "/bench.json";
  Outcome o = run("bench kernels --filter variation_graph --json " + file);
  CHECK_MESSAGE(o.code == 0, o.text);
  const nlohmann::json kernels = nlohmann::json::parse(read_text(file));
  CHECK(kernels["copy_gbs"] > 0.1);
  CHECK(kernels["ops"].size() == 1);
  CHECK(kernels["ops"][0]["forward"]["median_ms"] > 0);
  CHECK(run("bench kernels --filter nonsense").code == 2);
  for (const char* filter : {"'graph_flow forward'", "adam_step", "'paraphraser: narrow'"}) {
    CAPTURE(filter);
    o = run("bench kernels --filter " + std::string(filter) + " --json " + file);
    CHECK_MESSAGE(o.code == 0, o.text);
    CHECK(nlohmann::json::parse(read_text(file))["ops"].size() == 1);  // the hand-written one has no CPU body
  }

  o = run("bench step --network mobile_unet --width 0.1 --batch 1 --size 32 --steps 2 --json " + file);
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(nlohmann::json::parse(read_text(file))["median_ms"] > 0);
  CHECK(run("bench step --network mobile_unet --size 33").code == 2);
  for (const char* task : {"distill", "graph_flow"}) {
    CAPTURE(task);
    o = run("bench step --width 0.1 --teacher-width 0.1 --batch 1 --size 32 --steps 2 --json " + file + " --task " +
            task);
    CHECK_MESSAGE(o.code == 0, o.text);
    CHECK(nlohmann::json::parse(read_text(file))["task"] == task);
  }
}
