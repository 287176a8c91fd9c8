// graphflow experiment as a user runs it, on small pictures: interrupted, shared, failed, changed.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/metrics_log.h"
#include "data/csv.h"
#include "tests/apps/fixtures.h"
#include "tests/apps/program.h"

using namespace gf;
using namespace gf::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// Two seeds, a teacher, a student, two methods: 8 rows of 10 runs.
std::string experiment_text(const std::string& folder, const std::string& more = {}) {
  write_discs(folder + "/data", 18, 40);
  return "name = \"tiny\"\noutput = \"" + folder + "/out\"\nseeds = [1, 2]\n" + more +
         "[data]\nlayout = \"images_masks\"\nroot = \"" + folder +
         "/data\"\nclass_names = [\"background\", \"disc\"]\n" +
         "[train]\nmax_iterations = 4\nbatch_size = 4\neval_every = 2\nsave_every = 1\n" +
         "[optim]\nlr = 3e-3\n[loss]\nce = 0.5\ndice = 0.5\n[paraphrase]\nmax_iterations = 2\n" +
         "[[dataset]]\nname = \"discs\"\n" +
         "[[teacher]]\nname = \"Large\"\nmodel = { arch = \"mobile_unet\", width = 0.25 }\n" +
         "[[student]]\nname = \"Small\"\nmodel = { arch = \"mobile_unet\", width = 0.1 }\n" +
         "[[method]]\nname = \"KD\"\ndistill.method = \"kd\"\n[[method]]\nname = \"Graph Flow\"\n";
}

std::string write_experiment(const std::string& folder, const std::string& more = {}) {
  const std::string file = folder + "/tiny.toml";
  write_text(file, experiment_text(folder, more));
  return file;
}

std::map<std::string, json> rows_of(const std::string& output) {
  std::map<std::string, json> rows;
  if (!fs::exists(output + "/rows")) return rows;
  for (const auto& entry : fs::directory_iterator(output + "/rows")) {
    json row = json::parse(read_text(entry.path().string()));
    rows[row["row"].get<std::string>()] = row;
  }
  return rows;
}

// What must not depend on interruptions.
json numbers_of(const json& row) {
  json kept;
  for (const char* key :
       {"format", "experiment", "row",         "status",   "role",      "dataset",  "teacher",   "student",
        "method", "seed",       "train_cases", "settings", "made_with", "steps",    "best_step", "parameters",
        "macs",   "macs_size",  "validation",  "test",     "cases",     "val_cases"})
    if (row.contains(key)) kept[key] = row[key];
  return kept;
}

int finish(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("experiment: cut by its time limit, killed and interrupted, it ends with the rows of an undisturbed run") {
  const TemporaryFolder t;
  const std::string command = "experiment -q --threads 1 " + write_experiment(t.path()), out = t / "out";
  const auto began = std::chrono::steady_clock::now();
  Outcome o = run(command + " --time-limit 0.3");
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(2));
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "missing"));
  CHECK_MESSAGE(contains(o.text, "no run was finished: the time limit of 0.3 s ended this call before\n"), o.text);
  CHECK(rows_of(out).size() < 8);

  const auto at_work_on = [&](const std::string& run) {
    const pid_t child = start(command);
    for (int i = 0; i < 1200 && !fs::exists(out + "/runs/discs/" + run + "/checkpoints/latest.gfm"); ++i)
      usleep(10'000);
    return child;
  };
  pid_t child = at_work_on("students/Small/alone/seed1");
  kill(child, SIGKILL);
  CHECK(finish(child) == -1);
  child = at_work_on("students/Small/Large/Graph_Flow/seed1");
  kill(child, SIGINT);
  CHECK(finish(child) == 130);
  CHECK(rows_of(out).size() < 8);
  o = run(command);
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(run(command).text, "8 of 8 rows done"));  // and nothing is done twice
  CHECK(contains(read_text(out + "/comparison.html"), "Graph Flow"));

  REQUIRE(run(command + " -o " + (t / "undisturbed")).code == 0);
  const auto rows = rows_of(out), undisturbed = rows_of(t / "undisturbed");
  REQUIRE(rows.size() == 8);
  REQUIRE(undisturbed.size() == 8);
  for (const auto& [id, row] : undisturbed) {
    CAPTURE(id);
    REQUIRE(rows.contains(id));
    CHECK(numbers_of(rows.at(id)) == numbers_of(row));
    CHECK(row["status"] == "done");
    CHECK(row["cases"].size() == 3);
    CHECK(row["test"]["accuracy"].get<double>() > 0);
    CHECK(row["train_seconds"].get<double>() > 0);
    CHECK(!row.contains("labelled"));
  }
  const json& method = rows.at("discs.Large.Small.Graph_Flow.seed2");
  CHECK(method["role"] == "method");
  CHECK(method["seed"] == 2);
  CHECK(method["settings"]["model.width"] == 0.1);
  CHECK(method["made_with"]["teacher"]["settings"]["model.width"] == 0.25);
  CHECK(method["validation"] != rows.at("discs.Large.Small.Graph_Flow.seed1")["validation"]);
}

