// graphflow evaluate -g -p: folders of masks without a model, as a user runs it.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/csv.h"
#include "data/png.h"
#include "tests/apps/program.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

Mask square(std::int64_t y, std::int64_t x, std::int64_t side, std::int32_t label = 1) {
  Mask m(32, 40);
  for (std::int64_t i = y; i < y + side; ++i)
    for (std::int64_t j = x; j < x + side; ++j) m.at(i, j) = label;
  return m;
}

void write_mask(const std::string& path, const Mask& m) {
  fs::create_directories(fs::path(path).parent_path());
  write_png_mask(path, m);
}

nlohmann::json read_json(const std::string& path) { return nlohmann::json::parse(read_text(path)); }

}  // namespace

TEST_CASE("evaluate: two folders of masks") {
  const TemporaryFolder t;
  const std::string truth = t.path() + "/truth", prediction = t.path() + "/prediction", out = t.path() + "/scores";
  write_mask(truth + "/a.png", square(4, 4, 10));
  write_mask(prediction + "/a.png", square(4, 6, 10));  // Dice .8
  write_mask(truth + "/b.png", square(8, 8, 6));
  write_mask(prediction + "/b.png", Mask(32, 40));  // missed
  write_mask(truth + "/c.png", Mask(32, 40));
  write_mask(prediction + "/c.png", square(1, 1, 3));  // false alarm
  const std::string folders = "evaluate -g " + truth + " -p " + prediction;

  Outcome o = run(folders + " -o " + out + " --tex " + t.path() + "/scores.tex");
  INFO(o.text);
  CHECK(o.code == 0);
  for (const char* text : {"Protocol standard", "mean per case", "pooled over pixels", "NSD@2voxel", "| 0.2667 |",
                           "missed", "false alarm"})
    CHECK_MESSAGE(contains(o.text, text), text);
  const nlohmann::json j = read_json(out + "/summary.json");
  CHECK(j["foreground_mean"]["Dice"].get<double>() == doctest::Approx(0.8 / 3));
  CHECK(j["counts"]["1"]["missed"] == 1);
  CHECK(j["counts"]["1"]["false_alarm"] == 1);
  CHECK(j["metric_per_case"][0]["reference_file"] == truth + "/a.png");
  CHECK(j["protocol"]["unit"] == "voxel");
  const CsvTable cases = CsvTable::read(out + "/per_case.csv");
  CHECK(cases.at(0, cases.column("hd95")) == "2.000000");
  const std::string tex = read_text(t.path() + "/scores.tex");
  CHECK(contains(tex, "\\begin{tabular}"));
  CHECK(contains(tex, "HD95 greater"));

  // The same masks, other numbers: TransUNet's "1, 0" for a false alarm, MONAI leaves it out.
  CHECK(run(folders + " --protocol transunet -o " + out).code == 0);
  CHECK(read_json(out + "/summary.json")["foreground_mean"]["Dice"].get<double>() == doctest::Approx(1.8 / 3));
  CHECK(read_json(out + "/summary.json")["counts"]["1"]["hd95_n"] == 3);
  CHECK(run(folders + " --protocol monai -o " + out).code == 0);
  CHECK(read_json(out + "/summary.json")["foreground_mean"]["Dice"].get<double>() == doctest::Approx(0.8 / 2));
  o = run(folders + " --protocol gastric --set eval.gastric_crop=none -o " + out);
  CHECK(o.code == 0);
  CHECK(!contains(o.text, "HD95"));
  CHECK(contains(o.text, "Only") == false);
  o = run(folders + " --nsd-tolerance 0.5 --set eval.distance=voxel");
  CHECK_MESSAGE(contains(o.text, "NSD@0.5voxel"), o.text);

  // One pair that does not fit and one that is not there: the rest is scored, exit code 4.
  write_mask(truth + "/d.png", square(4, 4, 10));
  write_mask(prediction + "/d.png", Mask(8, 8));
  write_mask(truth + "/e.png", square(4, 4, 10));
  o = run(folders + " -o " + out);
  INFO(o.text);
  CHECK(o.code == 4);
  CHECK(contains(o.text, "prediction/d.png: expected 40x32, found 8x8"));
  CHECK(contains(o.text, "no prediction for " + truth + "/e.png"));
  CHECK(contains(o.text, "3 cases, 2 failed"));
  const nlohmann::json failed = read_json(out + "/summary.json")["failed"];
  REQUIRE(failed.size() == 2);
  CHECK(failed[0]["case"] == "e");
  CHECK(failed[1]["case"] == "d");

  // Alone it is the error itself.
  o = run("evaluate -g " + truth + "/d.png -p " + prediction + "/d.png");
  CHECK(o.code == 3);
  CHECK(contains(o.text, "differ in size"));
}

TEST_CASE("evaluate: classes from dataset.json, by name, by number, labels that are no classes") {
  const TemporaryFolder t;
  const std::string truth = t.path() + "/data/labelsTs", prediction = t.path() + "/p";
  write_mask(truth + "/a.png", square(4, 4, 10, 2));
  write_mask(prediction + "/a.png", square(4, 4, 10, 2));
  const std::string folders = "evaluate -g " + truth + " -p " + prediction;
  write_text(t.path() + "/data/dataset.json", R"({"labels": {"background": 0, "liver": 1, "spleen": 2}})");
  Outcome o = run(folders);
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "| liver "));
  CHECK(contains(o.text, "| spleen "));
  o = run(folders + " --classes left,right");
  CHECK(o.code == 0);
  CHECK(contains(o.text, "| right "));
  o = run(folders + " --classes 1");
  CHECK(o.code == 3);
  CHECK_MESSAGE(contains(o.text, "label value without a class: 2"), o.text);
  fs::remove(t.path() + "/data/dataset.json");
  o = run(folders);
  CHECK(o.code == 0);
  CHECK(contains(o.text, "| 2 "));

  write_mask(truth + "/a.png", square(4, 4, 10, 255));
  o = run(folders);
  CHECK(o.code == 3);
  CHECK_MESSAGE(contains(o.text, "data.label_map='{ 255 = 1 }'"), o.text);
  write_mask(prediction + "/a.png", square(4, 4, 10, 1));
  o = run(folders + " --set data.label_map='{ 255 = 1 }' --class-ids");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "| 1.0000 |"));
}

TEST_CASE("evaluate: mistakes in the call") {
  const TemporaryFolder t;
  write_mask(t.path() + "/g/a.png", square(4, 4, 10));
  fs::create_directories(t.path() + "/empty");
  const auto refuse = [&](const std::string& arguments, int code, const std::string& text) {
    const Outcome o = run("evaluate " + arguments);
    INFO(arguments << "\n" << o.text);
    CHECK(o.code == code);
    CHECK(contains(o.text, text));
  };
  const std::string g = "-g " + t.path() + "/g", both = g + " -p " + t.path() + "/g";
  refuse("", 2, "either -m MODEL, or -g TRUTH and -p PREDICTION");
  refuse(g, 2, "either -m MODEL");
  refuse(both + " -m x.gfm", 2, "either -m MODEL");
  refuse("-m x.gfm --classes a", 2, "--classes");
  refuse(both + " --protocol medpy", 2, "standard, transunet, gastric, nnunet, monai");
  refuse(both + " --classes a,b,c --nsd-tolerance 1,2", 2, "eval.nsd_tolerance");
  refuse(both + " --set eval.protocl=monai", 2, "did you mean");
  refuse(g + " -p " + t.path() + "/empty", 3, "no masks in the folder");
  refuse(both + " --protocol gastric --set eval.gastric_crop=authors_exact", 3, "multiple of 256");
}
