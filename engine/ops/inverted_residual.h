#pragma once
// MobileNetV2's inverted residual for inference on the CPU, in bands of image rows. Its middle has six times the
// channels of its ends: as whole tensors it goes out to memory and back twice, a band of it stays in the cache.
#include "engine/ops/convolution.h"

namespace gf {

// Whether bands are quicker: float32 on the CPU, one image's middle (`hidden` channels at x's size) larger than the
// caches near the cores. Two cores of an EPYC: Mobile U-Net @256, whose last block widens to 192 channels @128 (12
// MiB), 30 ms whole and 25 in bands on one thread, 16 and 14 on two. Alone, 288 channels @64 (4.5 MiB) 2.8 and 2.3 ms,
// 144 @64 (2.3 MiB) .79 and .83.
bool bands_pay(const Tensor& x, std::int64_t hidden);

// project(depthwise(expand(x))) + residual (may be empty). expand and project are 1x1, depthwise 3x3 with padding 1 and
// any stride; the same values as the three one after another. `into`: place.h. Records nothing.
Tensor inverted_residual_inference(const Tensor& x, const FoldedConvolution& expand, const FoldedConvolution& depthwise,
                                   const FoldedConvolution& project, const Tensor& residual = {},
                                   const Tensor& into = {});

}  // namespace gf
