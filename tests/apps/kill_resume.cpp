// kill -9 at random moments of a run, again and again: it must always resume, and end with the bits of a run that
// nobody disturbed. GF_KILLS=100 kills a hundred times.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "apps/metrics_log.h"
#include "engine/io/checkpoint.h"
#include "engine/io/safetensors.h"
#include "tests/apps/fixtures.h"
#include "tests/apps/program.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::byte> tensors_of(const std::string& path) {
  const SafetensorsFile file(path);
  std::vector<std::byte> all;
  for (const FileTensor& t : file.tensors()) {
    std::vector<std::byte> bytes(t.end - t.begin);
    file.read_bytes(t, bytes);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

int wanted_kills() {
  const char* text = std::getenv("GF_KILLS");
  return text ? std::atoi(text) : 12;
}

}  // namespace

TEST_CASE("a run killed again and again ends with the bits of the undisturbed run") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path());
  // A checkpoint after every step: most of the time one is being written.
  const std::string command = "train -q --threads 1 -c " + config +
                              " --set train.save_every=1 --set train.eval_every=20 --set model.dropout=0.2 "
                              "--set data.augment.rotation_deg=15 --set train.max_iterations=";
  const int kills = wanted_kills();
  const std::string steps = std::to_string(20 + 10 * kills);
  REQUIRE(run(command + steps + " -o " + (t / "whole")).code == 0);

  std::mt19937 random(11);
  const std::string latest = t / "parts/checkpoints/latest.gfm";
  int killed = 0, torn = 0, starts = 0;
  std::int64_t before = 0;
  bool ended = false;
  while (!ended && killed < kills) {
    REQUIRE(++starts < 20 * kills);
    const pid_t child = start(command + steps + " -o " + (t / "parts") + (fs::exists(latest) ? " --resume" : ""));
    // Until it has trained a step or more, then a moment longer. The first checkpoint is what there is to go on from.
    const auto advanced = [&] { return fs::exists(latest) && read_checkpoint_state(latest).step > before; };
    int status = 0;
    for (int i = 0; i < 6000 && !advanced() && !(ended = waitpid(child, &status, WNOHANG) == child); ++i) usleep(5000);
    if (ended) break;
    usleep(random() % 40'000);
    kill(child, SIGKILL);
    REQUIRE(waitpid(child, &status, 0) == child);
    ended = WIFEXITED(status);
    killed += WIFSIGNALED(status);
    before = read_checkpoint_state(latest).step;
    for (const auto& entry : fs::directory_iterator(t / "parts/checkpoints"))
      torn += entry.path().filename().string().find(".gfm.") != std::string::npos;
  }
  MESSAGE(killed, " kills, ", torn, " of them in the middle of writing a checkpoint");
  CHECK(killed >= kills / 2);  // or the run ended before it could be disturbed
  const Outcome last = run(command + steps + " -o " + (t / "parts") + " --resume");
  REQUIRE_MESSAGE(last.code == 0, last.text);
  CHECK(tensors_of(t / "parts/checkpoints/final.gfm") == tensors_of(t / "whole/checkpoints/final.gfm"));
  CHECK(tensors_of(t / "parts/checkpoints/latest.gfm") == tensors_of(t / "whole/checkpoints/latest.gfm"));
  const MetricsTable parts = read_metrics(t / "parts/metrics.csv"), whole = read_metrics(t / "whole/metrics.csv");
  CHECK(parts.steps == whole.steps);
}
