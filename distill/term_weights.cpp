#include "distill/term_weights.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "engine/ops/arithmetic.h"
#include "kernels/error.h"

namespace gf {
namespace {

// A term whose gradient is this much smaller than its weight would tell has none but for rounding (the loss among the
// other classes where there are two).
constexpr double kMostGrowth = 1e6;

}  // namespace

TermWeights::Ramp linear_ramp(std::int64_t steps) {
  if (steps <= 0) return {};
  return
      [steps](std::int64_t step) { return std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(steps)); };
}

TermWeights::TermWeights(const std::vector<TermWeight>& terms, Ramp ramp, AutoWeights automatic, const Device& device)
    : ramp_(std::move(ramp)), automatic_(std::move(automatic)) {
  for (const TermWeight& t : terms)
    if (t.weight != 0) terms_.push_back(t);
  if (ramp_) ramp_value_ = Tensor::scalar(0.0f, device);
  if (!this->automatic() || terms_.empty()) return;
  chosen_ = buffer("term_weights", {1, 1, 1, static_cast<std::int64_t>(terms_.size())}, 0);
  std::vector<float> configured;
  for (const TermWeight& t : terms_) configured.push_back(static_cast<float>(t.weight));
  chosen_.assign(Tensor::from(configured, chosen_.shape()));
  to(device);
}

void TermWeights::begin_step(std::int64_t step) {
  if (ramp_) ramp_value_.assign(Tensor::scalar(static_cast<float>(ramp_(step))));
  if (!chosen_) return;
  choosing_ = chooses_at(step);
  if (known_) return;
  known_ = true;  // what a resumed run has chosen already
  const std::vector<float> values = chosen_.to_vector();
  for (std::size_t i = 0; i < terms_.size(); ++i) terms_[i].weight = static_cast<double>(values[i]);
}

void TermWeights::add_to(Objective& objective, const std::vector<RawTerm>& terms,
                         const std::vector<NamedTensor>& parameters) {
  std::vector<Live> live;
  for (const RawTerm& t : terms)
    for (std::size_t i = 0; i < terms_.size(); ++i)
      if (terms_[i].name == t.name) live.push_back({i, t.value});
  if (choosing_) choose(objective, live, parameters);
  choosing_ = false;
  for (const Live& t : live) {
    const TermWeight& of = terms_[t.index];
    const Tensor ramped = ramp_value_ ? ramp_value_ * t.value : t.value;
    if (chosen_)
      objective.add_weighted(of.name, of.weight, chosen_.view_channels(static_cast<std::int64_t>(t.index), 1) * ramped);
    else
      objective.add(of.name, of.weight, ramped);
  }
}

void TermWeights::choose(const Objective& supervised, const std::vector<Live>& terms,
                         const std::vector<NamedTensor>& parameters) {
  const double wanted = gradient_norm(supervised.total(), parameters);
  std::string list;
  for (const Live& live : terms) {
    TermWeight& t = terms_[live.index];
    const auto share = automatic_.shares.find(t.name);
    const double norm = gradient_norm(live.value, parameters),
                 weight = (share == automatic_.shares.end() ? 1.0 : share->second) * wanted / norm;
    const bool sound = norm > 0 && wanted > 0 && std::isfinite(weight) && weight <= kMostGrowth * t.weight;
    list += fmt::format("{}{} {:.4g} -> ", list.empty() ? "" : ", ", t.name, t.weight);
    if (sound) t.weight = static_cast<double>(static_cast<float>(weight));
    list += sound ? fmt::format("{:.4g}", t.weight) : fmt::format("unchanged, its gradient's norm is {:.3g}", norm);
  }
  std::vector<float> values;
  for (const TermWeight& t : terms_) values.push_back(static_cast<float>(t.weight));
  chosen_.assign(Tensor::from(values, chosen_.shape()));
  remark_ = fmt::format("step {}: weights chosen by their gradients (the supervised one's norm is {:.4g}): {}",
                        automatic_.step, wanted, list);
}

}  // namespace gf