TEST_CASE("experiment: two processes share the work, each run is trained once") {
  const TemporaryFolder t;
  const std::string command = "experiment -q --threads 1 " + write_experiment(t.path());
  const pid_t first = start(command), second = start(command);
  CHECK(finish(first) == 0);
  CHECK(finish(second) == 0);
  CHECK(rows_of(t / "out").size() == 8);
  int runs = 0;
  for (const auto& entry : fs::recursive_directory_iterator(t / "out/runs")) {
    if (entry.path().filename() == "lock") FAIL("a lock is left: " << entry.path());
    if (entry.path().filename() != "log.txt") continue;
    ++runs;
    CHECK(count(read_text(entry.path().string()), "/final.gfm") == 1);
  }
  CHECK(runs == 10);
}

TEST_CASE("experiment: a row that fails is a failed row, the others go on, exit code 4") {
  const TemporaryFolder t;
  const std::string file = t / "tiny.toml", out = t / "out";
  write_text(file,
             experiment_text(t.path()) + "[[method]]\nname = \"Broken\"\noptim.lr = 1e30\ndistill.method = \"kd\"\n");
  const std::string command = "experiment -q --threads 1 " + file + " --only \"KD*seed1\" --only Broken.seed1";
  Outcome o = run(command);
  CHECK_MESSAGE(o.code == 4, o.text);
  CHECK(contains(o.text, "FAILED"));
  auto rows = rows_of(out);
  REQUIRE(rows.size() == 2);
  CHECK(rows.at("discs.Large.Small.KD.seed1")["status"] == "done");
  const json broken = rows.at("discs.Large.Small.Broken.seed1");
  CHECK(broken["status"] == "failed");
  CHECK(contains(broken["error"].get<std::string>(), "not finite"));
  int logs = 0;  // the folder says why there is no more in it
  for (const auto& entry : fs::recursive_directory_iterator(out + "/runs")) {
    if (entry.path().filename() != "log.txt" || !contains(entry.path().string(), "Broken")) continue;
    ++logs;
    CHECK(contains(read_text(entry.path().string()), "  failed: the "));
  }
  CHECK(logs == 1);

  // Not tried again unasked.
  CHECK(run(command).code == 4);
  CHECK(rows_of(out).at("discs.Large.Small.Broken.seed1") == broken);
  CHECK(run(command + " --list").code == 4);
  o = run(command + " --retry-failed --set optim.lr=3e-3");
  CHECK_MESSAGE(o.code == 2, o.text);  // not on what the other rate has begun
  o = run(command + " --retry-failed --overwrite --set optim.lr=3e-3");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(rows_of(out).at("discs.Large.Small.Broken.seed1")["status"] == "done");
}

