// graphflow report: the page of a run folder, whatever state the run is in.
#include "apps/run_page.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/report/html_report.h"
#include "tests/apps/program.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kConfig =
    "[data]\nlayout = \"nifti_cases\"\nclass_names = [\"background\", \"front\", \"back\"]\n"
    "[model]\narch = \"enet\"\n[train]\nmax_iterations = 50\n";

// As a run of before report.json, overlays.json and intervals left it.
void write_old_run(const std::string& folder, const std::string& cases) {
  fs::create_directories(folder + "/test");
  fs::create_directories(folder + "/checkpoints");
  write_text(folder + "/config.toml", kConfig);
  write_text(folder + "/env.json", R"({"graphflow": "0.0.9", "threads": "2"})");
  write_text(folder + "/metrics.csv", "step,loss,val_dice\n10,1.5,\n20,1.25,0.5\n");
  write_text(folder + "/comparison.csv",
             "name,role,class,dice,iou,hd95,accuracy,parameters,macs,latency_ms\n"
             "enet,student,background,0.9,0.8,1,,,,\nenet,student,front,0.41,0.3,2,,,,\n"
             "enet,student,back,0.43,0.3,3,,,,\nenet,student,mean,0.42,0.3,2.5,0.95,348996,2.1e9,7.25\n");
  write_text(folder + "/test/summary.json",
             R"({"foreground_mean": {"Dice": 0.5}, "class_names": ["background", "front", "back"],
 "protocol": {"unit": "voxel", "notes": ["A note of the protocol."]}, "metric_per_case": [)" +
                 cases + "]}");
}

std::string scored(const std::string& name, const std::string& front, const std::string& back) {
  return R"({"case": ")" + name + R"(", "metrics": {"1": {"Dice": )" + front + R"(, "HD95": 4}, "2": {"Dice": )" +
         back + R"(, "HD95": null}}})";
}

std::string page_of(const std::string& folder) {
  const std::string html = html_report(read_run(folder));
  CHECK(markup_fault(without_style(html)) == "");
  CHECK(!contains(html, "nan"));
  return html;
}

void check_all(const std::string& html, std::initializer_list<const char*> texts) {
  for (const char* text : texts) CHECK_MESSAGE(contains(html, text), std::string(text));
}

}  // namespace

TEST_CASE("report: an old run has intervals, worst and best cases by name, size, speed, curves and settings") {
  const TemporaryFolder t;
  const std::string run_folder = t / "old";
  write_old_run(run_folder, scored("kidney", "0.25", "0.5") + "," + scored("liver <3>", "0.75", "null"));
  const std::string html = page_of(run_folder);
  check_all(html,
            {"enet on nifti_cases", "data set nifti_cases, test split, 2 cases",
             // 0.25 and 0.75; one value; the cases' means 0.375 and 0.75
             "<th scope=\"row\">front</th><td>2</td><td>0.500<span class=\"gain muted\">-2.677 to 3.677</span>",
             "<th scope=\"row\">back</th><td>1</td><td>0.500<span class=\"gain muted\">–</span>",
             "<th scope=\"row\">all classes</th><td>2</td><td>0.562<span class=\"gain muted\">-1.820 to 2.945</span>",
             "HD95, voxel", "Worst", "kidney</th><td>0.375</td>", "Best", "liver &lt;3&gt;</th><td>0.750</td>",
             "Pictures are missing", "349.0 k", "2.10 G", "7.2", "Training loss", "Validation Dice",
             "arch = &quot;enet&quot;", "0.0.9", "A note of the protocol."});
  CHECK(!contains(html, "IoU, "));
  CHECK(!contains(html, "<img"));
  CHECK(!contains(html, "Please note"));
  CHECK(page_of(run_folder + "/") == html);
}

