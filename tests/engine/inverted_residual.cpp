// An inverted residual in bands of rows gives what its three convolutions give one after another.
#include "engine/ops/inverted_residual.h"

#include <doctest/doctest.h>

#include "engine/ops/convolution.h"
#include "engine/ops/mac_counter.h"
#include "kernels/error.h"
#include "tests/harness/golden.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

Tensor normal_numbers(const Shape& s, unsigned seed) {
  Generator g(seed);
  Array a(s);
  normal()(a, g);
  return to_tensor(a, Layout::dense);
}

struct Block {
  FoldedConvolution expand, depthwise, project;
  Block(std::int64_t in, std::int64_t hidden, std::int64_t out, int stride)
      : expand{normal_numbers({hidden, 1, 1, in}, 1),
               normal_numbers({1, 1, 1, hidden}, 2),
               {},
               ConvolutionActivation::relu6},
        depthwise{normal_numbers({hidden, 3, 3, 1}, 3),
                  normal_numbers({1, 1, 1, hidden}, 4),
                  {.stride_h = stride, .stride_w = stride, .pad_h = 1, .pad_w = 1, .groups = static_cast<int>(hidden)},
                  ConvolutionActivation::relu6},
        project{normal_numbers({out, 1, 1, hidden}, 5),
                normal_numbers({1, 1, 1, out}, 6),
                {},
                ConvolutionActivation::none} {}
  Tensor one_after_another(const Tensor& x, const Tensor& residual) const {
    Tensor t = x;
    for (const FoldedConvolution* c : {&expand, &depthwise, &project})
      t = convolution_inference(t, c->weight, c->bias, c->shape, c->act, c == &project ? residual : Tensor());
    return t;
  }
};

TEST_CASE("inverted residual in bands: odd and even heights, strides, residual, places, several images") {
  // 250 pixels a row of 96 channels: ten rows or fewer a band and thread.
  for (const std::int64_t height : {1, 2, 3, 40, 41, 57})
    for (const int stride : {1, 2})
      for (const bool residual : {false, true}) {
        if (residual && stride != 1) continue;
        CAPTURE(height);
        CAPTURE(stride);
        CAPTURE(residual);
        const Block block(16, 96, 16, stride);
        const Tensor wide = normal_numbers({2, height, 250, 24}, 7), x = wide.view_channels(4, 16);
        const Tensor expected = block.one_after_another(x, residual ? x : Tensor());
        Shape joined = expected.shape();
        joined.c = 20;
        const Tensor place = Tensor::full(joined, -7.0f);
        const Tensor y = inverted_residual_inference(x, block.expand, block.depthwise, block.project,
                                                     residual ? x : Tensor(), place.view_channels(3, 16));
        CHECK(relative_error(y, expected) < 1e-6);
        CHECK(max_abs(place.view_channels(0, 3)) == 7);
        CHECK(max_abs(place.view_channels(19, 1)) == 7);
      }
}

TEST_CASE("inverted residual in bands: counted as its three convolutions, refused where it does not fit") {
  const Block block(8, 48, 8, 1);
  const Tensor x = normal_numbers({1, 6, 5, 8}, 7);
  const MacCounter whole;
  block.one_after_another(x, {});
  const MacCounter bands;
  inverted_residual_inference(x, block.expand, block.depthwise, block.project);
  CHECK(bands.count() == 30 * 48 * (8 + 9 + 8));
  CHECK(bands.count() == whole.count());
  CHECK(bands.layers().size() == 3);
  Block three(8, 48, 8, 3);
  CHECK_THROWS_WITH_AS(inverted_residual_inference(x, three.expand, three.depthwise, three.project),
                       doctest::Contains("stride 1 or 2"), Error);
}

TEST_CASE("inverted residual in bands: only for middles that leave the caches, in float32 on the CPU") {
  const Tensor small = Tensor::zeros({1, 64, 64, 4}), large = Tensor::zeros({1, 128, 128, 4});
  CHECK(!bands_pay(small, 192));
  CHECK(bands_pay(large, 192));
  CHECK(!bands_pay(Tensor::zeros({8, 64, 64, 4}), 192));  // an image's middle counts
  CHECK(!bands_pay(large.to(simt_device()), 192));
}

}  // namespace
}  // namespace gf::test
