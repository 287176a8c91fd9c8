// What graphflow predict and evaluate say in files: post-processing in force, names that are no UTF-8, the truth's
// file.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/io/json_text.h"
#include "tests/apps/disc_model.h"
#include "tests/apps/fixtures.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

TEST_CASE("predict: the page says what cleaned the masks, and is UTF-8 as is the table") {
  const TemporaryFolder t;
  fs::create_directories(t / "in");
  fs::copy_file(first_image(), t / "in/caf\xe9.png");
  write_text(t / "clean.json",
             R"({"format": "graphflow postprocess 1", "classes": {"disc": {"largest_component": true}}})");
  const std::string command = model().predict("-i " + (t / "in") + " -o " + (t / "out") + " --report --statistics");
  Outcome o = run(command + " --postprocess " + (t / "clean.json"));
  REQUIRE_MESSAGE(o.code == 0, o.text);
  const std::string page = read_text(t / "out/predictions.html"), table = read_text(t / "out/statistics.csv");
  CHECK(contains(page, "post-processing: disc: largest component"));
  CHECK(valid_utf8(std::string_view(page)));
  CHECK(valid_utf8(std::string_view(table)));
  CHECK(contains(table, "caf\xEF\xBF\xBD.png,disc,"));
  REQUIRE(run(command).code == 0);
  CHECK(contains(read_text(t / "out/predictions.html"), "post-processing: none"));
}

TEST_CASE("evaluate: a model's summary names the truth, millimetres of pictures are refused, outputs are tried first") {
  const TemporaryFolder t;
  const std::string command = "evaluate -m " + model().file;
  Outcome o = run(command + " -o " + (t / "out"));
  REQUIRE_MESSAGE(o.code == 0, o.text);
  const auto cases = nlohmann::json::parse(read_text(t / "out/summary.json"))["metric_per_case"];
  REQUIRE(!cases.empty());
  for (const auto& c : cases) {
    const std::string truth = c["reference_file"];
    CHECK(contains(truth, "/data/masks/"));
    CHECK(fs::exists(truth));
    CHECK(c["prediction_file"] == "");
  }
  o = run(command + " --set eval.distance=mm");
  CHECK_MESSAGE(o.code == 2, o.text);
  CHECK(contains(o.text, "the size of a pixel is not known"));
  o = run(command + " --tex " + (t / "missing/scores.tex"));
  CHECK_MESSAGE(o.code == 1, o.text);
  CHECK_FALSE(contains(o.text, "Dice"));
  write_text(t / "taken", "");
  fs::create_directories(t / "run/checkpoints");
  fs::copy_file(model().file, t / "run/checkpoints/best.gfm");
  fs::create_directories(t / "run/postprocess.json");  // a folder in the report's place
  o = run("postprocess " + (t / "run"));
  CHECK_MESSAGE(o.code == 1, o.text);
  CHECK(contains(o.text, "cannot write file: " + (t / "run/postprocess.json")));
  CHECK_FALSE(contains(o.text, "before"));  // the table of what was tried
}
