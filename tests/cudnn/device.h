#pragma once
// The described GPU of these tests, and whether the library is there to plan for it.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "kernels/cudnn/convolution.h"
#include "kernels/cudnn/library.h"

namespace gf::test {

inline const cudnn::DeviceProperties& described_device() {
  static const cudnn::DeviceProperties device = [] {
    std::ifstream file(std::string(GF_SOURCE_DIR) + "/tests/cudnn/h200_device.json");
    return cudnn::DeviceProperties{{std::istreambuf_iterator<char>(file), {}}};
  }();
  return device;
}

inline bool have_cudnn() {
  std::string reason;
  if (cudnn::available(&reason)) return true;
  MESSAGE("skipped: ", reason);
  return false;
}

// A 3x3 convolution of 64 channels, 64x64, batch 8.
inline cudnn::ConvolutionProblem small_problem() {
  cudnn::ConvolutionProblem q;
  q.x = q.y = {8, 64, 64, 64};
  q.w = {64, 3, 3, 64};
  q.x_stride = q.y_stride = 64;
  q.shape = {.pad_h = 1, .pad_w = 1};
  return q;
}

}  // namespace gf::test
