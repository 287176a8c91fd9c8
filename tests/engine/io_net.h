#pragma once
// The net of tests/golden/safetensors_files.py: every kind of weight whose order differs between PyTorch's files and
// us.
#include "engine/nn/batch_norm.h"
#include "engine/nn/convolution.h"
#include "engine/ops/activation.h"

namespace gf::test {

struct SmallNet : Module {
  Conv2d conv;
  BatchNorm2d bn;
  Conv2d depthwise;
  ConvTranspose2d up;

  explicit SmallNet(std::int64_t up_channels = 2)
      : conv({this, "conv"}, 3, 4, {2, 5}, {}),
        bn({this, "bn"}, 4),
        depthwise({this, "depthwise"}, 4, 4, 3, {.groups = 4, .bias = false}),
        up({this, "up"}, 4, up_channels, {3, 2}, {}) {}

  Tensor operator()(const Tensor& x) const { return up(relu(depthwise(bn(conv(x))))); }
};

}  // namespace gf::test
