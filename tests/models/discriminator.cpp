// The discriminator's sizes and what it refuses; its values are compared in tests/distill/golden_adversarial.cpp.
#include "models/discriminator.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/mac_counter.h"
#include "kernels/error.h"

using namespace gf;

TEST_CASE("discriminator: parameter counts and work of the published size") {
  const Discriminator two({.channels = 2});
  CHECK(two.parameter_count() == 3'174'275);
  CHECK(Discriminator({.channels = 9}).parameter_count() == 3'181'443);
  CHECK(Discriminator({.channels = 9, .preprocess = Preprocess::batch_norm}).parameter_count() == 3'181'443 + 18);
  const NoGrad off;
  const MacCounter counter;
  CHECK(two(Tensor::zeros({1, 256, 256, 2})).shape() == Shape{1, 13, 13, 1});
  CHECK(static_cast<double>(counter.count()) == doctest::Approx(2.15e9).epsilon(0.05));
}

TEST_CASE("discriminator: any picture that four halvings leave a 4x4 window of, and no smaller one") {
  Discriminator d({.channels = 3, .width = 0.05});
  d.initialise(1);
  const NoGrad off;
  CHECK(d(Tensor::zeros({2, 64, 95, 3})).shape() == Shape{2, 1, 2, 1});
  CHECK(d(Tensor::zeros({1, 224, 224, 3})).shape() == Shape{1, 11, 11, 1});
  CHECK_THROWS_WITH_AS(d(Tensor::zeros({1, 63, 64, 3})), doctest::Contains("at least 64"), Error);
  CHECK_THROWS_WITH_AS(parse_preprocess("relu"), doctest::Contains("none, tanh, batch_norm or bytes"), Error);
}

TEST_CASE("discriminator: a fresh one starts with unit vectors and attention that passes its input through") {
  Discriminator d({.channels = 2, .width = 0.1});
  d.initialise(3);
  for (const NamedTensor& b : d.buffers()) {
    double squares = 0;
    for (const float v : b.tensor.to_vector()) squares += static_cast<double>(v) * v;
    CHECK(std::sqrt(squares) == doctest::Approx(1));
  }
  int gammas = 0;
  for (const NamedTensor& p : d.parameters())
    if (p.name.ends_with("gamma")) {
      CHECK(p.tensor.item() == 0);
      ++gammas;
    }
  CHECK(gammas == 2);
}
