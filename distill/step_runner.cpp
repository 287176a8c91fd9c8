#include "distill/step_runner.h"

#include <bit>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "engine/autograd.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"

namespace gf {
namespace {

bool runs_ahead(const Device& device) { return !std::holds_alternative<Cpu>(device); }

bool wants_graph(StepGraphMode mode, const Device& device) {
  if (mode == StepGraphMode::automatic) return !on_host(device);  // the executor's is asked for by name
  return mode == StepGraphMode::on;
}

// The four bytes of element i of a dense tensor, as another dtype.
View as(DType dtype, const Tensor& t, std::int64_t i) {
  return {static_cast<std::byte*>(t.mutable_view().data) + 4 * i, dtype, Shape{}};
}

void copy_scalar(const Tensor& from, const Tensor& to, std::int64_t element) {
  copy_bytes(as(DType::i32, to, element).data, to.device(), from.view().data, from.device(), 4);
}

}  // namespace

StepRunner::StepRunner(TrainingTask& task, const OptimizerOptions& optimizer, const StepOptions& options,
                       Random& random)
    : task_(task),
      options_(options),
      random_(random),
      device_(task.trained().device()),
      parameters_(task.trained(), options.shadow_weights),
      optimizer_(parameters_, optimizer),
      opponent_(task.opponent() ? std::make_unique<OpponentState>(*task.opponent()) : nullptr),
      numbers_(Tensor::empty({1, 1, 1, 4}, DType::i32, device_)),
      norm_(Tensor::zeros({}, device_)),
      results_(Tensor::zeros({1, 1, options.accumulate + 1, kColumns}, device_)),
      stage_(device_),
      readback_(device_, static_cast<std::size_t>(results_.count()) * sizeof(float)) {
  task_.flattened(parameters_);
  if (wants_graph(options.graph, device_)) graph_.emplace(device_);
}

StepScalars StepRunner::scalars() const {
  StepScalars s;
  s.lr = as(DType::f32, numbers_, 0);
  s.step = as(DType::i32, numbers_, 1);
  s.gradient_norm = norm_.view();
  s.clip_norm = static_cast<float>(options_.clip_norm);
  return s;
}

void StepRunner::send_numbers(std::int64_t step, double lr, std::uint64_t random_offset) {
  const auto bits = [](double rate) { return std::bit_cast<std::int32_t>(static_cast<float>(rate)); };
  const std::array<std::int32_t, 4> values{bits(lr), static_cast<std::int32_t>(step + 1),
                                           static_cast<std::int32_t>(random_offset),
                                           bits(opponent_ ? opponent_->player.lr(step) : 0)};
  constexpr std::size_t kPlace = 0;
  stage_.send(kPlace, Tensor::from(std::span<const std::int32_t>(values), numbers_.shape()), numbers_);
}

// Batches of the first one's shape all go to the same tensors, so that a captured step finds them there.
std::vector<Batch> StepRunner::place(std::vector<Batch> batches) {
  if (!runs_ahead(device_)) {
    for (Batch& b : batches) finish_augmentation(b);
    return batches;
  }
  const auto twin = [&](const Tensor& t) { return Tensor::empty(t.shape(), t.dtype(), device_); };
  if (inputs_.empty())
    for (const Batch& b : batches) inputs_.push_back({twin(b.image), twin(b.label), {}, {}, {}});
  std::size_t place = 0;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    Batch& b = batches[i];
    const bool changes = static_cast<bool>(b.pending.pictures);  // into other tensors than it arrived in
    const auto send = [&](Tensor& t, const Tensor& usual) {
      const Tensor to = !changes && t.shape() == usual.shape() ? usual : twin(t);
      stage_.send(++place, t, to);
      t = to;
    };
    send(b.image, inputs_[i].image);
    send(b.label, inputs_[i].label);
    if (!changes) continue;
    finish_augmentation(b);
    const auto settle = [](Tensor& t, const Tensor& usual) {
      if (!(t.shape() == usual.shape())) return;
      usual.assign(t);
      t = usual;
    };
    settle(b.image, inputs_[i].image);
    settle(b.label, inputs_[i].label);
  }
  return batches;
}

