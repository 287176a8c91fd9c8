// What ops promise beside values and derivatives: random masks, constants, identities, refusals.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/convolution.h"
#include "engine/ops/distillation_loss.h"
#include "engine/ops/dropout.h"
#include "engine/ops/losses.h"
#include "engine/ops/matmul.h"
#include "engine/ops/resize.h"
#include "engine/ops/salience.h"
#include "engine/ops/shape.h"
#include "engine/ops/softmax.h"
#include "tests/engine/error_text.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

Tensor random_tensor(const Shape& s, unsigned seed = 1) {
  Generator g(seed);
  Array a(s);
  normal()(a, g);
  return to_tensor(a, Layout::dense);
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("dropout2d drops whole channels with its probability and keeps the mean") {
  Random random(9);
  const Tensor x = Tensor::full({64, 3, 2, 64}, 1.0f);
  const Array y = to_array(dropout2d(x, 0.3f, random));
  int dropped = 0;
  for (std::int64_t n = 0; n < 64; ++n)
    for (std::int64_t c = 0; c < 64; ++c) {
      const double first = y.at(n, 0, 0, c);
      CHECK((first == 0 || first == doctest::Approx(1 / 0.7)));
      dropped += first == 0;
      for (std::int64_t p = 0; p < 6; ++p) CHECK(y.at(n, p / 2, p % 2, c) == first);
    }
  CHECK(dropped / 4096.0 == doctest::Approx(0.3).epsilon(0.08));
}

TEST_CASE("dropout2d draws a new mask each time, the same one for the same position, none for p = 0") {
  const Tensor x = Tensor::full({4, 1, 1, 64}, 1.0f);
  Random random(9);
  const auto first = dropout2d(x, 0.5f, random).to_vector(), second = dropout2d(x, 0.5f, random).to_vector();
  CHECK(first != second);
  CHECK(random.position() == 2);
  random.seek(0);
  CHECK(dropout2d(x, 0.5f, random).to_vector() == first);
  CHECK(dropout2d(x, 0.0f, random).data() == x.data());
  CHECK(random.position() == 1);
  CHECK(error_text([&] { dropout2d(x, 1.0f, random); }) ==
        "dropout probability out of range: dropout2d: expected 0 <= p < 1, found 1.000000");
}

TEST_CASE("convolution_inference is convolution and relu in one, off the tape") {
  const Tensor x = random_tensor({2, 5, 6, 8}), w = random_tensor({7, 3, 3, 8}, 2).require_grad(),
               b = random_tensor({1, 1, 1, 7}, 3);
  const ConvolutionShape p{.pad_h = 1, .pad_w = 1};
  const Tensor fused = convolution_inference(x, w, b, p, ConvolutionActivation::relu);
  CHECK(!fused.requires_grad());
  CHECK(relative_error(to_array(fused).v, to_array(relu(convolution(x, w, b, p))).v) < 1e-6);
}

TEST_CASE("argmax_channels: the first largest channel, off the tape") {
  const Tensor x = Tensor::from(std::vector<float>{1, 3, 3, -1, -2, -1}, {1, 1, 2, 3});
  const Tensor label = argmax_channels(x);
  CHECK(label.dtype() == DType::i32);
  CHECK(label.shape() == Shape{1, 1, 2, 1});
  CHECK(label.data<std::int32_t>()[0] == 1);
  CHECK(label.data<std::int32_t>()[1] == 0);
}

TEST_CASE("teachers and targets are constants, even where they are on the tape") {
  const Tensor z = random_tensor({1, 2, 2, 3}).require_grad(), t = random_tensor({1, 2, 2, 3}, 2).require_grad();
  CHECK(gradients(kd_loss(z, t), {z, t})[0]);
  CHECK(!gradients(kd_loss(z, t), {z, t})[1]);
  CHECK(!gradients(mse_loss(z, t), {z, t})[1]);
  const Tensor s = random_tensor({1, 1, 4, 9}).require_grad(), u = random_tensor({1, 1, 4, 9}, 2).require_grad();
  const VariationGraphLoss loss = variation_graph_loss(s, s, u, u, {});
  CHECK(loss.vertex.requires_grad());
  CHECK(!gradients(loss.vertex, {u})[0]);
  CHECK(!variation_graph_loss(s.detach(), s.detach(), u, u, {}).edge.requires_grad());
}

TEST_CASE("ops that would change nothing return their input") {
  const Tensor x = random_tensor({1, 4, 4, 2}).require_grad();
  const auto* start = static_cast<const float*>(x.view().data);  // on a GPU, too
  CHECK(sum_to(x, x.shape()).view().data == start);
  CHECK(broadcast_to(x, x.shape()).view().data == start);
  CHECK(resize(x, 4, 4, ResizeMode::bilinear).view().data == start);
  CHECK(slice_channels(x, 1, 1).view().data == start + 1);
  CHECK(reshape(x, {1, 1, 16, 2}).view().data == start);
}

TEST_CASE("NaN passes through instead of vanishing") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::full({1, 1, 1, 40}, nan);
  for (const auto& f : {relu, relu6, gf::tanh, gf::exp, gf::log, gf::sqrt, sigmoid, softmax, log_softmax})
    CHECK(std::isnan(f(x).to_vector()[39]));
  CHECK(std::isnan(leaky_relu(x, 0.1f).to_vector()[0]));
  CHECK(std::isnan(sum(x).item()));
}

