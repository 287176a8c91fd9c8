// bf16 beside float32: casts, shadows of weights, gradients that come home in float32.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/autograd.h"
#include "engine/nn/conv_norm.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "engine/ops/convolution.h"
#include "engine/ops/losses.h"
#include "engine/ops/matmul.h"
#include "engine/ops/shape.h"
#include "engine/optim/optimizer.h"
#include "kernels/bf16.h"
#include "tests/engine/error_text.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

using Values = std::vector<float>;

Tensor numbers(const Shape& s, const Device& device = simt_device(), unsigned seed = 1) {
  Array a(s);
  Generator g(seed);
  normal()(a, g);
  return Tensor::from(Values(a.v.begin(), a.v.end()), s, device);
}

Values rounded(Values v) {
  for (float& x : v) x = to_float(to_bf16(x));
  return v;
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

double error(const Tensor& a, const Tensor& b) { return norm_error(to_array(a).v, to_array(b).v); }

struct Net : Module {
  Conv2d first, second;
  Net() : first({this, "first"}, 5, 7, 3, {}), second({this, "second"}, 7, 3, 1, {}) {
    initialise(3);
    to(simt_device());
  }
  Tensor operator()(const Tensor& x) const { return second(first(x)); }
};

}  // namespace

TEST_CASE("cast: rounds, widens, and takes the gradient back") {
  for (const Device& device : {cpu_device(), simt_device()}) {
    CAPTURE(device_name(device));
    const Tensor x = numbers({2, 3, 5, 7}, device).require_grad();
    const Tensor half = cast(x, DType::bf16);
    CHECK(half.dtype() == DType::bf16);
    CHECK(half.to_vector() == rounded(x.to_vector()));
    CHECK(cast(x, DType::f32).data() == x.data());
    const Tensor u = numbers(x.shape(), device, 2);
    backward(sum(cast(half, DType::f32) * u));
    CHECK(x.grad().dtype() == DType::f32);
    CHECK(x.grad().to_vector() == rounded(u.to_vector()));
  }
}

TEST_CASE("a leaf in bf16 gathers its gradients in float32") {
  const Tensor x = cast(numbers({1, 1, 1, 9}), DType::bf16).require_grad();
  for (int pass = 0; pass < 3; ++pass) backward(sum(cast(x, DType::f32)));
  CHECK(x.grad().dtype() == DType::f32);
  CHECK(x.grad().to_vector() == Values(9, 3.0f));
}

TEST_CASE("inputs of two dtypes are refused by the op's name") {
  const Tensor a = numbers({1, 1, 4, 4}), b = cast(a, DType::bf16), w = numbers({4, 1, 1, 4});
  CHECK(error_text([&] { a + b; }) ==
        "add: inputs of two dtypes: f32 [1,1,4,4] and bf16 [1,1,4,4]: expected one dtype; cast one of them");
  const std::pair<const char*, std::function<void()>> calls[] = {
      {"div: ", [&] { b / a; }},
      {"matmul: ", [&] { matmul(a, b); }},
      {"concat_channels: ",
       [&] {
         concat_channels({a, b});
       }},
      {"convolution: ", [&] { convolution(b, w, {}, {}); }},
      {"transposed_convolution: ", [&] { transposed_convolution(b, w, {}, {}); }},
      {"kd_loss: ", [&] { kd_loss(a, b); }},
      {"mse_loss: ", [&] { mse_loss(b, a); }},
  };
  for (const auto& [op, call] : calls) CHECK(error_text(call).starts_with(std::string(op) + "inputs of two dtypes"));
}

TEST_CASE("a backward that gives a gradient of another dtype is found out") {
  const Tensor x = cast(numbers({1, 1, 1, 3}), DType::bf16).require_grad();
  const Tensor y = record("careless", cast(x.detach(), DType::f32), {x},
                          [](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {dy}; });
  CHECK(contains(error_text([&] { backward(sum(y)); }),
                 "gradient of a wrong dtype: op careless, input 0: expected bf16"));
}

TEST_CASE("trace_nan sees bf16") {
  const Tensor x = cast(Tensor::from(Values{1, INFINITY}, {1, 1, 1, 2}, simt_device()), DType::bf16);
  trace_nan(true);
  const std::string message = error_text([&] { x + x; });
  trace_nan(false);
  CHECK(contains(message, "not finite: add (forward)"));
}