void StepRunner::run(std::vector<Batch> batches, std::int64_t step, double lr, bool shares, double waited) {
  Pending p;
  p.start = Clock::now();
  p.report.step = step + 1;
  p.report.epoch = batches.front().position.epoch;
  p.report.lr = lr;
  p.report.has_shares = shares;
  p.report.data_seconds = waited;
  task_.trained().train();
  task_.begin_step(step);
  if (runs_ahead(device_)) random_.set_device_offset(as(DType::i32, numbers_, 2));
  p.random_position = random_.position();
  p.batches = batches;
  const std::vector<Batch> inputs = place(std::move(batches));
  bool usual = graph_.has_value() && !shares && !task_.reads_on_host(step);
  for (std::size_t i = 0; usual && i < inputs.size(); ++i)
    usual = inputs[i].image.shape() == inputs_[i].image.shape() && inputs[i].label.shape() == inputs_[i].label.shape();

  if (usual && !graph_->captured() && warm_ups_ == kWarmUps) capture(inputs);
  const bool replays = usual && graph_ && graph_->captured();
  send_numbers(step, lr, replays ? random_.position() - captured_at_ : 0);
  if (replays) {
    graph_->replay();
    random_.seek(random_.position() + draws_);
  } else if (graph_) {
    graph_->warm_up([&] { compute(inputs, shares ? &p : nullptr); });
    if (usual) ++warm_ups_;
  } else {
    compute(inputs, shares ? &p : nullptr);
  }
  optimizer_.set_steps(step + 1);
  if (opponent_) opponent_->optimizer.set_steps(step + 1);
  if (p.report.terms.empty()) p.report.terms = terms_;
  p.labels = labels_;
  p.report.watched = watched_;
  readback_.push(results_);
  pending_.push_back(std::move(p));
}

void StepRunner::capture(const std::vector<Batch>& inputs) {
  captured_at_ = random_.position();
  try {
    graph_->capture([&] { compute(inputs, nullptr); });
    draws_ = random_.position() - captured_at_;
  } catch (const Error& e) {
    if (options_.graph == StepGraphMode::on) throw;
    graph_refusal_ = e.what();
    graph_.reset();
  }
  random_.seek(captured_at_);  // nothing has been drawn yet
}

Tensor StepRunner::mean_over_micro(const Tensor& loss) const {
  return options_.accumulate == 1 ? loss : (1.0f / static_cast<float>(options_.accumulate)) * loss;
}

void StepRunner::compute(const std::vector<Batch>& batches, Pending* shares) {
  parameters_.zero_grad();
  if (opponent_) opponent_->player.begin();
  for (std::size_t micro = 0; micro < batches.size(); ++micro) {
    std::optional<LabelCounts> counts;
    if (runs_ahead(device_)) counts.emplace();
    const Objective objective = [&] {
      const MemoryTag tag("activations");
      return task_.objective(batches[micro], random_);
    }();
    const auto row = static_cast<std::int64_t>(micro) * kColumns;
    const std::vector<Objective::Term>& terms = objective.terms();
    if (static_cast<std::int64_t>(terms.size()) > kFirstCount)
      fail("too many loss terms", "objective", std::to_string(kFirstCount) + " at most", std::to_string(terms.size()));
    terms_.clear();
    for (std::size_t i = 0; i < terms.size(); ++i) {
      copy_scalar(terms[i].weighted, results_, row + static_cast<std::int64_t>(i));
      terms_.push_back({terms[i].name, 0, terms[i].weight});
    }
    if (counts) labels_ = counts->list();
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      copy_scalar(labels_[i].count, results_, row + kFirstCount + static_cast<std::int64_t>(i));
      labels_[i].count = {};
    }
    if (micro == 0 && shares) {
      const Clock::time_point measuring = Clock::now();
      shares->report.terms = objective.report_with_shares(task_.learner().parameters());
      shares->not_training = std::chrono::duration<double>(Clock::now() - measuring).count();
    }
    const Tensor total = objective.total();
    const MemoryTag tag("gradients");
    backward(mean_over_micro(total));
  }
  parameters_.gradient_norm(norm_);
  copy_scalar(norm_, results_, options_.accumulate * kColumns);
  optimizer_.step(scalars());
  task_.end_step();
  if (opponent_) take_turn();
}

