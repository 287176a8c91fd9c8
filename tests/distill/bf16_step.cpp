// Mixed precision: a whole distillation step in bf16 on the executor beside the same step in float32, and training.
#include <doctest/doctest.h>

#include "kernels/bf16.h"
#include "tests/distill/one_step.h"

namespace gf::test {
namespace {

struct Agreement {
  double dot = 0, a = 0, b = 0;
  void add(const Tensor& x, const Tensor& y) {
    const std::vector<float> p = x.to_vector(), q = y.to_vector();
    for (std::size_t i = 0; i < p.size(); ++i) {
      dot += static_cast<double>(p[i]) * q[i];
      a += static_cast<double>(p[i]) * p[i];
      b += static_cast<double>(q[i]) * q[i];
    }
  }
  double cosine() const { return dot / std::sqrt(a * b); }
};

}  // namespace

TEST_CASE("a distillation step in bf16: losses and gradients are those of float32, rounded") {
  DistillationOptions options;
  options.supervised = {.ce = 0.5, .dice = 0.5};
  const Start start = trained_start(60);
  const Outcome single = one_step(graph_device(), options, start);
  options.supervised.activations = DType::bf16;
  const Outcome half = one_step(graph_device(), options, start);
  const Outcome shuffled = one_step(on_host(graph_device()) ? simt_device(6) : graph_device(), options, start);

  // The number of threads makes another start: up to 0.056 off.
  for (std::size_t i = 0; i < single.reconstruction.size(); ++i)
    CHECK(half.reconstruction[i] == doctest::Approx(single.reconstruction[i]).epsilon(0.1));
  REQUIRE(half.terms.size() == single.terms.size());
  for (std::size_t i = 0; i < single.terms.size(); ++i) {
    CAPTURE(single.terms[i].name);
    // The graph terms jump where rounding makes another pixel a channel's peak.
    const std::string& name = single.terms[i].name;
    const double allowed = name == "vertex" || name == "edge" ? 0.15 : 0.02;
    CHECK(half.terms[i].value == doctest::Approx(single.terms[i].value).epsilon(allowed));
    CHECK(half.terms[i].value == shuffled.terms[i].value);
  }
  REQUIRE(half.gradients.size() == single.gradients.size());
  Agreement whole, last;  // layers: all of them, and those next to the loss
  for (std::size_t i = 0; i < single.gradients.size(); ++i) {
    const Tensor &a = half.gradients[i].tensor, &b = single.gradients[i].tensor;
    CHECK(a.dtype() == DType::f32);
    whole.add(a, b);
    if (single.gradients[i].name.starts_with("merge4") || single.gradients[i].name.starts_with("head")) last.add(a, b);
    CHECK(a.to_vector() == shuffled.gradients[i].tensor.to_vector());
  }
  CHECK(last.cosine() > 0.99);
  CHECK(whole.cosine() > 0.7);  // 0.81 to 0.94 after 40 to 100 steps of training; two directions by chance: 0.01
  CHECK(half.gradient_norm == doctest::Approx(single.gradient_norm).epsilon(0.1));

  for (const NamedTensor& t : half.after) CHECK(t.tensor.dtype() == DType::f32);
  CHECK(single.shadow.empty());
  REQUIRE(half.shadow.size() == half.masters.size());
  std::size_t differ = 0;
  for (std::size_t i = 0; i < half.masters.size(); ++i) differ += half.shadow[i] != to_float(to_bf16(half.masters[i]));
  CHECK(differ == 0);
}

}  // namespace gf::test
