#include "apps/run_folder.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/apps/fixtures.h"

using namespace gf;
namespace fs = std::filesystem;

TEST_CASE("a new run folder has its subfolders, configuration, environment and log") {
  const TemporaryFolder folder;
  const std::string path = folder / "runs/brain/student";
  RunFolder run(path, ExistingRun::refuse);
  for (const std::string& sub : {run.checkpoints(), run.validation(), run.test()}) CHECK(fs::is_directory(sub));
  run.write_config("[train]\n");
  CHECK(read_text(run.config_file()) == "[train]\n");
  Environment environment = read_environment();
  environment.emplace_back("threads", "2");
  run.write_environment(environment);
  const nlohmann::json json = nlohmann::json::parse(read_text(path + "/env.json"));
  CHECK(json["threads"] == "2");
  CHECK(json.contains("compiler"));
  CHECK(json.contains("cores"));
  run.log("first line");
  run.log("second line");
  const std::string log = read_text(path + "/log.txt");
  CHECK(contains(log, "  first line\n2"));  // each with its time in front
  CHECK(log.size() == 2 * 21 + 10 + 11 + 2);
}

TEST_CASE("an existing run is never written over without being told") {
  const TemporaryFolder folder;
  const std::string path = folder / "run";
  {
    RunFolder run(path, ExistingRun::refuse);
    run.write_config("a = 1\n");
    run.log("kept");
    write_text(run.checkpoints() + "/latest.gfm", "weights");
    write_text(path + "/notes.txt", "mine");
  }
  CHECK(contains(error_of([&] { RunFolder(path, ExistingRun::refuse); }), "2: run folder is in use"));
  CHECK(read_text(path + "/config.toml") == "a = 1\n");
  {
    RunFolder run(path, ExistingRun::resume);
    run.log("again");
    CHECK(read_text(run.checkpoints() + "/latest.gfm") == "weights");
    CHECK(contains(read_text(path + "/log.txt"), "kept\n"));
  }
  RunFolder run(path, ExistingRun::overwrite);
  CHECK(!fs::exists(run.checkpoints() + "/latest.gfm"));
  CHECK(!fs::exists(run.config_file()));
  CHECK(read_text(path + "/log.txt").empty());
  CHECK(read_text(path + "/notes.txt") == "mine");  // not ours, not touched
}

TEST_CASE("a run killed before its configuration was written can be started again") {
  const TemporaryFolder folder;
  { RunFolder(folder / "run", ExistingRun::refuse); }
  CHECK_NOTHROW(RunFolder(folder / "run", ExistingRun::refuse));
}

TEST_CASE("a run may lie in a folder that holds other runs") {
  const TemporaryFolder folder;
  RunFolder(folder / "student/paraphraser", ExistingRun::refuse).write_config("a = 1\n");
  CHECK_NOTHROW(RunFolder(folder / "student", ExistingRun::refuse).write_config("b = 1\n"));
  RunFolder(folder / "student", ExistingRun::overwrite);
  CHECK(read_text(folder / "student/paraphraser/config.toml") == "a = 1\n");
}

TEST_CASE("folders of something else, files and missing runs are refused") {
  const TemporaryFolder folder;
  write_text(folder / "thesis.tex", "years of work");
  for (const ExistingRun existing : {ExistingRun::refuse, ExistingRun::overwrite}) {
    CHECK(contains(error_of([&] { RunFolder(folder.path(), existing); }), "2: run folder holds something else"));
  }
  CHECK(read_text(folder / "thesis.tex") == "years of work");
  CHECK(contains(error_of([&] { RunFolder(folder / "thesis.tex", ExistingRun::refuse); }), "found a file"));
  CHECK(contains(error_of([&] { RunFolder(folder / "none", ExistingRun::resume); }), "2: nothing to resume"));
  CHECK(!fs::exists(folder / "none"));
}

TEST_CASE("an unwritable place is known before training") {
  CHECK(contains(error_of([] { RunFolder("/proc/graphflow-run", ExistingRun::refuse); }),
                 "1: cannot write run folder: /proc/graphflow-run"));
  const TemporaryFolder folder;
  fs::create_directory(folder / "locked");
  fs::permissions(folder / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  if (::geteuid() != 0) {  // root may write anywhere
    CHECK(contains(error_of([&] { RunFolder(folder / "locked", ExistingRun::refuse); }), "Permission denied"));
  }
  fs::permissions(folder / "locked", fs::perms::owner_all);
}

TEST_CASE("half-written files of killed runs go away, those of a living process stay") {
  const TemporaryFolder folder;
  const std::string latest = folder / "run/checkpoints/latest.gfm";
  RunFolder(folder / "run", ExistingRun::refuse).write_config("");
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  const std::string stale = latest + ".partial-" + std::to_string(child) + "-0";
  const std::string alive = latest + ".partial-" + std::to_string(::getpid()) + "-0";
  for (const std::string& file : {latest, stale, alive}) write_text(file, "x");
  RunFolder(folder / "run", ExistingRun::resume);
  CHECK(fs::exists(latest));
  CHECK(fs::exists(alive));
  CHECK_FALSE(fs::exists(stale));
}