TEST_CASE("report: a discriminator's scores and penalty, where the run has logged them") {
  const TemporaryFolder t;
  const std::string run_folder = t / "run", config = std::string(kConfig) + "[distill]\nteacher = \"x.gfm\"\n";
  fs::create_directories(run_folder);
  write_text(run_folder + "/config.toml", config);
  const auto page = [&](const std::string& metrics) {
    write_text(run_folder + "/metrics.csv", metrics);
    return page_of(run_folder);
  };
  std::string html = page(
      "step,loss,share_ce,norm_ce,ce,d_teacher,d_student,d_penalty\n10,1.5,1,2,1.5,,,\n"
      "20,1.25,1,2,1.5,283.5,-281.25,0.75\n30,1,1,2,1.5,284.5,-282.25,0.5\n");
  check_all(html, {"enet: discriminator</text>", "of the teacher&#39;s logits: 20, 283.5</title>",
                   "of the student&#39;s logits: 30, -282.2</title>",
                   "enet: gradient penalty of the discriminator</text>", "before its weight: 30, 0.5</title>"});
  CHECK(!contains(html, "before its weight: 10,"));
  html = page("step,loss,d_teacher,d_student,d_penalty\n10,1.5,1,2,\n");  // hinge: no penalty
  CHECK(contains(html, "enet: discriminator"));
  CHECK(!contains(html, "gradient penalty"));
  CHECK(!contains(page("step,loss\n10,1.5\n"), "discriminator"));
  // A loss below 0, which such a term may bring, is shown.
  CHECK(contains(page("step,loss\n10,1.5\n20,-0.5\n"), "enet: 20, -0.5</title>"));
}

TEST_CASE("report: one case has no interval, and is neither worst nor best") {
  const TemporaryFolder t;
  write_old_run(t / "one", scored("only", "0.25", "0.5"));
  const std::string html = page_of(t / "one");
  check_all(html, {"<td>1</td><td>0.250<span class=\"gain muted\">–</span>", "The only case", "0.375"});
  CHECK(!contains(html, "Worst</h3>"));
}

TEST_CASE("report: pictures belong to their scores, those of other scores are not shown") {
  const TemporaryFolder t;
  const std::string run_folder = t / "run";
  write_old_run(run_folder, scored("a", "0.2", "0.2") + "," + scored("b", "0.6", "0.6"));
  write_text(run_folder + "/test/overlays.json",
             R"({"format": "graphflow overlays 1", "cases": [
 {"index": 0, "case": "a", "score": 0.2, "place": "slice 7", "picture": "data:image/png;base64,AAAA"},
 {"index": 1, "case": "b", "score": 0.7, "place": "slice 9", "picture": "data:image/png;base64,BBBB"}]})");
  const std::string html = page_of(run_folder);
  check_all(html, {"<img src=\"data:image/png;base64,AAAA\" alt=\"contours of a, slice 7\"/>", "reference</span>",
                   "prediction</span>", "<strong>Dice 0.200</strong> · a, slice 7", "b</th><td>0.600</td>"});
  CHECK(!contains(html, "BBBB"));
}

TEST_CASE("report: unfinished, unscored, validation only, paraphrasers, no run") {
  const TemporaryFolder t;
  const std::string run_folder = t / "run";
  write_old_run(run_folder, scored("a", "0.2", "0.2"));
  fs::rename(run_folder + "/test", run_folder + "/validation");
  check_all(page_of(run_folder), {"The data set has no test split", "validation split, 1 cases"});

  fs::remove_all(run_folder + "/validation");
  fs::remove(run_folder + "/comparison.csv");
  write_text(run_folder + "/log.txt", "first\nit stopped & here\n");
  check_all(page_of(run_folder), {"This run has not ended (last logged step 20 of 50)", "graphflow train --resume -o",
                                  "Training loss", "it stopped &amp; here", "arch = &quot;enet&quot;"});
  fs::remove(run_folder + "/metrics.csv");
  check_all(page_of(run_folder), {"no step was logged of 50"});
  write_text(run_folder + "/checkpoints/final.gfm", "");
  check_all(page_of(run_folder), {"This run has no scores of its own. graphflow evaluate -m"});

  fs::create_directories(t / "paraphraser");
  write_text(t / "paraphraser/config.toml", kConfig);
  write_text(t / "paraphraser/metrics.csv", "step,loss\n1,2\n2,1\n");
  const std::string html = page_of(t / "paraphraser");
  check_all(html, {"<h1>Paraphrasers</h1>", "Training loss"});
  CHECK(!contains(html, "Please note"));
  CHECK(!contains(html, "Validation Dice"));

  CHECK(contains(error_of([&] { read_run(t / "nothing"); }), "2: no run to report on"));
  CHECK(contains(error_of([&] { read_run(t.path()); }), "a folder without config.toml"));
}

