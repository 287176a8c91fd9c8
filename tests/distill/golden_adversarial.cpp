// The discriminator and its losses against PyTorch (tests/golden/make_adversarial.py), on cpu and simt.
#include <doctest/doctest.h>

#include "distill/adversarial.h"
#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/shape.h"
#include "kernels/error.h"
#include "tests/distill/golden_discriminator.h"

using namespace gf;
using namespace gf::test;

namespace {

template <class Body>
void on_devices(const Body& body) {
  for (const Device& device : {cpu_device(), simt_device()}) {
    CAPTURE(device_name(device));
    body(device);
  }
}

}  // namespace

TEST_CASE("discriminator: scores of two calls one after the other, and the state behind them") {
  on_devices([](const Device& device) {
    const GoldenDiscriminator g(device);
    CHECK(relative_error((*g.net)(g.teacher), golden_tensor(g.expected, "scores_1")) < 1e-5);
    CHECK(relative_error((*g.net)(g.teacher), golden_tensor(g.expected, "scores_2")) < 1e-5);
    CHECK(max_difference(golden_tensor(g.expected, "scores_1"), golden_tensor(g.expected, "scores_2")) > 1e-3);
    for (const NamedTensor& b : g.net->buffers())
      CHECK(relative_error(b.tensor, golden_tensor(g.expected, "after/" + b.name)) < 1e-5);
  });
}

TEST_CASE("adversarial: the student's loss and its gradient, the discriminator's parameters get none") {
  on_devices([](const Device& device) {
    GoldenDiscriminator g(device);
    g.student.require_grad();
    const Tensor loss = generator_loss(*g.net, g.student);
    CHECK(loss.item() == doctest::Approx(g.number("generator/loss")).epsilon(1e-5));
    backward(loss);
    CHECK(relative_error(g.student.grad(), golden_tensor(g.expected, "generator/grad_logits")) < 1e-4);
    for (const NamedTensor& p : g.net->parameters()) {
      CHECK_FALSE(p.tensor.grad());
      CHECK(p.tensor.requires_grad());
    }
  });
}

TEST_CASE("adversarial: the penalty and its gradient with respect to every parameter of the discriminator") {
  on_devices([](const Device& device) {
    const GoldenDiscriminator g(device);
    const Tensor value = gradient_penalty(*g.net, g.teacher, g.student, g.alpha);
    CHECK(value.item() == doctest::Approx(g.number("penalty/value")).epsilon(1e-5));
    backward(value);
    g.compare_gradients("penalty/grad/");
  });
}

TEST_CASE("adversarial: the discriminator's losses and their gradients") {
  on_devices([](const Device& device) {
    for (const std::string kind : {"wgan_gp", "hinge"}) {
      const GoldenDiscriminator g(device);
      AdversarialOptions o;
      o.loss = parse_adversarial_loss(kind);
      const DiscriminatorLoss loss = discriminator_loss(*g.net, g.teacher, g.student, g.alpha, o);
      CHECK(loss.total.item() == doctest::Approx(g.number(kind + "/loss")).epsilon(1e-5));
      CHECK(loss.teacher.item() == doctest::Approx(g.number(kind + "/teacher")).epsilon(1e-5));
      CHECK(loss.student.item() == doctest::Approx(g.number(kind + "/student")).epsilon(1e-5));
      backward(loss.total);
      g.compare_gradients(kind + "/grad/");
    }
    const GoldenDiscriminator g(device, true);
    const auto joined = [&](const Tensor& logits) { return concat_channels({g.input("image"), logits}); };
    const DiscriminatorLoss loss = discriminator_loss(*g.net, joined(g.teacher), joined(g.student), g.alpha, {});
    CHECK(loss.total.item() == doctest::Approx(g.number("conditional/loss")).epsilon(1e-5));
    backward(loss.total);
    g.compare_gradients("conditional/grad/");
  });
}

TEST_CASE("adversarial: a penalty whose gradient vanishes has derivatives that are numbers") {
  const GoldenDiscriminator g(cpu_device());
  const Tensor far = Tensor::full(g.teacher.shape(), 100.0f);  // tanh is flat there
  const Tensor value = gradient_penalty(*g.net, far, far, g.alpha);
  CHECK(value.item() == doctest::Approx(1));
  backward(value);
  for (const NamedTensor& p : g.net->parameters())
    if (const Tensor gradient = p.tensor.grad()) CHECK(std::isfinite(max_abs(gradient)));
}

TEST_CASE("adversarial: saturation is said once, after many steps on end") {
  SaturationWatch far(AdversarialLoss::wgan_gp), hinge(AdversarialLoss::hinge), calm(AdversarialLoss::wgan_gp);
  int said = 0;
  for (int i = 0; i < 3 * SaturationWatch::kPatience; ++i) {
    said += far.see(150, -1).empty() ? 0 : 1;
    if (i == SaturationWatch::kPatience - 2) CHECK(said == 0);
    CHECK(calm.see(i % 50 == 0 ? 0 : 150, -1) == "");
    const std::string text = hinge.see(1.5, -2);
    if (i == SaturationWatch::kPatience - 1)
      CHECK(text.find("told every student from its teacher") != std::string::npos);
    else
      CHECK(text == "");
  }
  CHECK(said == 1);
}
