// What the tape costs: long chains, and how soon activations are given back.
#include <doctest/doctest.h>

#include "engine/autograd.h"
#include "engine/memory.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/convolution.h"

namespace gf::test {
namespace {

constexpr int kLong = 100000;

using Link = Tensor (*)(const Tensor& y, const Tensor& x);

// A chain hangs on the slots of its nodes and on the tensors that ops have saved: all links, none, every other.
const std::pair<const char*, Link> kLinks[] = {
    {"every op keeps its input", [](const Tensor& y, const Tensor& x) { return y * x; }},
    {"no op keeps its input", [](const Tensor& y, const Tensor&) { return y + 0.5f; }},
    {"every other op", [](const Tensor& y, const Tensor&) { return square(y) + 0.0f; }},
};

Tensor long_chain(const Tensor& x, Link link) {
  Tensor y = x;
  for (int i = 0; i < kLong; ++i) y = link(y, x);
  return y;
}

std::size_t bytes_now() { return memory_statistics().total.now; }

}  // namespace

TEST_CASE("a chain of 100,000 nodes is walked without recursion") {
  const Tensor x = Tensor::scalar(1.0f).require_grad();
  backward(long_chain(x, kLinks[0].second));  // x^100001
  CHECK(x.grad().item() == kLong + 1);
}

TEST_CASE("a chain of 100,000 nodes is dropped without recursion") {
  const Tensor x = Tensor::scalar(1.0f).require_grad();
  const std::size_t before = bytes_now();
  for (const auto& [name, link] : kLinks) {
    CAPTURE(name);
    long_chain(x, link);
    CHECK(bytes_now() == before);
    gradients(long_chain(x, link), {x}, {}, false, true);
    CHECK(bytes_now() == before);
  }
}

TEST_CASE("a chain of 20,000 nodes is differentiated twice without recursion") {
  const Tensor x = Tensor::scalar(0.5f).require_grad();
  Tensor y = x;
  for (int i = 0; i < 10000; ++i) y = tanh(y) + 0.03788f;  // tanh(0.5) + 0.03788 = 0.5
  const Tensor g = gradients(y, {x}, {}, true)[0];
  CHECK(gradients(g, {x})[0]);
}

TEST_CASE("activations are freed while the walk goes on") {
  // 60 links of exp; each keeps its result. At its end the forward pass holds 60 tensors, and the walk must give one
  // back for each gradient it makes.
  const Shape s{1, 64, 64, 16};
  const std::size_t one = static_cast<std::size_t>(s.count()) * sizeof(float);
  const int links = 60;
  const Tensor x = Tensor::full(s, -3.0f).require_grad();
  Tensor loss;
  {
    Tensor y = x;
    for (int i = 0; i < links; ++i) y = -exp(y);
    loss = sum(y);
  }
  const std::size_t held = bytes_now();
  CHECK(held >= links * one);
  reset_memory_peak();
  backward(loss);
  CHECK(memory_statistics().total.peak <= held + 4 * one);
  CHECK(bytes_now() <= 4 * one + (1 << 16));  // x and its gradient
}

TEST_CASE("an op whose backward does not need its input does not keep it") {
  const Shape s{1, 64, 64, 16};
  const std::size_t one = static_cast<std::size_t>(s.count()) * sizeof(float);
  const Tensor x = Tensor::full(s, 1.0f).require_grad();
  const std::size_t before = bytes_now();
  Tensor y = x;
  for (int i = 0; i < 20; ++i) y = y + x;
  CHECK(bytes_now() - before <= one + (1 << 16));
}

TEST_CASE("nothing leaks: the same bytes after every step") {
  const Tensor w = Tensor::full({4, 3, 3, 3}, 0.1f).require_grad(), bias = Tensor::zeros({1, 1, 1, 4}).require_grad();
  const auto step = [&] {
    const Tensor x = Tensor::full({2, 8, 8, 3}, 0.5f);
    const Tensor y = leaky_relu(convolution(x, w, bias, {.pad_h = 1, .pad_w = 1}), 0.2f);
    const auto g = gradients(sum(square(y)), {w, bias}, {}, true);
    backward(sum(square(g[0])) + sum(y));
  };
  step();
  const std::size_t after_one = bytes_now();
  for (int i = 0; i < 5; ++i) step();
  CHECK(bytes_now() == after_one);
}

TEST_CASE("without a tape only the newest activation lives") {
  const Shape s{1, 64, 64, 16};
  const std::size_t one = static_cast<std::size_t>(s.count()) * sizeof(float);
  const Tensor x = Tensor::full(s, 0.5f).require_grad();
  const NoGrad off;
  reset_memory_peak();
  const std::size_t before = bytes_now();
  Tensor y = x;
  for (int i = 0; i < 20; ++i) y = relu(y);
  CHECK(memory_statistics().total.peak <= before + 2 * one);
}

}  // namespace gf::test