void StepRunner::take_turn() {
  opponent_->parameters.zero_grad();
  for (std::int64_t micro = 0; micro < options_.accumulate; ++micro) {
    const Opponent::Turn turn = [&] {
      const MemoryTag tag("activations");
      return opponent_->player.turn(random_);
    }();
    const auto first = static_cast<std::int64_t>(terms_.size());
    if (first + static_cast<std::int64_t>(turn.values.size()) > kFirstCount)
      fail("too many numbers to report", "terms and the opponent's values", std::to_string(kFirstCount) + " at most",
           std::to_string(terms_.size() + turn.values.size()));
    watched_.clear();
    for (const Watched& w : turn.values) {
      copy_scalar(w.value, results_, micro * kColumns + first + static_cast<std::int64_t>(watched_.size()));
      watched_.push_back({w.name});
    }
    const MemoryTag tag("gradients");
    backward(mean_over_micro(turn.loss));
  }
  StepScalars s;
  s.lr = as(DType::f32, numbers_, 3);
  s.step = as(DType::i32, numbers_, 1);
  s.gradient_norm = opponent_->norm.view();
  opponent_->parameters.gradient_norm(opponent_->norm);
  copy_scalar(opponent_->norm, results_, options_.accumulate * kColumns + 1);
  opponent_->optimizer.step(s);
}

void StepRunner::restart() {
  while (!readback_.empty()) readback_.pop();
  pending_.clear();
  if (graph_) {
    graph_.emplace(device_);
    warm_ups_ = 0;
  }
}

StepReport StepRunner::report() {
  const std::vector<std::byte> bytes = readback_.pop();
  Pending p = std::move(pending_.front());
  pending_.pop_front();
  const auto read = [&]<class T>(std::int64_t element, T) {
    T value;
    std::memcpy(&value, bytes.data() + 4 * element, sizeof value);
    return value;
  };
  StepReport r = p.report;
  for (TermReport& t : r.terms) t.value = 0;
  for (int micro = 0; micro < options_.accumulate; ++micro) {
    const std::int64_t row = micro * kColumns;
    for (std::size_t i = 0; i < p.labels.size(); ++i)
      refuse_bad_labels(read(row + kFirstCount + static_cast<std::int64_t>(i), std::int32_t{}), p.labels[i].label,
                        p.labels[i].classes);
    std::int64_t column = row;
    const auto next = [&] { return static_cast<double>(read(column++, float{})) / options_.accumulate; };
    for (TermReport& t : r.terms) t.value += next();
    for (WatchedReport& w : r.watched) w.value += next();
  }
  const auto check = [&](const char* what, const std::string& name, double value, const char* remedy) {
    if (std::isfinite(value)) return;
    NotFiniteStep e({fmt::format("the {} is not finite", what), fmt::format("{} at step {}", name, r.step), "a number",
                     fmt::format("{}", value), remedy},
                    r.step);
    e.batches = std::move(p.batches);
    e.random_position = p.random_position;
    throw e;
  };
  constexpr const char *of_model = "lower optim.lr or set train.clip_norm",
                       *of_opponent = "lower distill.adversarial.lr";  // its gradient is not clipped
  for (const TermReport& t : r.terms) {
    check("loss", "term " + t.name, t.value, of_model);
    r.loss += t.value;
  }
  for (const WatchedReport& w : r.watched) check("discriminator", "term " + w.name, w.value, of_opponent);
  r.gradient_norm = read(options_.accumulate * kColumns, float{});
  check("gradient", "norm", r.gradient_norm, of_model);
  if (opponent_)
    check("discriminator's gradient", "norm", read(options_.accumulate * kColumns + 1, float{}), of_opponent);
  const Clock::time_point now = Clock::now(), since = std::max(p.start, last_report_);
  r.seconds = std::chrono::duration<double>(now - since).count() - p.not_training;
  last_report_ = now;
  return r;
}

}  // namespace gf