TEST_CASE("shadows: laid out like the values, written by the optimiser, renewed on demand") {
  for (const char* name : {"sgd", "adam", "adamw"}) {
    CAPTURE(name);
    Net net;
    FlatParameters flat(net, true);
    CHECK(flat.shadow().dtype() == DType::bf16);
    CHECK(flat.shadow().to_vector() == rounded(flat.values().to_vector()));
    const Tensor w = net.second.weight;
    CHECK(w.shadow().to_vector() == rounded(w.to_vector()));
    CHECK(cast(w, DType::bf16).data<bf16>() == w.shadow().data<bf16>());  // costs nothing

    Optimizer optimizer(flat, {.name = name, .lr = 0.1, .weight_decay = 0.1});
    const Values before = net.second.weight.to_vector();
    for (int step = 0; step < 2; ++step) {
      flat.zero_grad();
      backward(sum(cast(net.first(cast(numbers({1, 4, 4, 5}), DType::bf16)), DType::f32)));  // second gets none
      optimizer.step(0.1);
      CHECK(flat.shadow().to_vector() == rounded(flat.values().to_vector()));
    }
    CHECK(net.second.weight.to_vector() == before);

    net.first.weight.assign(numbers(net.first.weight.shape(), simt_device(), 9));
    CHECK(flat.shadow().to_vector() != rounded(flat.values().to_vector()));
    flat.refresh_shadow();
    CHECK(flat.shadow().to_vector() == rounded(flat.values().to_vector()));
    FlatParameters without(net);  // moves the values away from the old shadow
    CHECK(!net.first.weight.shadow());
  }
}

TEST_CASE("a layer in bf16 gives float32 gradients to its float32 weights, those of float32 but for rounding") {
  Net net;
  const Tensor x = numbers({2, 6, 5, 5}), u = numbers({2, 6, 5, 3}, simt_device(), 4);
  const auto gradients_in = [&](DType dtype) {
    const FlatParameters flat(net, dtype == DType::bf16);
    const Tensor y = net(cast(x, dtype));
    CHECK(y.dtype() == dtype);
    backward(sum(cast(y, DType::f32) * u));
    std::vector<Tensor> g;
    for (const NamedTensor& p : net.parameters()) g.push_back(p.tensor.grad().to_dense());
    return g;
  };
  const std::vector<Tensor> single = gradients_in(DType::f32), half = gradients_in(DType::bf16);
  for (std::size_t i = 0; i < single.size(); ++i) {
    CHECK(half[i].dtype() == DType::f32);
    CHECK(error(half[i], single[i]) < 1e-2);
    CHECK(error(half[i], single[i]) > 1e-6);  // it was bf16
  }
}

TEST_CASE("frozen weights: their bf16 copies are made once, float32 inputs still meet float32 weights") {
  Net net;
  const Tensor x = numbers({1, 6, 5, 5}), exact = net(x).detach();
  net.freeze();
  CHECK(error(net(cast(x, DType::bf16)), exact) < 1e-2);
  const Tensor kept = net.first.weight.shadow();
  REQUIRE(kept);
  net(cast(x, DType::bf16));
  CHECK(net.first.weight.shadow().data<bf16>() == kept.data<bf16>());
  CHECK(net(x).to_vector() == exact.to_vector());
  CHECK(weights_as(Tensor(), DType::bf16).operator bool() == false);
}

TEST_CASE("conv_norm in bf16: float32 statistics beside it, frozen or not") {
  struct Layer : Module {
    ConvNorm norm;
    Layer() : norm({this, "norm"}, 5, 9, 3, {.act = NormActivation::relu}) {
      initialise(5);
      to(simt_device());
      eval();
    }
  } layer;
  layer.norm.bn.running_mean.assign(Tensor::full({1, 1, 1, 9}, 0.2f, simt_device()));
  const NoGrad off;
  const Tensor x = numbers({1, 6, 5, 5}), exact = layer.norm(x);
  CHECK(error(layer.norm(cast(x, DType::bf16)), exact) < 1e-2);
  layer.freeze();
  const Tensor y = layer.norm(cast(x, DType::bf16));
  CHECK(y.dtype() == DType::bf16);
  CHECK(error(y, exact) < 1e-2);
  CHECK(!layer.norm.conv.folded.weight);
  layer.freeze(true);  // asked for
  const Tensor folded = layer.norm(cast(x, DType::bf16));
  CHECK(layer.norm.conv.folded.weight);
  CHECK(folded.dtype() == DType::bf16);
  CHECK(error(folded, exact) < 1e-2);
}

}  // namespace gf::test
