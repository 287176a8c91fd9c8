// Tiles and mirror images: what they must give where the answer is known.
#include "distill/segmenter.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/ops/softmax.h"
#include "kernels/error.h"

using namespace gf;

namespace {

// Logits that depend on a pixel alone: then tiles change nothing.
class Pointwise : public Network {
 public:
  Pointwise() : Network() {}
  NetworkOutput forward(const Tensor& x, Random&) const override {
    largest = {std::max(largest.h, x.shape().h), std::max(largest.w, x.shape().w)};
    most = std::max(most, x.shape().n);
    Tensor logits = Tensor::empty({x.shape().n, x.shape().h, x.shape().w, 3});
    for (std::int64_t i = 0; i < x.count(); ++i)
      for (int k = 0; k < 3; ++k) logits.mutable_data()[3 * i + k] = static_cast<float>(k) * x.data()[i];
    return {logits, {}};
  }
  std::int64_t stride() const override { return 4; }
  std::vector<TapPair> tap_pairs() const override { return {}; }
  std::int64_t tap_channels() const override { return 0; }
  mutable ImageSize largest;
  mutable std::int64_t most = 0;
};

// Logits that grow to the right within what it is given: a network with a bias to one side.
class Leaning : public Pointwise {
 public:
  NetworkOutput forward(const Tensor& x, Random&) const override {
    const Shape s = x.shape();
    Tensor logits = Tensor::zeros({s.n, s.h, s.w, 3});
    for (std::int64_t i = 0; i < x.count(); ++i)
      logits.mutable_data()[3 * i] = static_cast<float>(i % s.w) + 0.1f * static_cast<float>(i / s.w % s.h);
    return {logits, {}};
  }
};

Tensor pictures(std::int64_t n, std::int64_t h, std::int64_t w) {
  Tensor t = Tensor::empty({n, h, w, 1});
  for (std::int64_t i = 0; i < t.count(); ++i) t.mutable_data()[i] = std::sin(static_cast<float>(i));
  return t;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double most = 0;
  for (std::int64_t i = 0; i < a.count(); ++i) most = std::max(most, std::fabs(double{a.data()[i]} - b.data()[i]));
  return most;
}

}  // namespace

TEST_CASE("tile_starts covers the side evenly, with at least the overlap") {
  using V = std::vector<std::int64_t>;
  CHECK(tile_starts(64, 64, 0.5) == V{0});
  CHECK(tile_starts(32, 64, 0.5) == V{0});
  CHECK(tile_starts(128, 64, 0.5) == V{0, 32, 64});
  CHECK(tile_starts(100, 64, 0.5) == V{0, 18, 36});
  CHECK(tile_starts(65, 64, 0) == V{0, 1});
  for (const std::int64_t length : {70, 96, 333})
    for (const double overlap : {0.0, 0.25, 0.75}) {
      const V starts = tile_starts(length, 32, overlap);
      CHECK(starts.front() == 0);
      CHECK(starts.back() == length - 32);
      for (std::size_t i = 1; i < starts.size(); ++i)
        CHECK(static_cast<double>(starts[i] - starts[i - 1]) <= 32 * (1 - overlap) + 1);
    }
}

TEST_CASE("tiles of a network that sees single pixels give what the whole picture gives") {
  const Pointwise network;
  const Tensor x = pictures(2, 40, 52);
  const Tensor whole = Segmenter(network, {}).probabilities(x);
  CHECK(network.largest == ImageSize{40, 52});
  network.largest = {};
  network.most = 0;
  const Segmenter tiled(network, {.batch_size = 3, .tile = {16, 24}, .overlap = 0.5});
  CHECK(largest_difference(tiled.probabilities(x), whole) < 1e-6);
  CHECK(network.largest == ImageSize{16, 24});
  CHECK(network.most == 3);
  CHECK(largest_difference(Segmenter(network, {.tile = {64, 64}}).probabilities(x), whole) < 1e-6);
  CHECK(largest_difference(Segmenter(network, {.mirrors = true, .tile = {16, 24}}).probabilities(x), whole) < 1e-6);
  const Tensor classes = tiled.classes(x), expected = Segmenter(network, {}).classes(x);
  for (std::int64_t i = 0; i < classes.count(); ++i)
    CHECK(classes.data<std::int32_t>()[i] == expected.data<std::int32_t>()[i]);
}

TEST_CASE("mirrors: the mean over the picture and its mirror images has no side") {
  const Leaning network;
  const Tensor x = pictures(1, 8, 12);
  const Tensor once = Segmenter(network, {}).probabilities(x);
  const Tensor p = Segmenter(network, {.mirrors = true}).probabilities(x);
  double leaning = 0;
  for (std::int64_t y = 0; y < 8; ++y)
    for (std::int64_t c = 0; c < 12; ++c) {
      const auto at = [&](const Tensor& t, std::int64_t row, std::int64_t column) {
        return double{t.data()[(row * 12 + column) * 3]};
      };
      leaning = std::max(leaning, std::fabs(at(once, y, c) - at(once, y, 11 - c)));
      CHECK(at(p, y, c) == doctest::Approx(at(p, y, 11 - c)));
      CHECK(at(p, y, c) == doctest::Approx(at(p, 7 - y, c)));
      CHECK(at(p, y, c) ==
            doctest::Approx((at(once, y, c) + at(once, y, 11 - c) + at(once, 7 - y, c) + at(once, 7 - y, 11 - c)) / 4));
    }
  CHECK(leaning > 0.1);
}

TEST_CASE("tiles: the middle of a tile counts more than its rim") {
  const Leaning network;  // class 0 is likelier the further right in a tile
  const Tensor x = pictures(1, 16, 48);
  const Tensor p = Segmenter(network, {.tile = {16, 32}, .overlap = 0.5}).probabilities(x);
  const auto of_tile = [&](std::int64_t column) {  // probability of class 0 in row 8
    const double a = std::exp(static_cast<double>(column) + 0.8);
    return a / (a + 2);
  };
  const auto weight = [](std::int64_t column) {
    return std::exp(-std::pow((static_cast<double>(column) - 15.5) / 4, 2) / 2);
  };
  for (const std::int64_t column : {2, 16, 20, 24, 31, 40}) {
    double sum = 0, weights = 0;
    for (const std::int64_t start : {0, 16})
      if (column >= start && column < start + 32) {
        sum += weight(column - start) * of_tile(column - start);
        weights += weight(column - start);
      }
    CHECK(p.data()[(8 * 48 + column) * 3] == doctest::Approx(sum / weights).epsilon(1e-4));
  }
}

TEST_CASE("a segmenter takes as many pictures together as have the pixels of eight of 256 x 256") {
  const Pointwise network;
  const Segmenter free(network, {}), asked(network, {.batch_size = 3});
  CHECK(free.batch_size(256, 256) == 8);
  CHECK(free.batch_size(512, 512) == 2);
  CHECK(free.batch_size(2048, 2048) == 1);
  CHECK(free.batch_size(16, 16) == 64);
  CHECK(asked.batch_size(2048, 2048) == 3);
}

TEST_CASE("a segmenter refuses what its network does not take") {
  const Pointwise network;
  CHECK_THROWS_WITH_AS(Segmenter(network, {.tile = {16, 18}}), doctest::Contains("multiples of 4"), Error);
  CHECK_THROWS_WITH_AS(Segmenter(network, {.overlap = 1}), doctest::Contains("below 1"), Error);
}