TEST_CASE("experiment: rows of other settings or other data are never mixed") {
  const TemporaryFolder t;
  const std::string file = write_experiment(t.path()), out = t / "out";
  const std::string command = "experiment -q --threads 1 " + file + " --only \"KD*seed1\" --only alone.seed1";
  REQUIRE(run(command).code == 0);
  const auto before = rows_of(out);

  // A change of the teacher concerns the method's row, and not the student alone.
  write_text(file, experiment_text(t.path()) + "optim.lr = 3e-3\n");  // of Graph Flow, which is not selected
  CHECK(contains(run(command).text, "2 of 2 rows done"));
  std::string changed = experiment_text(t.path());
  changed.replace(changed.find("width = 0.25"), 12, "width = 0.2");
  write_text(file, changed);
  Outcome o = run(command);
  CHECK_MESSAGE(o.code == 2, o.text);
  CHECK_MESSAGE(contains(o.text, "teacher model.width: 0.25 -> 0.2"), o.text);
  CHECK(contains(o.text, "--overwrite"));
  CHECK(!contains(o.text, "alone"));
  CHECK(contains(run(command + " --list").text, "MADE WITH OTHER SETTINGS"));
  CHECK(rows_of(out) == before);
  o = run(command + " --overwrite");
  CHECK_MESSAGE(o.code == 0, o.text);
  auto after = rows_of(out);
  CHECK(after.at("discs.Small.alone.seed1") == before.at("discs.Small.alone.seed1"));
  CHECK(after.at("discs.Large.Small.KD.seed1")["made_with"]["teacher"]["settings"]["model.width"] == 0.2);

  // Other scores of the same networks.
  const std::string log = read_text(t / "out/runs/discs/students/Small/alone/seed1/log.txt");
  o = run(command + " --set eval.protocol=standard");
  CHECK_MESSAGE(contains(o.text, "2 of 2 rows done"), o.text);  // the default
  o = run(command + " --set eval.nsd_tolerance=[3]");
  CHECK(o.code == 2);
  CHECK_MESSAGE(contains(o.text, "eval.nsd_tolerance"), o.text);
  REQUIRE(run(command + " --set eval.nsd_tolerance=[3] --overwrite").code == 0);
  after = rows_of(out);
  CHECK(after.at("discs.Small.alone.seed1")["made_with"]["evaluation"] !=
        before.at("discs.Small.alone.seed1")["made_with"]["evaluation"]);
  CHECK(after.at("discs.Small.alone.seed1")["test"] == before.at("discs.Small.alone.seed1")["test"]);
  CHECK(read_text(t / "out/runs/discs/students/Small/alone/seed1/log.txt") == log);
  CHECK(after.at("discs.Small.alone.seed1")["distance_unit"] == "voxel");
  REQUIRE(run(command + " --set eval.spacing=[0.5,0.5] --overwrite").code == 0);
  after = rows_of(out);
  CHECK(after.at("discs.Small.alone.seed1")["distance_unit"] == "mm");
  CHECK(read_text(t / "out/runs/discs/students/Small/alone/seed1/log.txt") == log);
  REQUIRE(run(command + " --overwrite").code == 0);

  // One picture goes from test to train.
  const std::string index = t / "data/index.csv";
  std::string table = read_text(index);
  table.replace(table.rfind("test"), 4, "train");
  write_text(index, table);
  o = run(command);
  CHECK(o.code == 2);
  CHECK_MESSAGE(contains(o.text, "split"), o.text);
}

TEST_CASE("experiment: labelled shares, the labels of the unlabelled part are never read") {
  const TemporaryFolder t;
  const std::string file = t / "tiny.toml", out = t / "out";
  write_text(file, experiment_text(t.path(), "labelled = [4, \"50%\", 0]\n") +
                       "[[method]]\nname = \"Both\"\ndistill.semi_supervised = true\n" +
                       "[[method]]\nname = \"Mean\"\ndistill.semi_supervised = true\n" +
                       "distill.method = \"mean_teacher\"\n");
  const std::string command = "experiment -q --threads 1 " + file;
  std::string list = run(command + " --list").text;
  CHECK(contains(list, "discs.labelled4.Large.Small.Both.seed1"));
  CHECK(!contains(list, "discs.Large.Small.Both.seed1"));  // nothing is unlabelled there

  REQUIRE(run(command + " --only labelled50pc.Small.alone.seed2").code == 0);
  CHECK(rows_of(out).at("discs.labelled50pc.Small.alone.seed2")["labelled"] == 6);
  fs::remove_all(out);

  // Masks that no reader would take.
  REQUIRE(run(command + " --only nothing").code == 2);
  REQUIRE(run("split -c " + disc_config(t.path()) + " --labelled 4 --seed 1 -o " + (t / "split.csv")).code == 0);
  const CsvTable split = CsvTable::read(t / "split.csv");
  int unlabelled = 0;
  for (std::size_t i = 0; i < split.rows(); ++i)
    if (split.at(i, split.column("split")) == "unlabelled") {
      write_text(t / ("data/masks/" + split.at(i, split.column("case")) + ".png"), "not a mask");
      ++unlabelled;
    }
  CHECK(unlabelled == 8);
  const Outcome o = run(command + " --only \"labelled4*seed1\"");
  CHECK_MESSAGE(o.code == 0, o.text);
  const auto rows = rows_of(out);
  REQUIRE(rows.size() == 6);
  CHECK(!rows.at("discs.labelled4.Small.Mean.seed1").contains("teacher"));
  CHECK(read_text(out + "/splits/discs.labelled4.seed1.csv") == read_text(t / "split.csv"));
  CHECK(read_text(out + "/splits/discs.labelled4.seed2.csv") != read_text(t / "split.csv"));
  for (const auto& [id, row] : rows) {
    CHECK(row["labelled"] == 4);
    CHECK(row["train_cases"] == 12);
  }
  const auto loss_of = [&](const std::string& method) {
    const MetricsTable m =
        read_metrics(t / ("out/runs/discs/labelled4/students/Small/Large/" + method + "/seed1/metrics.csv"));
    const auto column = std::find(m.columns.begin(), m.columns.end(), "loss") - m.columns.begin();
    return m.values.at(0).at(static_cast<std::size_t>(column));
  };
  CHECK(loss_of("Both") != loss_of("Graph_Flow"));  // of other pictures
  // With every label asked for, those masks do count.
  CHECK(run(command + " --only discs.Small.alone.seed1").code == 4);
}

