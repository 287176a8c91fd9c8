// What is TransUNet's own beside its golden values: one size of picture, a frozen one, training.
#include "models/transunet.h"

#include <doctest/doctest.h>

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "engine/ops/shape.h"
#include "engine/optim/optimizer.h"
#include "kernels/error.h"
#include "tests/harness/golden.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

NetworkOptions narrow(ImageSize size, std::int64_t in_channels = 1) {
  return {.in_channels = in_channels, .classes = 3, .width = 0.05, .dropout = 0, .image_size = size};
}

Tensor picture(const Shape& s) {
  Generator g(3);
  Array a(s);
  normal()(a, g);
  return to_tensor(a, Layout::dense);
}

// Bright discs on noise, their middles a third class.
std::pair<Tensor, Tensor> discs(std::int64_t count, std::int64_t side) {
  Generator g(9);
  Array image({count, side, side, 1}), ids(image.shape);
  normal(0.2)(image, g);
  for_each_element(ids.shape, [&](auto n, auto h, auto w, auto c) {
    const double x = static_cast<double>(w) / static_cast<double>(side) - 0.3 - 0.1 * static_cast<double>(n),
                 y = static_cast<double>(h) / static_cast<double>(side) - 0.6 + 0.1 * static_cast<double>(n);
    ids.at(n, h, w, c) = std::hypot(x, y) < 0.1 ? 2 : std::hypot(x, y) < 0.25 ? 1 : 0;
    image.at(n, h, w, c) += ids.at(n, h, w, c);
  });
  return {to_tensor(image, Layout::dense), to_tensor(ids, Layout::dense, DType::i32)};
}

}  // namespace

TEST_CASE("TransUNet: one size of picture, and what to do about another") {
  const auto published = make_network("transunet", {.width = 0.02});
  CHECK(published->image_size() == ImageSize{224, 224});
  CHECK(smallest_picture(*published) == ImageSize{224, 224});
  const auto net = make_network("transunet", narrow({32, 48}));
  CHECK(net->image_size() == ImageSize{32, 48});
  Random random;
  try {
    net->forward(Tensor::zeros({1, 48, 48, 1}), random);
    FAIL("48x48 is not 32x48");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::usage);
    const std::string text = e.what();
    for (const char* part : {"expected 32x48, found 48x48", "model.image_size"})
      CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  }
  for (const ImageSize wrong : {ImageSize{100, 96}, ImageSize{32, 8}, ImageSize{0, 16}})
    CHECK_THROWS_WITH_AS(make_network("transunet", narrow(wrong)), doctest::Contains("multiples of 16"), Error);
}

TEST_CASE("TransUNet: groups divide the channels of every width") {
  CHECK(transunet::group_count(64) == 32);
  CHECK(transunet::group_count(1024) == 32);
  CHECK(transunet::group_count(12) == 4);
  CHECK(transunet::group_count(3) == 1);
}

TEST_CASE("TransUNet: a gray picture is what the same picture three times over is in colour") {
  const auto gray = make_network("transunet", narrow({32, 32})),
             colour = make_network("transunet", narrow({32, 32}, 3));
  gray->initialise(4);
  colour->initialise(4);
  gray->eval();
  colour->eval();
  const Tensor x = picture({2, 32, 32, 1});
  Random random;
  const NoGrad off;
  const Tensor a = gray->forward(x, random).logits, b = colour->forward(concat_channels({x, x, x}), random).logits;
  CHECK(max_difference(a, b) == 0);
}

TEST_CASE("TransUNet: frozen, its batch norms folded and its weights standardised once, it computes the same") {
  const auto net = make_network("transunet", narrow({32, 48}));
  net->initialise(5);
  const Tensor x = picture({2, 32, 48, 1});
  Random random;
  net->forward(x, random);  // training mode moves the running statistics
  for (const Device& device : {cpu_device(), simt_device(3)}) {
    CAPTURE(device_name(device));
    net->eval();
    net->to(device);
    NetworkOutput before;
    {
      const NoGrad off;
      before = net->forward(x.to(device), random);
    }
    net->freeze();
    for (const char* const turn : {"first", "second"}) {
      CAPTURE(turn);
      const NetworkOutput after = net->forward(x.to(device), random);
      CHECK(!after.logits.requires_grad());
      CHECK(relative_error(after.logits.to(cpu_device()), before.logits.to(cpu_device())) < 1e-5);
      CHECK(relative_error(after.tap("up1").to(cpu_device()), before.tap("up1").to(cpu_device())) < 1e-5);
    }
  }
}

TEST_CASE("TransUNet: a narrow one learns") {
  auto options = narrow({32, 32});
  options.dropout = kPublishedDropout;
  const auto net = make_network("transunet", options);
  net->initialise(6);
  const auto [image, label] = discs(4, 32);
  FlatParameters parameters(*net);
  Optimizer optimizer(parameters, {.name = "adamw"});
  Random random(8);
  double first = 0, last = 0;
  constexpr int kSteps = 40;
  for (int i = 0; i < kSteps; ++i) {
    parameters.zero_grad();
    const Tensor logits = net->forward(image, random).logits;
    const Tensor loss = 0.5f * cross_entropy(logits, label) + 0.5f * dice_loss(logits, label);
    last = static_cast<double>(loss.item());
    if (i == 0) first = last;
    backward(loss);
    optimizer.step(3e-3);
  }
  CAPTURE(first);
  CAPTURE(last);
  CHECK(last < 0.6 * first);
}

}  // namespace gf::test
