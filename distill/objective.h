#pragma once
// The training objective: a weighted sum of named terms, each with its own weight (never one alpha), reported one by
// one.
#include <string>
#include <vector>

#include "engine/optim/flat_parameters.h"
#include "engine/tensor.h"

namespace gf {

struct TermReport {
  std::string name;
  double value = 0;   // weighted, as it enters the sum
  double weight = 0;  // without a warm-up
  double norm = -1;   // |d term / d theta| of the weighted term; -1 where it was not measured
  double share = -1;  // that over the sum of all terms' norms; likewise
};

// A number that is reported beside the objective and is no part of it.
struct Watched {
  std::string name;
  Tensor value;  // float32 scalar
};
struct WatchedReport {
  std::string name;
  double value = 0;
};

class Objective {
 public:
  // `value` is a raw scalar on the tape. A term of weight 0 is not part of the sum and not reported.
  void add(const std::string& name, double weight, const Tensor& value);
  // A term that has its weight already, which is reported.
  void add_weighted(const std::string& name, double weight, const Tensor& weighted);

  struct Term {
    std::string name;
    double weight;
    Tensor weighted;  // scalar on the tape
  };
  const std::vector<Term>& terms() const { return terms_; }
  Tensor total() const;                    // scalar on the tape
  std::vector<TermReport> report() const;  // values only
  // With the gradients' norms and shares: one backward pass per term over the parameters; the tape is kept.
  std::vector<TermReport> report_with_shares(const std::vector<NamedTensor>& parameters) const;

 private:
  std::vector<Term> terms_;
};

// |d y / d parameters| of a scalar on the tape, which is kept. Waits for the device.
double gradient_norm(const Tensor& y, const std::vector<NamedTensor>& parameters);

}  // namespace gf
