#include "distill/trainer.h"

#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "engine/autograd.h"
#include "engine/io/checkpoint.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"

namespace gf {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Run {
 public:
  Run(TrainingTask& task, Loader& loader, const TrainerOptions& options, TrainingObserver& observer)
      : task_(task),
        loader_(loader),
        options_(options),
        observer_(observer),
        device_(task.model().device()),
        parameters_(task.model()),
        optimizer_(parameters_, options.optimizer),
        random_(options.seed) {}

  TrainingResult go(const std::string& resume_from, const std::atomic<bool>* stop) {
    if (!resume_from.empty()) restore(resume_from);
    observer_.started(step_);
    Clock::time_point last_save = Clock::now();
    while (step_ < options_.max_iterations) {
      step();
      const bool last = step_ == options_.max_iterations;
      const bool interrupted = stop && stop->load();
      if (last || (due(options_.eval_every) && !interrupted)) validate();
      const bool late = options_.save_minutes > 0 && seconds_since(last_save) > 60 * options_.save_minutes;
      if (last || interrupted || late || due(options_.save_every)) {
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

  void step() {
    const Clock::time_point start = Clock::now();
    task_.model().train();
    StepReport report;
    report.lr = options_.schedule.at(options_.optimizer.lr, step_, options_.max_iterations);
    double not_training = 0;  // measuring shares is no part of a step
    parameters_.zero_grad();
    for (int micro = 0; micro < options_.accumulate; ++micro) {
      Batch batch = loader_.next();
      batch.image = batch.image.to(device_);
      batch.label = batch.label.to(device_);
      finish_augmentation(batch);
      Objective objective = [&] {
        const MemoryTag tag("activations");
        return task_.objective(batch, step_, random_);
      }();
      std::vector<TermReport> terms;
      if (micro == 0) {
        report.epoch = batch.position.epoch;
        report.has_shares = options_.measure_shares && batch.position.epoch != shared_epoch_;
      }
      if (micro == 0 && report.has_shares) {
        const Clock::time_point measuring = Clock::now();
        shared_epoch_ = batch.position.epoch;
        terms = objective.report_with_shares(task_.model().parameters());
        not_training = seconds_since(measuring);
      } else {
        terms = objective.report();
      }
      merge(report.terms, terms);
      refuse_not_finite(terms);
      const Tensor total = objective.total();
      const MemoryTag tag("gradients");
      backward(options_.accumulate == 1 ? total : (1.0f / static_cast<float>(options_.accumulate)) * total);
    }
    report.gradient_norm = parameters_.gradient_norm();
    if (options_.clip_norm > 0 && report.gradient_norm > options_.clip_norm)
      parameters_.scale_gradients(static_cast<float>(options_.clip_norm / report.gradient_norm));
    optimizer_.step(report.lr);
    report.step = ++step_;
    for (const TermReport& t : report.terms) report.loss += t.value;
    report.seconds = seconds_since(start) - not_training;
    observer_.stepped(report);
  }

  void merge(std::vector<TermReport>& into, const std::vector<TermReport>& terms) const {
    if (into.empty()) {
      into = terms;
      for (TermReport& t : into) t.value /= options_.accumulate;
    } else {
      for (std::size_t i = 0; i < into.size(); ++i) into[i].value += terms[i].value / options_.accumulate;
    }
  }

  void refuse_not_finite(const std::vector<TermReport>& terms) const {
    for (const TermReport& t : terms)
      if (!std::isfinite(t.value))
        fail("the loss is not finite", fmt::format("term {} at step {}", t.name, step_ + 1), "a number",
             fmt::format("{}", t.value),
             "lower optim.lr, set train.clip_norm, or run with train.trace_nan to find the op");
  }

  void validate() {
    observer_.pausing();
    task_.model().eval();
    const Validation v = task_.validate();
    metrics_ = v.values;
    const bool best = !best_score_ || v.score > *best_score_;
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
    const LoaderPosition at = loader_.position();
    state.entries["trainer.loader_epoch"] = std::to_string(at.epoch);
    state.entries["trainer.loader_step"] = std::to_string(at.step);
    state.entries["trainer.shared_epoch"] = std::to_string(shared_epoch_);
    state.entries["trainer.best_step"] = std::to_string(best_step_);
    for (const auto& [name, value] : metrics_) state.entries["metric." + name] = fmt::format("{:.6g}", value);
    if (best_score_) state.entries["trainer.best_score"] = fmt::format("{}", *best_score_);
    const std::string path = options_.checkpoints + "/" + name;
    // Only latest.gfm is for going on; the others are for use and need no moments.
    save_checkpoint(path, task_.model(), name == "latest.gfm" ? &optimizer_ : nullptr, state);
    observer_.saved(step_, path);
    observer_.resuming();
  }

  void restore(const std::string& path) {
    CheckpointState state;
    load_checkpoint(path, task_.model(), &optimizer_, state);
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
    loader_.seek({number("trainer.loader_epoch"), number("trainer.loader_step")});
    shared_epoch_ = number("trainer.shared_epoch");
    best_step_ = number("trainer.best_step");
    if (const std::string best = entry("trainer.best_score"); !best.empty()) best_score_ = std::stod(best);
    const std::string prefix = "metric.";
    for (const auto& [key, value] : state.entries)
      if (key.starts_with(prefix)) metrics_[key.substr(prefix.size())] = std::stod(value);
  }

  TrainingResult result(bool interrupted) const { return {step_, interrupted, best_score_, best_step_}; }

  TrainingTask& task_;
  Loader& loader_;
  const TrainerOptions& options_;
  TrainingObserver& observer_;
  Device device_;
  FlatParameters parameters_;
  Optimizer optimizer_;
  Random random_;
  std::int64_t step_ = 0, best_step_ = 0, shared_epoch_ = -1;
  std::optional<double> best_score_;
  std::map<std::string, double> metrics_;  // of the last validation
};

}  // namespace

TrainingResult run_training(TrainingTask& task, Loader& loader, const TrainerOptions& options,
                            TrainingObserver& observer, const std::string& resume_from, const std::atomic<bool>* stop) {
  return Run(task, loader, options, observer).go(resume_from, stop);
}

}  // namespace gf
