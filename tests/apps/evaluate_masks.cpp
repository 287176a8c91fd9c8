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

TEST_CASE("evaluate: millimetres of pictures, by hand") {
  const TemporaryFolder t;
  const std::string truth = t.path() + "/g/a.png", prediction = t.path() + "/p/a.png", out = t.path() + "/out";
  write_mask(truth, square(4, 4, 10));
  write_mask(prediction, square(4, 6, 10));  // two columns to the right
  const auto distances = [&](const std::string& arguments) {
    const Outcome o = run("evaluate -g " + truth + " -p " + prediction + " -o " + out + " " + arguments);
    REQUIRE_MESSAGE(o.code == 0, o.text);
    const CsvTable table = CsvTable::read(out + "/per_case.csv");
    std::string text;
    for (const char* column : {"hd", "hd95", "assd", "nsd"}) text += table.at(0, table.column(column)) + " ";
    return text + read_json(out + "/summary.json")["protocol"]["unit"].get<std::string>() +
           (contains(o.text, "Distances in mm.") ? " mm" : " voxel");
  };
  // Of the 36 border pixels 10 of the left column are 2 columns away, the 2 beside its ends 1 column; of the 8 left in
  // the right column the middle 6 are 2 columns from the other border, the outer 2 one row; the other 16 lie on it.
  CHECK(distances("--nsd-tolerance 2") == "2.000000 2.000000 1.000000 1.000000 voxel voxel");
  // A pixel of 0.5 mm height, 0.25 mm width: 2 columns are 0.5 mm, as is one row. (10*.5 + 2*.25 + 8*.5) / 36.
  CHECK(distances("--spacing 0.5,0.25 --nsd-tolerance 0.5") == "0.500000 0.500000 0.263889 1.000000 mm mm");
  // Twice the width: 2 columns are 1 mm, and only rows are nearer. (10*1 + 2*.5 + 2*.5 + 6*1) / 36.
  CHECK(distances("--spacing 0.5 --nsd-tolerance 1") == "1.000000 1.000000 0.500000 1.000000 mm mm");
  CHECK(distances("--set eval.spacing=[0.5,0.25] --nsd-tolerance 0.5") == "0.500000 0.500000 0.263889 1.000000 mm mm");
  CHECK(distances("--spacing 0.5,0.5 --set eval.distance=mm --protocol standard --nsd-tolerance 1") ==
        "1.000000 1.000000 0.500000 1.000000 mm mm");

  const auto refuse = [&](const std::string& arguments, const std::string& said) {
    const Outcome o = run("evaluate " + arguments);
    INFO(arguments << "\n" << o.text);
    CHECK(o.code == 2);
    CHECK(contains(o.text, said));
  };
  const std::string files = "-g " + truth + " -p " + prediction;
  refuse(files + " --set eval.distance=mm", "the size of a pixel is not known");
  for (const char* bad : {"0", "-1,1", "inf"})
    refuse(files + " --spacing=" + bad, "value out of range for eval.spacing");
  refuse(files + " --spacing=1,2,3", "expected HEIGHT,WIDTH in mm or one number");
  refuse(files + " --spacing 0.5 --protocol transunet", "add --set eval.distance=mm");
  refuse(files + " --spacing 0.5 --protocol gastric --set eval.gastric_crop=none", "this protocol has no distances");
  refuse(files + " --spacing 0.5 --set eval.distance=voxel", "--spacing would change nothing");
  const std::string volume = std::string(GF_SOURCE_DIR) + "/tests/golden/nifti_small_u8.nii.gz";
  refuse("-g " + volume + " -p " + volume + " --spacing 1", "eval.spacing (--spacing) is for pictures");
}

TEST_CASE("evaluate: the call that is proposed for labels that are no classes scores them") {
  const TemporaryFolder t;
  const std::string folders = "evaluate -g " + t.path() + "/g -p " + t.path() + "/p";
  const auto proposed = [&] {
    const Outcome o = run(folders);
    INFO(o.text);
    CHECK(o.code == 3);
    const std::size_t begin = o.text.find("--set data.label_map="),
                      end = o.text.find_first_of(",\n", o.text.find('}', begin));
    REQUIRE(begin != o.text.npos);
    return o.text.substr(begin, end - begin);
  };
  const auto scores = [&](const std::string& call) {
    const Outcome o = run(folders + " " + call);
    CHECK_MESSAGE(o.code == 0, o.text);
    CHECK(contains(o.text, "| 1.0000 |"));
  };
  write_mask(t.path() + "/g/a.png", square(4, 4, 10, 255));
  write_mask(t.path() + "/p/a.png", square(4, 4, 10, 1));  // what graphflow predict writes
  CHECK(proposed() == "--set data.label_map='{ 255 = 1 }' --class-ids");
  scores(proposed());
  const Outcome o = run(folders + " --set data.label_map='{ 255 = 1 }'");
  CHECK(o.code == 3);
  CHECK_MESSAGE(contains(o.text, "add --class-ids"), o.text);
  write_mask(t.path() + "/p/a.png", square(4, 4, 10, 255));
  CHECK(proposed() == "--set data.label_map='{ 255 = 1 }'");
  scores(proposed());
  Mask both = square(4, 4, 10, 255);
  both.at(20, 20) = 128;
  write_mask(t.path() + "/g/a.png", both);
  write_mask(t.path() + "/p/a.png", both);
  CHECK(proposed() == "--set data.label_map='{ 128 = 1, 255 = 2 }'");
  scores(proposed());
}

TEST_CASE("evaluate: names that are no UTF-8, and an output that cannot be written") {
  const TemporaryFolder t;
  write_mask(t.path() + "/g/caf\xe9.png", square(4, 4, 10));
  write_mask(t.path() + "/p/caf\xe9.png", square(4, 4, 10));
  const std::string folders = "evaluate -g " + t.path() + "/g -p " + t.path() + "/p";
  Outcome o = run(folders + " -o " + t.path() + "/out");
  CHECK_MESSAGE(o.code == 0, o.text);
  const CsvTable table = CsvTable::read(t.path() + "/out/per_case.csv");
  CHECK(table.at(0, table.column("case")) == "caf\xEF\xBF\xBD");
  CHECK(contains(read_json(t.path() + "/out/summary.json")["metric_per_case"][0]["reference_file"].get<std::string>(),
                 "/g/caf\xEF\xBF\xBD.png"));

  // Before a mask is scored: the table is not printed.
  o = run(folders + " --tex " + t.path() + "/missing/scores.tex");
  CHECK_MESSAGE(o.code == 1, o.text);
  CHECK(contains(o.text, "cannot create file: " + t.path() + "/missing/scores.tex"));
  CHECK_FALSE(contains(o.text, "Dice"));
  write_text(t.path() + "/taken", "");
  o = run(folders + " -o " + t.path() + "/taken");
  CHECK_MESSAGE(o.code == 1, o.text);
  CHECK_FALSE(contains(o.text, "Dice"));
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
