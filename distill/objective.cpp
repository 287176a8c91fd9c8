#include "distill/objective.h"

#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/optim/norm.h"
#include "kernels/error.h"

namespace gf {

void Objective::add(const std::string& name, double weight, const Tensor& value) {
  if (weight == 0) return;
  add_weighted(name, weight, weight == 1 ? value : static_cast<float>(weight) * value);
}

void Objective::add_weighted(const std::string& name, double weight, const Tensor& weighted) {
  terms_.push_back({name, weight, weighted});
}

Tensor Objective::total() const {
  if (terms_.empty())
    throw Error(ErrorKind::usage,
                {"nothing to train on", "every loss term has weight 0", "", "", "set loss.ce or another weight"});
  Tensor sum = terms_[0].weighted;
  for (std::size_t i = 1; i < terms_.size(); ++i) sum = sum + terms_[i].weighted;
  return sum;
}

std::vector<TermReport> Objective::report() const {
  std::vector<TermReport> list;
  for (const Term& t : terms_) list.push_back({t.name, t.weighted.item(), t.weight});
  return list;
}

std::vector<TermReport> Objective::report_with_shares(const std::vector<NamedTensor>& parameters) const {
  std::vector<TermReport> list = report();
  double sum = 0;
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    list[i].norm = gradient_norm(terms_[i].weighted, parameters);
    sum += list[i].norm;
  }
  for (TermReport& t : list) t.share = sum > 0 ? t.norm / sum : 0;
  return list;
}

double gradient_norm(const Tensor& y, const std::vector<NamedTensor>& parameters) {
  std::vector<Tensor> wrt;
  for (const NamedTensor& p : parameters) wrt.push_back(p.tensor);
  double squares = 0;
  for (const Tensor& g : gradients(y, wrt, {}, false, true))
    if (g) squares += squared_norm(g.to_dense());
  return std::sqrt(squares);
}

}  // namespace gf