TEST_CASE("labels out of range are counted and refused, with the settings that help") {
  const Tensor z = Tensor::zeros({1, 2, 2, 3});
  const Tensor label = Tensor::from(std::vector<std::int32_t>{0, 3, -1, 255}, {1, 2, 2, 1});
  for (const auto& text :
       {error_text([&] { cross_entropy(z, label, {}, 255); }), error_text([&] { dice_loss(z, label, 255); }),
        error_text([&] { distillation_loss(z, z, label, {}, {.ignore_index = 255}); })}) {
    CHECK(contains(text, "labels out of range: label tensor [1,2,2,1]: expected 0..2, found 2 pixels outside"));
    CHECK(contains(text, "data.label_map"));
  }
}

TEST_CASE("shapes that do not fit are refused with both shapes") {
  const Tensor a = Tensor::zeros({2, 3, 4, 5}), b = Tensor::zeros({2, 3, 4, 6});
  CHECK(error_text([&] { a + b; }) == "shapes cannot be broadcast together: [2,3,4,5] and [2,3,4,6]");
  CHECK(error_text([&] {
          matmul(Tensor::zeros({1, 1, 2, 3}), Tensor::zeros({1, 1, 4, 3}), true, false);
        }) == "matrix product of matrices that do not fit: [1,1,2,3]^T * [1,1,4,3]");
  CHECK(error_text([&] {
          concat_channels({a, Tensor::zeros({2, 3, 3, 5})});
        }) == "parts of a concatenation differ in n, h or w: concat_channels: expected [2,3,4,5], found [2,3,3,5]");
  CHECK(error_text([] { concat_channels({}); }) == "concatenation of nothing: concat_channels");
  CHECK(error_text([&] {
          reshape(a, {1, 1, 1, 119});
        }) == "reshape changes the number of elements: [2,3,4,5]: expected [2,3,4,5], found [1,1,1,119]");
  CHECK(contains(error_text([&] { slice_channels(a, 3, 3); }), "channel range outside the tensor: [2,3,4,5]"));
  CHECK(contains(error_text([&] { sum_to(a, {1, 2, 1, 5}); }), "[2,3,4,5] to y f32 [1,2,1,5]"));
  CHECK(contains(error_text([&] { convolution(a, Tensor::zeros({4, 3, 3, 6}), {}, {}); }), "x [2,3,4,5], w [4,3,3,6]"));
  CHECK(error_text([&] {
          transposed_convolution(a, Tensor::zeros({4, 2, 2, 6}), {}, {});
        }) ==
        "transposed convolution: weight does not fit: x [2,3,4,5], w [4,2,2,6]: expected 5 input channels, found 4");
  CHECK(contains(error_text([&] { mse_loss(a, b); }), "[2,3,4,6]"));
}

}  // namespace gf::test
