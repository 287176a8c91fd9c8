// The tape: what backward() and gradients() promise, whatever the op.
#include "engine/autograd.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/convolution.h"
#include "engine/ops/pooling.h"
#include "engine/ops/shape.h"
#include "kernels/error.h"
#include "tests/engine/error_text.h"

namespace gf::test {
namespace {

Tensor leaf(std::vector<float> values) {
  const auto c = static_cast<std::int64_t>(values.size());
  return Tensor::from(values, {1, 1, 1, c}).require_grad();
}

std::vector<float> values(const Tensor& t) { return t.to_vector(); }
using V = std::vector<float>;

}  // namespace

TEST_CASE("backward fills leaves, adds to what is there, and zeroes nothing by itself") {
  const Tensor x = leaf({1, 2, 3});
  CHECK(!x.grad());
  backward(sum(square(x)));
  CHECK(values(x.grad()) == V{2, 4, 6});
  backward(sum(3.0f * x));
  CHECK(values(x.grad()) == V{5, 7, 9});
}

TEST_CASE("gradients leaves .grad() alone and gives an empty tensor where nothing depends") {
  const Tensor x = leaf({1, 2}), other = leaf({5, 6}), plain = Tensor::scalar(1);
  const auto g = gradients(sum(square(x)), {x, other, plain});
  CHECK(values(g[0]) == V{2, 4});
  CHECK(!g[1]);
  CHECK(!g[2]);
  CHECK(!x.grad());
}

TEST_CASE("gradients with respect to a tensor in the middle, and of a leaf that is the result itself") {
  const Tensor x = leaf({1, 2});
  const Tensor middle = square(x), y = 3.0f * middle;
  const auto g = gradients(y, {middle, x, y});
  CHECK(values(g[0]) == V{3, 3});
  CHECK(values(g[1]) == V{6, 12});
  CHECK(values(g[2]) == V{1, 1});
  CHECK(values(gradients(x, {x})[0]) == V{1, 1});
}

TEST_CASE("gradients stops at what was asked for: nothing older is walked") {
  const Tensor x = leaf({1, 2});
  const Tensor middle = square(x), y = sum(square(middle));
  CHECK(values(gradients(y, {middle})[0]) == V{2, 8});
  // The walk above freed the node of y, not the one of `middle`.
  CHECK(values(gradients(sum(middle), {x})[0]) == V{2, 4});
}

TEST_CASE("an upstream gradient weighs the result") {
  const Tensor x = leaf({1, 2, 3});
  const Tensor dy = Tensor::from(V{1, 0, -2}, {1, 1, 1, 3});
  CHECK(values(gradients(square(x), {x}, dy)[0]) == V{2, 0, -12});
}

TEST_CASE("shared subexpressions: every path counts once") {
  const Tensor x = leaf({2});
  const Tensor a = square(x);         // 4
  const Tensor b = a * a, c = a + b;  // 16, 20
  const Tensor y = sum(c * a + b);    // a^2 + a^3 + a^2
  backward(y);
  CHECK(values(x.grad()) == V{(2 * 4 + 3 * 16 + 2 * 4) * 2 * 2});
  SUBCASE("the same tensor three times in one op") {
    const Tensor z = leaf({1, 2});
    backward(sum(concat_channels({z, z, z}) * Tensor::from(V{1, 2, 3, 4, 5, 6}, {1, 1, 1, 6})));
    CHECK(values(z.grad()) == V{1 + 3 + 5, 2 + 4 + 6});
  }
  SUBCASE("a doubling chain of 40 diamonds has 2^40 paths and 80 nodes") {
    const Tensor z = leaf({1});
    Tensor d = z;
    for (int i = 0; i < 40; ++i) d = 0.5f * (d + d);
    backward(sum(d));
    CHECK(values(z.grad()) == V{1});
  }
}

TEST_CASE("detach, NoGrad and results without leaves stay off the tape") {
  const Tensor x = leaf({1, 2});
  CHECK(!square(x.detach()).requires_grad());
  CHECK(x.detach().data() == x.data());
  {
    const NoGrad off;
    CHECK(!recording());
    CHECK(!square(x).requires_grad());
    { const NoGrad inner; }
    CHECK(!recording());
  }
  CHECK(recording());
  CHECK(square(x).requires_grad());
  CHECK(!square(Tensor::scalar(2)).requires_grad());
  const Tensor y = sum(square(x) * square(x).detach());  // the detached factor is a constant
  CHECK(values(gradients(y, {x})[0]) == V{2, 16});
}

TEST_CASE("a walked tape is gone unless it was to be kept") {
  const Tensor x = leaf({1, 2});
  const Tensor y = sum(square(x));
  backward(y, true);
  backward(y, true);
  CHECK(values(x.grad()) == V{4, 8});
  CHECK(values(gradients(y, {x}, {}, false, true)[0]) == V{2, 4});
  backward(y);
  CHECK(error_text([&] { backward(y); }) ==
        "the tape was already walked and freed: op sum_to; pass retain_tape to the first walk");
}

TEST_CASE("backward wants a scalar that is on the tape") {
  CHECK(error_text([] {
          backward(leaf({1, 2}));
        }) == "backward from a tensor that is no scalar: [1,1,1,2]: expected [1,1,1,1], found [1,1,1,2]");
  CHECK(error_text([] { backward(Tensor::scalar(1)); }) == "backward from a tensor that is not on the tape: [1,1,1,1]");
  const Tensor x = leaf({3});
  backward(x);
  CHECK(values(x.grad()) == V{1});
}

TEST_CASE("ops without a second derivative refuse by name, but only where it is asked of them") {
  const Tensor x = Tensor::full({1, 2, 2, 3}, 2.0f).require_grad();
  const Tensor ones = Tensor::full({1, 1, 1, 3}, 1.0f), zeros = Tensor::zeros({1, 1, 1, 3});
  const auto norm = [&] { return batch_norm(x, ones, zeros, zeros, ones, {}, false); };
  CHECK(error_text([&] { gradients(sum(norm()), {x}, {}, true); }) ==
        "no second derivative: op batch_norm: expected an op that is twice differentiable, found batch_norm");
  CHECK(error_text([&] { gradients(max_pool(x), {x}, {}, true); }).find("op max_pool") != std::string::npos);
  CHECK(gradients(sum(norm()), {x})[0]);
  // A once-only op beside the path that is differentiated does not matter.
  CHECK(gradients(sum(square(x)) + sum(norm().detach()), {x}, {}, true)[0].requires_grad());
}

TEST_CASE("gradients of gradients: x^4 down to its fourth derivative") {
  const Tensor x = leaf({1.5f});
  Tensor d = square(square(x));
  const float expected[] = {4 * 1.5f * 1.5f * 1.5f, 12 * 1.5f * 1.5f, 24 * 1.5f, 24};
  for (const float e : expected) {
    d = gradients(d, {x}, {}, true)[0];
    CHECK(d.item() == doctest::Approx(e));
  }
  CHECK(!gradients(d, {leaf({1})})[0]);
}

TEST_CASE("create_graph keeps the tape, and its results can be walked by backward") {
  const Tensor x = leaf({1, 2, 3});
  const Tensor y = sum(x * square(x));
  const Tensor g = gradients(y, {x}, {}, true)[0];  // 3 x^2
  CHECK(values(g) == V{3, 12, 27});
  backward(sum(g) + y);
  CHECK(values(x.grad()) == V{6 + 3, 12 + 12, 18 + 27});
}

TEST_CASE("trace_nan names the op, the direction and the element") {
  struct Tracing {
    Tracing() { trace_nan(true); }
    ~Tracing() { trace_nan(false); }
  };
  const Tensor x = leaf({1, -1}), zero = leaf({0, 4});
  {
    const Tracing on;
    CHECK(error_text([&] { log(x); }).find("not finite: log (forward), tensor [1,1,1,2]") == 0);
    CHECK(error_text([&] { log(x); }).find("nan at element 1") != std::string::npos);
    CHECK(error_text([&] { backward(sum(sqrt(zero))); }).find("not finite: sqrt (backward), tensor [1,1,1,2]") == 0);
    {
      const NoGrad off;
      CHECK(error_text([&] { log(x); }).find("not finite: log (forward)") == 0);
    }
    backward(sum(sqrt(leaf({1, 4}))));
  }
  CHECK(recording());  // an exception in a walk does not leave recording off
  log(x);
}

TEST_CASE("an observer sees the ops recorded while it lives, nested ones too") {
  const Tensor x = leaf({1, 2});
  const TapeObserver outer;
  square(x);
  {
    const TapeObserver inner;
    backward(sum(exp(x)));
    CHECK(inner.ops() == std::set<std::string>{"exp", "sum_to"});
  }
  relu(x);
  relu(Tensor::scalar(1));
  CHECK(outer.ops().count("square"));
  CHECK(outer.ops().count("relu"));
  CHECK(outer.ops().count("exp"));
}

}  // namespace gf::test
