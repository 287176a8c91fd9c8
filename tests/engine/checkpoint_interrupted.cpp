// Saving under kill -9 and on a full disk: the path must always hold a complete checkpoint.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "engine/io/checkpoint.h"
#include "tests/engine/io_files.h"

namespace gf {
namespace {

using namespace test;

// One parameter of a quarter of a million values, so that writing takes a while.
struct Block : Module {
  Tensor weight;
  Block() { weight = parameter("weight", {512, 1, 1, 512}, FileLayout::convolution); }
  void set(std::int64_t step) const { std::fill_n(weight.mutable_data(), weight.count(), static_cast<float>(step)); }
};

void save(const std::string& path, const Block& block, std::int64_t step) {
  block.set(step);
  CheckpointState state;
  state.step = step;
  state.entries["step"] = std::to_string(step);
  save_checkpoint(path, block, nullptr, state);
}

// The step of a checkpoint all of whose parts are of that step.
std::int64_t complete_step(const std::string& path) {
  Block block;
  CheckpointState state;
  load_checkpoint(path, block, nullptr, state);
  CHECK(state.entries.at("step") == std::to_string(state.step));
  const float* w = block.weight.data();
  CHECK(std::all_of(w, w + block.weight.count(), [&](float v) { return v == static_cast<float>(state.step); }));
  return state.step;
}

// Saves until it is killed, telling each step it has finished through the pipe. Runs in a forked child, where OpenMP's
// threads do not exist: it must not call a kernel.
[[noreturn]] void save_forever(const std::string& path, const Block& block, int done) {
  try {
    for (std::int64_t step = 1;; ++step) {
      save(path, block, step);
      if (::write(done, &step, sizeof step) != sizeof step) ::_exit(2);
    }
  } catch (const std::exception&) {
    ::_exit(1);
  }
}

}  // namespace

TEST_CASE("checkpoint: kill -9 at any moment leaves the newest finished one usable") {
  const TemporaryFolder folder;
  const std::string path = folder.file("latest.gfm");
  std::mt19937 random(7);
  const Block block;
  int killed_while_writing = 0;
  for (int round = 0; round < 40; ++round) {
    int done[2];
    REQUIRE(::pipe(done) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) save_forever(path, block, done[1]);
    ::close(done[1]);
    std::int64_t finished = 0;
    REQUIRE(::read(done[0], &finished, sizeof finished) == sizeof finished);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    while (::read(done[0], &finished, sizeof finished) == sizeof finished) {
    }
    ::close(done[0]);
    // A save may have been renamed into place and not yet been told.
    const std::int64_t found = complete_step(path);
    CHECK(found >= finished);
    CHECK(found <= finished + 1);
    killed_while_writing += folder.count("latest.gfm.") > 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.file("")))
      if (entry.path() != path) std::filesystem::remove(entry.path());
  }
  CHECK(killed_while_writing > 0);  // or the test has tested nothing
}

TEST_CASE("checkpoint: a full disk is an error and leaves the old one") {
  const TemporaryFolder folder;
  const std::string path = folder.file("latest.gfm");
  const Block block;
  save(path, block, 1);
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  std::vector<std::string> messages;
  for (const rlim_t limit : {0, 100, 4096, 1'000'000}) {
    const rlimit small{limit, old.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    std::string message;
    try {
      save(path, block, 2);
    } catch (const Error& e) {
      message = e.what();
    }
    // doctest's own output may be a file: lift the limit before anything is reported.
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
    messages.push_back(message);
    CHECK(folder.count("") == 1);
    CHECK(complete_step(path) == 1);
  }
  ::signal(SIGXFSZ, old_handler);
  for (const std::string& message : messages) check_contains(message, path + ": found File too large");
  save(path, block, 3);
  CHECK(complete_step(path) == 3);
}

}  // namespace gf
