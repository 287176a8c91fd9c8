#include "distill/trainer.h"

#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "distill/not_finite.h"
#include "engine/io/checkpoint.h"
#include "engine/memory.h"
#include "kernels/error.h"

namespace gf {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Run {
 public:
  Run(TrainingTask& task, BatchSource& batches, const TrainerOptions& options, TrainingObserver& observer)
      : task_(task),
        batches_(batches),
        options_(options),
        observer_(observer),
        random_(options.seed),
        runner_(task, options.optimizer, options.step, random_) {}

  TrainingResult go(const std::string& resume_from, const std::atomic<bool>* stop) {
    if (!resume_from.empty()) restore(resume_from);
    observer_.started(step_);
    first_step_ = step_;
    // An interruption does not wait for a validation that is due: it is made up for, since it may find the best
    // weights.
    if (due(options_.eval_every) && validated_step_ < step_) validate();
    Clock::time_point last_save = Clock::now();
    // Somewhere to go back to.
    if (options_.on_not_finite == OnNotFinite::lower_lr && resume_from.empty()) save("latest.gfm");
    while (step_ < options_.max_iterations) {
      bool last = false, interrupted = false, validates = false, saves = false;
      try {
        step();
        last = step_ == options_.max_iterations;
        interrupted = stop && stop->load();
        validates = last || (due(options_.eval_every) && !interrupted);
        const bool late = options_.save_minutes > 0 && seconds_since(last_save) > 60 * options_.save_minutes;
        saves = last || interrupted || late || due(options_.save_every);
        if (validates || saves) catch_up();
      } catch (const NotFiniteStep& e) {
        go_back(e);
        continue;
      }
      if (validates) validate();
      if (saves) {
        save("latest.gfm");
        last_save = Clock::now();
      }
      if (interrupted && !last) return result(true);
    }
    save("final.gfm");
    return result(false);
  }

 private:
  bool due(std::int64_t every) const { return every > 0 && step_ % every == 0; }

  // Steps run ahead of their reports on a GPU: a pause waits for all of them.
  void step() {
    std::vector<Batch> micro_batches;
    const Clock::time_point asked = Clock::now();
    for (int micro = 0; micro < options_.step.accumulate; ++micro) micro_batches.push_back(batches_.next());
    const double waited = seconds_since(asked);
    const std::int64_t epoch = micro_batches.front().position.epoch;
    const bool shares = options_.measure_shares && epoch != shared_epoch_;
    if (shares) shared_epoch_ = epoch;
    if (runner_.full()) report();
    const double lr = rate_factor() * options_.schedule.at(options_.optimizer.lr, step_, options_.max_iterations);
    runner_.run(std::move(micro_batches), step_, lr, shares, waited);
    if (const std::string text = task_.remark(); !text.empty()) observer_.note(text);
    if (++step_ == first_step_ + 1) tell_about_memory();
    tell_about_graph();
    while (runner_.arrived()) report();
  }

  // Keeps the batch, tells what is known, and goes back to the last checkpoint or throws.
  void go_back(const NotFiniteStep& e) {
    const NotFinitePlace place = find_not_finite(task_, e, random_.seed());
    Error::Parts parts = e.parts();
    if (!place.what.empty()) parts.found += ", first in " + place.what;
    if (place.sample) {
      const Batch& batch = e.batches[place.micro_batch];
      parts.found +=
          fmt::format(", picture {} of the batch: {}", *place.sample, batches_.name_of_sample(batch, *place.sample));
    }
    const std::string file = fmt::format("{}/not_finite_step{}.safetensors", options_.checkpoints, e.step);
    save_batches(file, e, batches_, parts.found);
    parts.found += fmt::format("; its batch is kept in {}", file);
    if (place.in_data) parts.remedy = "look at this picture; graphflow verify finds others like it";
    if (place.in_opponent) parts.remedy = "lower distill.adversarial.lr";
    const bool goes_back = options_.on_not_finite == OnNotFinite::lower_lr && !place.in_data;
    if (!goes_back || halvings_ == kMostHalvings) throw Error(e.kind(), parts);
    runner_.restart();
    const int halvings = halvings_ + 1;
    restore(options_.checkpoints + "/latest.gfm");
    halvings_ = halvings;
    parts.remedy = fmt::format("going on from step {} with the learning rate times {}", step_, rate_factor());
    observer_.note(Error(e.kind(), parts).what());
    observer_.went_back(step_);
  }

  double rate_factor() const { return std::ldexp(1.0, -halvings_); }

  void report() {
    const StepReport r = runner_.report();
    observer_.stepped(r);
    if (!task_.opponent()) return;
    if (const std::string text = task_.opponent()->remark(r.watched); !text.empty()) observer_.note(text);
  }

