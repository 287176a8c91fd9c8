// FlatParameters: one buffer for all parameters, one for all gradients.
#include "engine/optim/flat_parameters.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/autograd.h"
#include "engine/memory.h"
#include "engine/nn/convolution.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/convolution.h"
#include "engine/ops/losses.h"
#include "engine/ops/shape.h"
#include "engine/optim/optimizer.h"
#include "tests/engine/error_text.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

// Sizes that are no multiples of 64 floats, so that there is padding behind each.
struct Vectors : Module {
  Tensor a, b, c, d;
  Vectors() {
    a = parameter("a", {1, 1, 1, 3}, FileLayout::vector);
    b = parameter("b", {1, 1, 1, 70}, FileLayout::vector);
    c = parameter("c", {1, 1, 1, 64}, FileLayout::vector);
    d = parameter("d", {1, 1, 1, 1}, FileLayout::vector);
  }
};

void set(const Tensor& t, float value) { std::fill_n(t.mutable_data(), t.count(), value); }

using Values = std::vector<float>;

}  // namespace

TEST_CASE("flat parameters: offsets of 256 bytes, zero padding, values kept, handles moved") {
  Vectors m;
  set(m.a, 1);
  set(m.b, 2);
  set(m.c, 3);
  set(m.d, 4);
  const FlatParameters flat(m);
  const std::int64_t offsets[] = {0, 64, 192, 256};
  REQUIRE(flat.entries().size() == 4);
  CHECK(flat.size() == 320);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& e = flat.entries()[i];
    CHECK(e.offset == offsets[i]);
    CHECK(e.tensor.data() == flat.values().data() + e.offset);
    CHECK(reinterpret_cast<std::uintptr_t>(e.tensor.data()) % 64 == 0);
    CHECK(e.tensor.data()[0] == static_cast<float>(i + 1));
  }
  CHECK(m.b.data() == flat.values().data() + 64);
  double sum = 0;
  for (const float v : flat.values().to_vector()) sum += static_cast<double>(v);
  CHECK(sum == 3 + 140 + 192 + 4);
  CHECK(flat.gradients().to_vector() == Values(320, 0.0f));
  CHECK(flat.like().to_vector() == Values(320, 0.0f));
  CHECK(!m.a.grad());
}

TEST_CASE("flat parameters: gradients arrive in the flat buffer, assigned first and then added") {
  Vectors m;
  FlatParameters flat(m);
  for (const float expected : {2.0f, 4.0f}) {
    backward(sum(2.0f * m.b));
    CHECK(flat.gradients().data()[64] == expected);
    CHECK(flat.gradients().data()[64 + 69] == expected);
  }
  CHECK(flat.gradients().data()[64 + 70] == 0);
  CHECK(flat.gradients().data()[63] == 0);
  CHECK(m.b.grad().data() == flat.gradients().data() + 64);
  flat.zero_grad();
  CHECK(!m.b.grad());
  backward(sum(3.0f * m.b));
  CHECK(flat.gradients().data()[64] == 3);
}

TEST_CASE("flat parameters: ranges join neighbours and skip what got no gradient") {
  Vectors m;
  FlatParameters flat(m);
  const auto ranges = [&] {
    std::vector<std::pair<std::int64_t, std::int64_t>> list;
    for (const auto& r : flat.ranges_with_gradient()) list.push_back({r.begin, r.end});
    return list;
  };
  using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;
  CHECK(ranges().empty());
  backward(sum(m.a) + sum(m.b) + sum(m.d));
  CHECK(ranges() == Ranges{{0, 134}, {256, 257}});
  backward(sum(m.c));
  CHECK(ranges() == Ranges{{0, 257}});
  flat.zero_grad();
  CHECK(ranges().empty());
  backward(sum(m.c));
  CHECK(ranges() == Ranges{{192, 256}});
}

TEST_CASE("flat parameters: the norm sees the gradients that have arrived") {
  Vectors m;
  FlatParameters flat(m);
  backward(sum(2.0f * m.a) + 5.0f * sum(m.d));
  CHECK(flat.gradient_norm() == doctest::Approx(std::sqrt(3 * 4.0 + 25)));
  flat.zero_grad();
  backward(sum(m.a));
  CHECK(flat.gradient_norm() == doctest::Approx(std::sqrt(3.0)));  // d's old gradient does not count
  flat.zero_grad();
  CHECK(flat.gradient_norm() == 0);
}

TEST_CASE("flat parameters: the buffers count under their tag") {
  const auto bytes = [] { return memory_statistics().by_tag["parameters"].now; };
  const std::size_t before = bytes();
  {
    Vectors m;
    const FlatParameters flat(m);
    CHECK(bytes() - before == 2 * 320 * sizeof(float));
  }
  CHECK(bytes() == before);
}

TEST_CASE("gradients of micro-batches add up to the gradient of the batch, for a mean loss") {
  struct Net : Module {
    Conv2d first, head;
    Net() : first({this, "first"}, 2, 6, 3, {}), head({this, "head"}, 6, 4, 1, {}) {}
    Tensor operator()(const Tensor& x) const { return head(square(first(x))); }
  } net;
  net.initialise(3);
  net.to(test_device());
  FlatParameters flat(net);
  Generator g(1);
  Array image({4, 6, 5, 2}), label({4, 6, 5, 1});
  normal()(image, g);
  class_ids(4)(label, g);
  const Tensor x = to_tensor(image, Layout::dense), y = to_tensor(label, Layout::dense, DType::i32);
  backward(cross_entropy(net(x), y));
  const Values whole = flat.gradients().to_vector();
  flat.zero_grad();
  for (int i = 0; i < 4; ++i) backward(0.25f * cross_entropy(net(x.view_images(i, 1)), y.view_images(i, 1)));
  CHECK(relative_error(to_array(flat.gradients()).v, std::vector<double>(whole.begin(), whole.end())) < 1e-6);
}

TEST_CASE("a frozen module has no gradients to make flat, and says so") {
  Vectors m;
  m.freeze();
  CHECK(error_text([&] { const FlatParameters flat(m); }) ==
        "parameter without a gradient: a [1,1,1,3]: expected a module that is not frozen; build the module anew to "
        "train it");
}

}  // namespace gf::test
