#pragma once
// One optimiser step after another, queued on the task's device: batches in, objective, backward, clipping, optimiser,
// the opponent's turn where there is one, numbers out. On a GPU nobody waits inside a step: its numbers are read when
// they have arrived, a step or two later, and after a warm-up the whole step is a captured graph (engine/step_graph.h).
#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distill/task.h"
#include "engine/ops/label_check.h"
#include "engine/optim/optimizer.h"
#include "engine/step_graph.h"
#include "engine/transfer.h"
#include "kernels/error.h"

namespace gf {

// automatic: on a GPU, unless something in the step cannot be captured.
enum class StepGraphMode { automatic, on, off };

struct StepOptions {
  int accumulate = 1;    // micro-batches a step
  double clip_norm = 0;  // 0: no clipping
  StepGraphMode graph = StepGraphMode::automatic;
  bool shadow_weights = false;  // mixed precision: bf16 copies of the weights, written by the optimiser
};

struct StepReport {
  std::int64_t step = 0, epoch = 0;  // steps done; epoch of this step's first batch
  double lr = 0, loss = 0, gradient_norm = 0;
  double seconds = 0;       // between this report and the one before, or of the step where nothing runs ahead
  double data_seconds = 0;  // the host waited for the step's pictures, before `seconds` where nothing runs ahead
  bool has_shares = false;
  std::vector<TermReport> terms;       // means over the micro-batches
  std::vector<WatchedReport> watched;  // likewise, of the opponent; no part of the loss
};

// A step with a number that is not finite. A gradient that was not changed nothing: its optimiser left out the step
// (kernels/optimizer.h), the opponent's likewise.
class NotFiniteStep : public Error {
 public:
  NotFiniteStep(Parts parts, std::int64_t step) : Error(ErrorKind::failure, std::move(parts)), step(step) {}
  std::int64_t step;                  // from 1
  std::vector<Batch> batches;         // its own, on the host
  std::uint64_t random_position = 0;  // before it
};

class StepRunner {
 public:
  StepRunner(TrainingTask& task, const OptimizerOptions& optimizer, const StepOptions& options, Random& random);
  ~StepRunner() { random_.set_device_offset({}); }
  StepRunner(const StepRunner&) = delete;
  StepRunner& operator=(const StepRunner&) = delete;

  FlatParameters& parameters() { return parameters_; }
  Optimizer& optimizer() { return optimizer_; }
  Optimizer* opponent_optimizer() { return opponent_ ? &opponent_->optimizer : nullptr; }

  // Queues step number `step`, from 0. With `shares` the gradient share of every term is measured too, which waits.
  // Not while full(). `waited`: the seconds that the batches took to come, for the report.
  void run(std::vector<Batch> batches, std::int64_t step, double lr, bool shares, double waited = 0);

  bool full() const { return readback_.full(); }
  bool idle() const { return readback_.empty(); }
  bool arrived() const { return readback_.arrived(); }
  // The oldest step's numbers, waiting where they have not arrived. Throws NotFiniteStep where a loss or the gradient
  // is not finite, naming the term, and where labels are out of range.
  StepReport report();
  // Waits for the steps under way, whose numbers are lost, and forgets a captured step: what comes next may go on
  // from another place.
  void restart();

  // Why steps are not captured although that was asked for; empty where they are, or will be.
  const std::string& graph_refusal() const { return graph_refusal_; }
  bool captured() const { return graph_ && graph_->captured(); }
  std::size_t graph_size() const { return captured() ? graph_->size() : 0; }

 private:
  static constexpr std::int64_t kColumns =
      16;  // of the table of results: terms, watched values, then counts of bad labels
  static constexpr std::int64_t kFirstCount = 12;
  static constexpr int kWarmUps = 2;
  using Clock = std::chrono::steady_clock;

  // What the host knows of a step that is under way.
  struct Pending {
    StepReport report;
    std::vector<LabelCount> labels;  // of one micro-batch; shapes and classes
    std::vector<Batch> batches;      // on the host
    std::uint64_t random_position = 0;
    Clock::time_point start;
    double not_training = 0;
  };

  // The opponent's turn is part of the same graph as the model's step: it works on that step's logits, which then need
  // not outlive a replay, and one launch runs both.
  struct OpponentState {
    Opponent& player;
    FlatParameters parameters;
    Optimizer optimizer;
    Tensor norm;  // of its gradient
    explicit OpponentState(Opponent& o)
        : player(o),
          parameters(o.model()),
          optimizer(parameters, o.optimizer()),
          norm(Tensor::zeros({}, o.model().device())) {}
  };

  std::vector<Batch> place(std::vector<Batch> batches);
  void send_numbers(std::int64_t step, double lr, std::uint64_t random_offset);
  void capture(const std::vector<Batch>& inputs);
  void compute(const std::vector<Batch>& inputs, Pending* shares);
  void take_turn();                                  // the opponent
  Tensor mean_over_micro(const Tensor& loss) const;  // its part of the sum
  StepScalars scalars() const;

  TrainingTask& task_;
  StepOptions options_;
  Random& random_;
  Device device_;
  FlatParameters parameters_;
  Optimizer optimizer_;

  std::unique_ptr<OpponentState> opponent_;

  // i32 x 4 on the device: learning rate (a float's bits), step from 1, offset of random numbers, the opponent's rate
  Tensor numbers_;
  Tensor norm_;
  Tensor results_;  // a row a micro-batch and a last one with the gradient norms of both: what is read back
  InputStage stage_;
  Readback readback_;
  std::deque<Pending> pending_;
  std::vector<TermReport> terms_;       // names and weights of the last objective
  std::vector<LabelCount> labels_;      // and its counts
  std::vector<WatchedReport> watched_;  // names of the opponent's values; their columns follow those of the terms
  Clock::time_point last_report_ = Clock::now();

  std::optional<StepGraph> graph_;
  std::vector<Batch> inputs_;  // on the device: where every batch of the usual shape goes
  std::string graph_refusal_;
  int warm_ups_ = 0;
  std::uint64_t captured_at_ = 0, draws_ = 0;  // position of random numbers at the capture, and how many a step takes
};

}  // namespace gf