TEST_CASE("experiment: a teacher of all labels for students with a share of them") {
  const TemporaryFolder t;
  const std::string file = t / "tiny.toml", out = t / "out";
  write_text(file, experiment_text(t.path(), "labelled = [4, \"50%\"]\nteacher_labels = \"all\"\n"));
  const std::string command = "experiment -q --threads 1 " + file;
  const Outcome list = run(command + " --list");
  CHECK(count(list.text, ".teacher.") == 2);  // one a seed, for both shares
  const Outcome o = run(command + " --only discs.Large.teacher.seed1 --only \"labelled4*seed1\"");
  CHECK_MESSAGE(o.code == 0, o.text);
  const auto rows = rows_of(out);
  REQUIRE(rows.size() == 4);
  CHECK(!rows.at("discs.Large.teacher.seed1").contains("labelled"));
  CHECK(rows.at("discs.labelled4.Small.alone.seed1")["labelled"] == 4);
  CHECK(rows.at("discs.labelled4.Large.Small.Graph_Flow.seed1")["labelled"] == 4);
  CHECK(std::any_of(fs::directory_iterator(out + "/runs/discs/teachers/Large"), {}, [](const fs::directory_entry& e) {
    return contains(e.path().filename().string(), "seed1-factors");
  }));
  CHECK(!fs::exists(out + "/runs/discs/labelled4/teachers"));
  const Outcome table = run("compare " + out);  // the teacher of all labels stands beside the students of four
  CHECK_MESSAGE(contains(table.text, "4 labelled cases"), table.text);
  CHECK_MESSAGE(contains(table.text, "Large (teacher)"), table.text);
}

TEST_CASE("experiment: a data set that is divided already, and one method that uses its unlabelled part") {
  const TemporaryFolder t;
  const std::string file = t / "tiny.toml", split = t / "split.csv";
  const std::string text = experiment_text(t.path());
  REQUIRE(run("split -c " + disc_config(t.path()) + " --labelled 5 -o " + split).code == 0);
  write_text(file, text + "[[method]]\nname = \"Both\"\ndistill.semi_supervised = true\n");
  const Outcome o = run("experiment -q --threads 1 " + file + " --only \"Both*seed1\" --set data.split_file=" + split);
  CHECK_MESSAGE(o.code == 0, o.text);
  const json row = rows_of(t / "out").at("discs.Large.Small.Both.seed1");
  CHECK(row["labelled"] == 5);
  CHECK(row["train_cases"] == 12);
}

TEST_CASE("experiment: an included file may include another, and the file nearest to the command decides") {
  const TemporaryFolder t;
  write_text(t / "base.toml", experiment_text(t.path(), "labelled = [3]\n"));
  write_text(t / "middle.toml", "include = \"base.toml\"\nlabelled = [4]\nseeds = [5]\n[optim]\nlr = 1e-4\n");
  write_text(t / "top.toml", "include = \"middle.toml\"\nseeds = [7]\n[optim]\nlr = 2e-4\n");
  const Outcome list = run("experiment --list " + (t / "top.toml"));
  CHECK(list.code == 0);
  CHECK_MESSAGE(contains(list.text, "discs.labelled4.Small.alone.seed7"), list.text);
  CHECK(!contains(list.text, "seed5"));
  CHECK(!contains(list.text, "labelled3"));
  REQUIRE(run("experiment -q --threads 1 " + (t / "top.toml") + " --only \"Small.alone*seed7\"").code == 0);
  CHECK(rows_of(t / "out").at("discs.labelled4.Small.alone.seed7")["settings"]["optim.lr"] == 2e-4);
}

