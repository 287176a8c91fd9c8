// Every method on activations in bf16: its terms and their gradients are those of float32, rounded.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "tests/distill/method_step.h"
#include "tests/distill/one_step.h"

namespace gf::test {
namespace {

// Two gradients held against each other: the cosine between them, and the second's norm over the first's.
class Agreement {
 public:
  // Of the parameters whose names begin so.
  Agreement(const Module& a, const Module& b, const std::string& prefix) {
    const std::vector<NamedTensor> of_a = a.parameters(), of_b = b.parameters();
    for (std::size_t i = 0; i < of_a.size(); ++i) {
      const Tensor x = of_a[i].tensor.grad(), y = of_b[i].tensor.grad();
      CHECK(static_cast<bool>(x) == static_cast<bool>(y));
      if (x && y && of_a[i].name.starts_with(prefix)) add(x.to_vector(), y.to_vector());
    }
  }
  bool any() const { return a_ > 0; }
  double cosine() const { return dot_ / std::sqrt(a_ * b_); }
  double ratio() const { return std::sqrt(b_ / a_); }

 private:
  void add(const std::vector<float>& x, const std::vector<float>& y) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      dot_ += static_cast<double>(x[i]) * y[i];
      a_ += static_cast<double>(x[i]) * x[i];
      b_ += static_cast<double>(y[i]) * y[i];
    }
  }
  double dot_ = 0, a_ = 0, b_ = 0;
};

void check_agreement(const std::string& what, const Agreement& a, double least_cosine, double factor) {
  if (!a.any()) return;  // a method that does not look there
  INFO(what);
  CHECK(a.cosine() > least_cosine);
  CHECK(a.ratio() > 1 / factor);
  CHECK(a.ratio() < factor);
}

}  // namespace

TEST_CASE("every method in bf16 on simt: terms and gradients of float32, rounded") {
  const Start learnt = trained_start(30, /*teacher_width=*/0.05);
  const auto prepare = [&](Network& teacher, Network& student) {
    copy_weights(*learnt.teacher, teacher);
    copy_weights(*learnt.student, student);
  };
  for (const MethodInfo& info : methods()) {
    if (!info.make) continue;
    INFO(info.name);
    const Device device = simt_device(3);
    const MethodStep single(info, device, DType::f32, prepare), half(info, device, DType::bf16, prepare);
    Batch batch;
    batch.image = learnt.batch.image.to(device);
    batch.label = learnt.batch.label.to(device);
    // The method's terms alone: beside those of the labels their gradients may be small.
    const auto step = [&](const MethodStep& s) {
      Random random(4);
      const Objective objective = s.task->objective(batch, random);
      Tensor sum;
      for (const Objective::Term& t : objective.terms())
        if (t.name != "ce" && t.name != "dice") sum = sum ? sum + t.weighted : t.weighted;
      backward(sum);
      return objective.report();
    };
    const std::vector<TermReport> want = step(single), got = step(half);
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO(want[i].name);
      CHECK(std::abs(got[i].value - want[i].value) <= 0.04 * std::abs(want[i].value) + 1e-6);
    }
    // The layers that make the deep and the shallow tap, and the logits. What comes to the shallow one by way of the
    // layers between the two is far from exact: 0.56 to 0.98 and 0.85 to 1.13 of the norm.
    const Module &a = *single.student, &b = *half.student;
    check_agreement("deep tap", Agreement(a, b, "merge3."), 0.85, 1.2);
    check_agreement("shallow tap", Agreement(a, b, "block3."), 0.3, 1.6);
    check_agreement("logits", Agreement(a, b, "head"), 0.99, 1.05);
    check_agreement("the method's own", Agreement(*single.method, *half.method, ""), 0.99, 1.05);
  }
}

}  // namespace gf::test