  // What one step needs at most is known after the first.
  void tell_about_memory() {
    catch_up();
    const MemoryStatistics m = memory_statistics(task_.model().device());
    const auto mib = [](std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
    std::string parts;
    for (const auto& [tag, use] : m.by_tag)
      if (use.peak >= 1 << 20) parts += fmt::format("{}{} {:.0f}", parts.empty() ? "" : ", ", tag, mib(use.peak));
    observer_.note(fmt::format("memory: {:.0f} MiB at most in the first step{}", mib(m.total.peak),
                               parts.empty() ? "" : " (each at its peak: " + parts + ")"));
  }

  void tell_about_graph() {
    if (told_ || (!runner_.captured() && runner_.graph_refusal().empty())) return;
    told_ = true;
    observer_.note(runner_.captured() ? fmt::format("a step is one graph of {} launches", runner_.graph_size())
                                      : "steps run launch by launch: " + runner_.graph_refusal());
  }

  void catch_up() {
    while (!runner_.idle()) report();
  }

  void validate() {
    observer_.pausing();
    validated_step_ = step_;
    task_.model().eval();
    const Validation v = task_.validate();
    metrics_ = v.values;
    // A later one wins a tie: without validation cases every score is 0, and the last weights are the ones to keep.
    const bool best = !best_score_ || v.score >= *best_score_;
    if (best) {
      best_score_ = v.score;
      best_step_ = step_;
    }
    observer_.validated(step_, v, best);
    if (best) save("best.gfm");
    observer_.resuming();
  }

  void save(const std::string& name) {
    observer_.pausing();
    CheckpointState state;
    state.step = step_;
    state.random = random_;
    state.entries = task_.description();
    const LoaderPosition at = batches_.position();
    state.entries["trainer.loader_epoch"] = std::to_string(at.epoch);
    state.entries["trainer.loader_step"] = std::to_string(at.step);
    state.entries["trainer.shared_epoch"] = std::to_string(shared_epoch_);
    state.entries["trainer.validated_step"] = std::to_string(validated_step_);
    state.entries["trainer.best_step"] = std::to_string(best_step_);
    if (halvings_ > 0) state.entries["trainer.halvings"] = std::to_string(halvings_);
    for (const auto& [name, value] : metrics_) state.entries["metric." + name] = fmt::format("{:.6g}", value);
    if (best_score_) state.entries["trainer.best_score"] = fmt::format("{}", *best_score_);
    const std::string path = options_.checkpoints + "/" + name;
    // Only latest.gfm is for going on; the others are for use and need no moments and nobody beside the model.
    if (name == "latest.gfm") {
      const std::optional<CheckpointCompanion> opponent = companion();
      save_checkpoint(path, task_.trained(), &runner_.optimizer(), state, opponent ? &*opponent : nullptr);
    } else {
      save_checkpoint(path, task_.model(), nullptr, state);
    }
    observer_.saved(step_, path);
    observer_.resuming();
  }

  std::optional<CheckpointCompanion> companion() {
    if (!task_.opponent()) return {};
    return CheckpointCompanion{&task_.opponent()->model(), runner_.opponent_optimizer()};
  }

  void restore(const std::string& path) {
    CheckpointState state;
    const std::optional<CheckpointCompanion> opponent = companion();
    load_checkpoint(path, task_.trained(), &runner_.optimizer(), state, opponent ? &*opponent : nullptr);
    runner_.parameters().refresh_shadow();
    step_ = state.step;
    random_ = state.random;
    const auto entry = [&](const char* key) -> std::string {
      const auto it = state.entries.find(key);
      return it == state.entries.end() ? std::string() : it->second;
    };
    const auto number = [&](const char* key) -> std::int64_t {
      const std::string text = entry(key);
      if (text.empty())
        bad_data("checkpoint cannot be resumed", path, std::string("an entry ") + key, "none",
                 "resume from latest.gfm");
      return std::stoll(text);
    };
    const auto now = task_.description();
    if (const auto it = now.find("split"); it != now.end() && !entry("split").empty() && entry("split") != it->second)
      bad_data("the data is divided otherwise than when the run began", path, "split " + entry("split"),
               "split " + it->second, "resume with the same split, or start a new run");
    batches_.seek({number("trainer.loader_epoch"), number("trainer.loader_step")});
    shared_epoch_ = number("trainer.shared_epoch");
    best_step_ = number("trainer.best_step");
    halvings_ = entry("trainer.halvings").empty() ? 0 : static_cast<int>(number("trainer.halvings"));
    validated_step_ = entry("trainer.validated_step").empty() ? step_ : number("trainer.validated_step");
    if (const std::string best = entry("trainer.best_score"); !best.empty()) best_score_ = std::stod(best);
    const std::string prefix = "metric.";
    for (const auto& [key, value] : state.entries)
      if (key.starts_with(prefix)) metrics_[key.substr(prefix.size())] = std::stod(value);
  }

  TrainingResult result(bool interrupted) const { return {step_, interrupted, best_score_, best_step_}; }

  TrainingTask& task_;
  BatchSource& batches_;
  const TrainerOptions& options_;
  TrainingObserver& observer_;
  Random random_;
  StepRunner runner_;
  bool told_ = false;  // how steps run
  std::int64_t first_step_ = 0;
  int halvings_ = 0;  // of the learning rate, after steps that were not finite
  std::int64_t step_ = 0, best_step_ = 0, validated_step_ = 0, shared_epoch_ = -1;
  std::optional<double> best_score_;
  std::map<std::string, double> metrics_;  // of the last validation
};

}  // namespace

TrainingResult run_training(TrainingTask& task, BatchSource& batches, const TrainerOptions& options,
                            TrainingObserver& observer, const std::string& resume_from, const std::atomic<bool>* stop) {
  return Run(task, batches, options, observer).go(resume_from, stop);
}

}  // namespace gf