TEST_CASE("report: scores without comparison.csv, as of evaluate in an experiment's run") {
  const TemporaryFolder t;
  write_old_run(t / "run", scored("a", "0.2", "0.2"));
  fs::remove(t / "run/comparison.csv");
  write_text(t / "run/test/summary.json",
             R"({"class_names": ["background", "front", "back"], "accuracy": 0.875, "foreground_mean": {"HD95": 6.5},
 "pooled": {"1": {"Dice": 0.5, "IoU": 0.25}}, "pooled_foreground": {"Dice": 0.625, "IoU": 0.375}})");
  check_all(page_of(t / "run"), {"0.625", "0.375", "6.50", "0.875", "<td>0.250</td>"});
}

TEST_CASE("report: the program writes what training wrote, and without report.json and pictures what there is") {
  const TemporaryFolder t;
  const std::string run_folder = t / "run", best = run_folder + "/checkpoints/best.gfm", page = t / "page.html";
  Outcome o = run("train -q -c " + disc_config(t.path()) + " -o " + run_folder);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  o = run("report " + run_folder + " -o " + page);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "written: " + page));
  const std::string html = read_text(page);
  CHECK(html == read_text(run_folder + "/report.html"));
  check_all(html, {"Spread over cases", "Worst and best cases", "contours of disc", "prediction</span>", " to "});
  const auto summary = nlohmann::json::parse(read_text(run_folder + "/test/summary.json"));
  const auto interval = summary["ci95"]["1"]["Accuracy"].get<std::vector<double>>();
  const double mean = summary["mean"]["1"]["Accuracy"];
  REQUIRE(interval.size() == 2);
  CHECK(interval[0] < mean);
  CHECK(interval[0] + interval[1] == doctest::Approx(2 * mean));

  fs::remove(run_folder + "/report.json");
  fs::remove(run_folder + "/test/overlays.json");
  o = run("report " + run_folder);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  check_all(read_text(run_folder + "/report.html"), {"Pictures are missing", "Spread over cases", "mobile_unet"});
  CHECK(!contains(read_text(run_folder + "/report.html"), "<img"));
  o = run("evaluate -m " + best + " --split test -o " + run_folder + "/test");
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK(run("report " + run_folder).code == 0);
  check_all(read_text(run_folder + "/report.html"), {"contours of disc"});

  const std::string before = read_text(run_folder + "/report.html");
  write_text(run_folder + "/test/summary.json", "{\"class_names\": 3");
  o = run("report " + run_folder);
  CHECK(o.code == 3);
  CHECK_MESSAGE(contains(o.text, "broken file of a run"), o.text);
  write_text(run_folder + "/test/summary.json", "{\"class_names\": [3], \"metric_per_case\": [3, {\"metrics\": 4}]}");
  o = run("report " + run_folder);
  CHECK_MESSAGE(o.code == 3, o.text);
  CHECK(read_text(run_folder + "/report.html") == before);
  o = run("report " + t / "nowhere");
  CHECK(o.code == 2);
}

TEST_CASE("report: the page of large noisy pictures stays below 2 MB") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path());
  write_discs(t / "data", 18, 600);
  const Outcome o =
      run("train -q -c " + config + " --set train.max_iterations=1 --set train.batch_size=1 -o " + t / "run");
  REQUIRE_MESSAGE(o.code == 0, o.text);
  const std::string html = read_text(t / "run/report.html");
  CHECK(html.size() > 200'000);
  CHECK(html.size() < 2'000'000);
  check_all(html, {"contours of disc", "alt=\"disc_"});
}
