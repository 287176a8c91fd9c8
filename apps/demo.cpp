// graphflow demo: the whole method on the brain volume of the Debian package mricron-data. The steps are those of a
// user: train a teacher, train the student alone, train two paraphrasers, distil, compare. Fixed numbers of steps.
#include <filesystem>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/demo_configs.h"
#include "apps/interrupt.h"
#include "apps/run_folder.h"
#include "apps/session.h"
#include "kernels/error.h"

namespace gf {
namespace {

struct Lengths {
  int teacher, student, paraphrasers;
};
constexpr Lengths kQuick{400, 800, 100}, kFull{2400, 4800, 600};

std::string steps(const char* key, int value) { return fmt::format("{}={}", key, value); }

// A stage that has ended is not run again, one that was stopped goes on: the demo can be interrupted and repeated.
enum class Stage { fresh, resume, done };
Stage stage_of(const std::string& folder) {
  if (std::filesystem::exists(folder + "/checkpoints/final.gfm")) return Stage::done;
  if (std::filesystem::exists(folder + "/checkpoints/latest.gfm")) return Stage::resume;
  return Stage::fresh;
}

// Refuses to go on with a demo of another length.
void check_length(const std::string& teacher, int expected) {
  const std::string file = teacher + "/config.toml";
  if (!std::filesystem::exists(file)) return;
  const int found = load_config(file).train.max_iterations;
  if (found != expected)
    throw Error(ErrorKind::usage,
                {"the folder holds a demo of another length", teacher, fmt::format("{} steps", expected),
                 fmt::format("{} steps", found), "give -o another folder, or --overwrite to start anew"});
}

}  // namespace

int demo_command(const DemoFlags& flags) {
  const Lengths n = flags.full ? kFull : kQuick;
  const std::string root = !flags.output.empty() ? flags.output : flags.full ? "runs/demo_full" : "runs/demo";
  const std::string teacher = root + "/teacher", student = root + "/student", distilled = root + "/graph_flow";
  const std::string paraphrasers = distilled + kParaphraserFolder;
  if (flags.overwrite) {
    for (const std::string& folder : {teacher, student, distilled, paraphrasers})
      RunFolder(folder, ExistingRun::overwrite);
  }
  check_length(teacher, n.teacher);

  const auto run = [&](int number, const char* what, const std::string& folder, auto&& command,
                       auto stage_flags) -> int {
    const Stage stage = stage_of(folder);
    fmt::print("\n[{}/4] {}{}\n", number, what,
               stage == Stage::done     ? ": done before"
               : stage == Stage::resume ? ": going on"
                                        : "");
    std::fflush(stdout);
    if (stage == Stage::done) return 0;
    stage_flags.device = flags.device;
    stage_flags.threads = flags.threads;
    stage_flags.resume = stage == Stage::resume;
    stage_flags.overwrite = stage == Stage::fresh;
    const int code = command(stage_flags);
    if (code == kInterrupted) fmt::print(stderr, "or repeat the demo with its flags: it goes on where it stopped\n");
    return code;
  };

  TrainFlags t;
  t.config = write_demo_config(root, "brain_teacher");
  t.sets = {steps("train.max_iterations", n.teacher)};
  t.output = teacher;
  if (const int code = run(1, "the teacher: FANet at a quarter of its width", teacher, train_command, t)) return code;

  TrainFlags s;
  s.config = write_demo_config(root, "brain_student");
  s.sets = {steps("train.max_iterations", n.student)};
  s.output = student;
  if (const int code = run(2, "the student alone: Mobile U-Net", student, train_command, s)) return code;

  DistillFlags d;
  d.config = write_demo_config(root, "brain_graph_flow");
  d.sets = {steps("train.max_iterations", n.student), steps("paraphrase.max_iterations", n.paraphrasers)};
  d.output = distilled;
  d.teacher = teacher + "/checkpoints/best.gfm";
  if (const int code = run(3, "two paraphrasers of the teacher's features", paraphrasers, paraphrase_command, d))
    return code;

  d.compare = student;
  if (const int code = run(4, "the student with Graph Flow", distilled, distill_command, d)) return code;
  fmt::print("\nThe comparison: {}/report.html\n", distilled);
  return 0;
}

}  // namespace gf
