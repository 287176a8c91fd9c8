// What `graphflow compare` reads, and the command as a user runs it.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "apps/compare/read_rows.h"
#include "apps/metrics_log.h"
#include "tests/apps/program.h"
#include "tests/apps/sample_rows.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != text.npos);
  text.replace(at, from.size(), to);
}

// A run folder as train and distill leave it, as far as it is read.
void write_run(const std::string& folder, const std::string& config, const std::string& size, double dice) {
  fs::create_directories(folder + "/test");
  write_text(folder + "/config.toml",
             "[data]\nroot = \"somewhere/discs\"\nclass_names = [\"b\", \"x\", \"y\"]\n" + config);
  write_text(folder + "/env.json", R"({"graphflow": "0.1.0", "device": "cpu", "threads": "2"})");
  write_text(folder + "/test/summary.json",
             fmt::format(R"({{"foreground_mean": {{"Dice": {}, "IoU": 0.5, "HD95": null}}, "accuracy": 0.9,
 "protocol": {{"unit": "voxel", "name": "monai"}}}})",
                         dice));
  write_text(folder + "/test/per_case.csv",
             "case,class_id,class,status,dice,iou,hd95\n"
             "one,1,x,scored,0.5,0.4,3\none,2,y,scored,0.7,0.6,\ntwo,1,x,both_empty,,,\ntwo,2,y,missed,0,0,\n");
  write_text(
      folder + "/comparison.csv",
      "name,role,class,dice,iou,hd95,accuracy,parameters,macs,latency_ms\nteacher,teacher,mean,1,1,1,1,99,99,99\n" +
          size + "\nmirror,reference,mean,1,1,1,1,,,\n");
}

}  // namespace

TEST_CASE("a row file: every key is read, null is unknown, more keys are welcome") {
  const TemporaryFolder folder;
  std::string text =
      row_json("method", "kd-1", 4, 0.85, R"(, "method": "KD", "labelled": 20, "more": [1, {"x": null}])");
  write_text(folder / "row.json", text);
  const RunRow r = read_row_file(folder / "row.json");
  CHECK(r.role == ModelRole::distilled);
  CHECK(r.name() == "KD");
  CHECK(r.id == "kd-1");
  CHECK(r.experiment == "trial");
  CHECK(r.seed == 4);
  CHECK(r.labelled == 20);
  CHECK(r.train_cases == 81);
  CHECK(r.steps == 2000);
  CHECK(r.threads == 2);
  CHECK(r.parameters == 348996);
  CHECK(r.macs == 2.1e9);
  CHECK(r.macs_size == std::vector<std::int64_t>{256, 256});
  CHECK(r.latency_ms == 9.5);
  CHECK(r.train_seconds == 610.5);
  CHECK(r.distance_unit == "voxel");
  CHECK(r.test.means.size() == 2);  // no "cases", which is a count, and no "classes"
  CHECK(r.test.means.at("dice") == 0.85);
  CHECK(std::isnan(r.test.means.at("hd95")));
  REQUIRE(r.test.cases.size() == 2);
  CHECK(r.test.cases[1].id == "b");
  CHECK(r.test.cases[1].values.at("dice") == doctest::Approx(0.86));
  CHECK(r.validation.means.empty());

  const auto error_with = [&](const std::string& from, const std::string& to) {
    std::string broken = text;
    replace(broken, from, to);
    write_text(folder / "broken.json", broken);
    return error_of([&] { read_row_file(folder / "broken.json"); });
  };
  CHECK(contains(error_with("row 1", "row 2"), "expected \"format\": \"graphflow row 1\", found \"graphflow row 2\""));
  CHECK(contains(error_with("\"format\"", "\"formas\""), "3: not a row of an experiment"));
  CHECK(contains(error_with("done", "running"), "\"status\": expected done or failed, found running"));
  CHECK(contains(error_with("\"role\": \"method\"", "\"role\": \"boss\""), "boss"));
  CHECK(contains(error_with("\"seed\": 4", "\"seed\": \"4\""), "\"seed\": expected a whole number, found \"4\""));
  CHECK(contains(error_with("\"seed\": 4,", ""), "expected a whole number, found none"));
  CHECK(contains(error_with("\"method\": \"KD\"", "\"method\": null"), "\"method\": expected a text, found none"));
  CHECK(contains(error_with("\"latency_ms\": 9.5", "\"latency_ms\": true"), "a number or null"));
  CHECK(contains(error_with("[256, 256]", "256"), "\"macs_size\""));
  CHECK(contains(error_with("\"case\": \"b\"", "\"case\": \"a\""), "a twice"));
  CHECK(contains(error_with("\"case\": \"b\"", "\"cose\": \"b\""), "\"cases\""));
  write_text(folder / "torn.json", text.substr(0, 100));
  CHECK(contains(error_of([&] { read_row_file(folder / "torn.json"); }), "3: broken row: "));
}