TEST_CASE("experiment: mistakes in the file are named with their line") {
  const TemporaryFolder t;
  const std::string file = t / "tiny.toml", text = experiment_text(t.path());
  const auto refuse = [&](const std::string& content, const std::string& message, const std::string& flags = {}) {
    write_text(file, content);
    const Outcome o = run("experiment " + file + " --list" + flags);
    INFO(content);
    CHECK(o.code == 2);
    CHECK_MESSAGE(contains(o.text, message), o.text);
  };
  const auto line = [&] { return file + ":" + std::to_string(1 + count(text, "\n")); };
  refuse(text + "distill.metod = \"kd\"\n", line() + "; did you mean 'distill.method'?");
  refuse(text + "optim.lr = \"fast\"\n", line());
  refuse("teacher_labels = \"some\"\n" + text, "wrong teacher_labels: " + file + ":1");
  refuse("sedes = [1]\n" + text, "unknown word 'sedes' in the experiment: " + file + ":1; did you mean 'seeds'?");
  refuse("labelled = [4, 4]\n" + text, "4 comes twice in labelled: " + file + ":1");
  refuse("labelled = [4, \"20%\", \"20%\"]\n" + text, "20% comes twice in labelled: " + file + ":1");
  std::string seeds = text;
  seeds.replace(seeds.find("[1, 2]"), 6, "[1, 7, 7]");
  refuse(seeds, "7 comes twice in seeds: " + file + ":3");
  refuse("labelled = [-4]\n" + text, "numbers of cases from 0");
  refuse("labelled = [\"half\"]\n" + text, "shares like \"20%\"");
  refuse("labelled = [\"100%\"]\n" + text, "shares like \"20%\"");
  refuse(text + "train.seed = 3\n", "train.seed is the experiment's to decide: " + line());
  refuse(text + "distill.teacher = \"x.gfm\"\n", "distill.teacher is the experiment's to decide");
  refuse(text + "train.max_iterations = 8\n", "another budget");
  refuse(text + "[[method]]\nname = \"KD\"\n", "two [[method]] of one name");
  refuse(text + "[[method]]\ndistill.method = \"at\"\n", "without a name");
  refuse(text + "[[method]]\nname = \"alone\"\n", "the name is taken");
  refuse("[data]\nlayout = \"brain\"\n[[student]]\nname = \"S\"\n[[method]]\nname = \"KD\"\n",
         "a method without a teacher");
  refuse("name = \"x\"\n", "nothing to train");
  refuse(text, "unknown configuration key 'optim.lrr'", " --set optim.lrr=1");
  refuse(text, "no such row", " --only nothing");
  refuse("include = \"none.toml\"\n", "none.toml");
  refuse("include = \"tiny.toml\"\n" + text, "files that include each other: " + file);
  write_text(t / "between.toml", "include = \"./tiny.toml\"\n");
  refuse("include = \"between.toml\"\n" + text, "files that include each other: " + (t / "between.toml"));
  write_text(file, text);
  CHECK(run("experiment " + file + " --data " + (t / "nowhere")).code == 3);
  CHECK(run("experiment " + (t / "none.toml")).code == 2);
}

TEST_CASE("experiment: --data of one data set: its name, a folder alone, and no other name") {
  const TemporaryFolder t;
  std::string text = experiment_text(t.path());
  text.replace(text.find("root = "), text.find('\n', text.find("root = ")) - text.find("root = ") + 1, "");
  const std::string file = t / "tiny.toml";
  write_text(file, text);
  const auto data = [&](const std::string& given) { return run("experiment " + file + " --list --data " + given); };
  CHECK(data("discs=" + t / "data").code == 0);
  CHECK(data(t / "data").code == 0);
  Outcome o = data("foo=" + t / "data");
  CHECK(o.code == 2);
  CHECK_MESSAGE(contains(o.text, "unknown data set: --data foo=" + t / "data" +
                                     ": expected discs=FOLDER, or FOLDER alone, found foo"),
                o.text);

  // Names of folders may hold the sign, too.
  const fs::path before = fs::current_path();
  fs::current_path(t.path());
  fs::create_directory("a=b");
  o = data("a=b");
  fs::current_path(before);
  CHECK_MESSAGE(o.code == 0, o.text);
  o = run("experiment " + file + " --data " + t / "none=such");
  CHECK(o.code == 3);
  CHECK_MESSAGE(contains(o.text, "none=such"), o.text);
}