TEST_CASE("a failed row keeps its reason and needs no numbers") {
  const TemporaryFolder folder;
  write_text(folder / "row.json",
             R"({"format": "graphflow row 1", "row": "x", "status": "failed", "error": "out of memory",
 "role": "teacher", "teacher": "FANet", "seed": 1})");
  const RunRow r = read_row_file(folder / "row.json");
  CHECK(r.failed);
  CHECK(r.error == "out of memory");
  CHECK(r.name() == "FANet");
}

TEST_CASE("runs are found in folders, once each") {
  const TemporaryFolder folder;
  write_sample_experiment(folder / "trial");
  CHECK(read_runs({folder / "trial"}).size() == 9);
  CHECK(read_runs({folder / "trial/rows"}).size() == 9);
  CHECK(read_runs({folder / "trial", folder / "trial/", folder / "trial/rows/kd-1.json"}).size() == 9);
  CHECK(contains(error_of([&] { read_runs({folder / "nowhere"}); }), "3: no such run"));
  fs::create_directories(folder / "empty/rows");
  CHECK(contains(error_of([&] { read_runs({folder / "empty"}); }), "3: the experiment has no rows yet"));
  fs::create_directories(folder / "other");
  CHECK(contains(error_of([&] { read_runs({folder / "other"}); }), "3: nothing to compare in this folder"));
  fs::copy(folder / "trial", folder / "copy", fs::copy_options::recursive);
  const std::string twice = error_of([&] { read_runs({folder / "trial", folder / "copy"}); });
  CHECK(contains(twice, "3: the same row twice"));
  CHECK(contains(twice, "copy/rows/alone-1.json"));
}

TEST_CASE("run folders: roles from their configurations, scores from what the report left") {
  const TemporaryFolder folder;
  const std::string runs = folder / "runs",
                    teacher = "[distill]\nteacher = \"" + runs + "/big/checkpoints/best.gfm\"\n";
  const std::string net = "[model]\narch = \"enet\"\n[train]\nmax_iterations = 50\n";
  write_run(runs + "/big", "[model]\narch = \"fanet\"\nwidth = 0.25\n[train]\nmax_iterations = 90\n",
            "fanet,student,mean,1,1,1,1,2400000,5000,20", 0.9);
  write_run(runs + "/small", net, "enet,student,mean,1,1,1,1,349000,1000,5", 0.8);
  write_run(runs + "/flow", net + teacher, "enet + Graph Flow,distilled,mean,1,1,1,1,349000,1000,5", 0.85);
  write_run(runs + "/flow2", net + teacher + "[distill.graph]\nedges = \"distance\"\n",
            "enet + Graph Flow,distilled,mean,1,1,1,1,349000,1000,5", 0.86);
  write_run(runs + "/flow/paraphraser", net, "x,student,mean,1,1,1,1,1,1,1", 0.1);
  fs::create_directories(runs + "/unfinished");
  write_text(runs + "/unfinished/config.toml", "[data]\nroot = \"somewhere/discs\"\n" + net + "seed = 2\n");

  const std::vector<RunRow> rows = read_runs({runs});
  REQUIRE(rows.size() == 5);  // by name: big, flow, flow2, small, unfinished; the paraphraser's is none
  const RunRow &big = rows[0], &flow = rows[1], &flow2 = rows[2], &small = rows[3], &unfinished = rows[4];
  CHECK(big.role == ModelRole::teacher);
  CHECK(big.teacher == "fanet x0.25");
  CHECK(big.parameters == 2.4e6);
  CHECK(big.steps == 90);
  CHECK(flow.role == ModelRole::distilled);
  CHECK(flow.name() == "Graph Flow");
  CHECK(flow.teacher == "fanet x0.25");
  CHECK(flow.student == "enet");
  CHECK(flow.dataset == "discs");
  CHECK(flow.latency_ms == 5);
  CHECK(flow2.name() == "Graph Flow (distill.graph.edges=\"distance\")");
  CHECK(small.role == ModelRole::student);
  CHECK(small.name() == "enet");
  CHECK(small.device == "cpu");
  CHECK(small.threads == 2);
  CHECK(small.distance_unit == "voxel");
  CHECK(small.protocol == "monai");
  CHECK(small.test.means.at("dice") == 0.8);
  CHECK(small.test.means.at("accuracy") == 0.9);
  CHECK(std::isnan(small.test.means.at("hd95")));
  REQUIRE(small.test.cases.size() == 2);
  CHECK(small.test.cases[0].values.at("dice") == doctest::Approx(0.6));  // over both classes
  CHECK(small.test.cases[0].values.at("hd95") == 3);                     // over the one where it is known
  CHECK(small.test.cases[1].values.at("dice") == 0);
  CHECK(unfinished.failed);
  CHECK(contains(unfinished.error, "has not ended"));

  // Nothing distilled: the largest is the teacher, and where a run has not ended nobody is.
  CHECK(read_runs({runs + "/small", runs + "/big"})[1].role == ModelRole::teacher);
  CHECK(read_runs({runs + "/small", runs + "/big", runs + "/unfinished"})[1].role == ModelRole::student);
  write_text(runs + "/small/test/summary.json", "{");
  CHECK(contains(error_of([&] { read_runs({runs}); }), "3: broken file of a run"));
}

TEST_CASE("run folders: training time from the steps that were logged") {
  const TemporaryFolder folder;
  const std::string run_folder = folder / "run";
  write_run(run_folder, "[model]\narch = \"enet\"\n", "enet,student,mean,1,1,1,1,349000,1000,5", 0.8);
  const auto seconds = [&] { return read_runs({run_folder})[0].train_seconds; };
  CHECK(std::isnan(seconds()));
  write_text(run_folder + "/metrics.csv", "step,loss\n1,2\n");  // of a version that did not tell
  CHECK(std::isnan(seconds()));

  // Every tenth step and those that measured gradient shares, 1 and 25; step 20 was validated, and the last line torn.
  write_text(run_folder + "/metrics.csv",
             "step,loss,seconds,share_ce,val_dice\n1,2,5,0.5,\n10,1,0.5,,\n20,1,0.25,,\n20,,,,0.5\n25,1,2,0.7,\n"
             "30,1,0.5,,\n40,1,0.75,,\n40,,,,0.6\n41,1,9");
  CHECK(seconds() == doctest::Approx(5 + 0.5 + 0.25 + 2 + 0.5 + 0.75 + 34 * 0.5));
  const Outcome o = run("compare " + run_folder);
  CHECK_MESSAGE(contains(o.text, "| enet alone |    349.0 k | 1.00 k |         5.0 |     26 s |"), o.text);

  // A resumed run: steps made again count once.
  {
    MetricsLog log = MetricsLog::create(run_folder, {"seconds"});
    for (const std::int64_t step : {1, 2, 3, 4}) log.append(step, {{"seconds", 2}});
  }
  {
    MetricsLog log = MetricsLog::resume(run_folder, {"seconds"}, 2);
    for (const std::int64_t step : {3, 4, 5}) log.append(step, {{"seconds", 3}});
  }
  CHECK(seconds() == doctest::Approx(2 + 2 + 3 + 3 + 3));
}

TEST_CASE("graphflow compare prints, writes and says what is wrong") {
  const TemporaryFolder folder;
  write_sample_experiment(folder / "trial");
  Outcome o = run("compare " + folder / "trial");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "| KD                   | +0.0500 | 0.5000 |  0.5000 |     2 |       50 % |"));
  for (const char* name : {".html", ".md", ".tex", ".csv", "_cases.csv"})
    CHECK_MESSAGE(fs::exists(folder / "trial/comparison" + name), name);
  CHECK(contains(o.text, read_text(folder / "trial/comparison.md")));

  o = run("compare " + folder / "trial/rows/kd-1.json");
  CHECK(o.code == 0);
  CHECK(contains(o.text, "ENet alone is missing"));
  CHECK(contains(o.text, "nothing written"));
  CHECK(run("compare " + folder / "trial" + " -o " + folder / "a/b --metric dice").code == 0);
  CHECK(fs::exists(folder / "a/b/comparison.html"));
  CHECK(run("compare").code == 2);
  CHECK(run("compare " + folder / "trial --metric nothing").code == 2);
  CHECK(run("compare " + folder / "trial --split train").code == 2);
  CHECK(run("compare " + folder / "trial --split val").code == 3);
  CHECK(run("compare " + folder / "nowhere").code == 3);
  CHECK(contains(run("compare --help").text, "graphflow compare runs/"));
}
