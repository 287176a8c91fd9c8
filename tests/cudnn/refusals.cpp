// What is said where cuDNN refuses: its own reason, and the shapes.
#include <doctest/doctest.h>

#include "kernels/error.h"
#include "tests/cudnn/device.h"

using namespace gf;
using namespace gf::cudnn;

namespace {

std::string refusal(const ConvolutionProblem& q, const DeviceProperties& device = test::described_device()) {
  try {
    make_convolution_plan(q, {}, &device);
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

bool contains(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE("no '", part, "' in: ", text);
  return found;
}

}  // namespace

TEST_CASE("a graph that no engine takes") {
  if (!test::have_cudnn()) return;
  // A GPU before bfloat16 tensor cores.
  DeviceProperties volta = test::described_device();
  const std::string now = "\"deviceVer\": 900";
  volta.json.replace(volta.json.find(now), now.size(), "\"deviceVer\": 700");
  ConvolutionProblem q = test::small_problem();
  q.dtype = DType::bf16;
  const std::string text = refusal(q, volta);
  CHECK(contains(text, "cuDNN has no engine for this graph: forward bf16, x [8,64,64,64], w [64,3,3,64]"));
  CHECK(contains(text, "found 0 proposed"));
  CHECK(contains(text, "bfloat16_supported"));
  q.dtype = DType::f32;
  CHECK(refusal(q, volta) == "accepted");
}

TEST_CASE("a description that is wrong in itself") {
  if (!test::have_cudnn()) return;
  ConvolutionProblem q = test::small_problem();
  q.x_stride = 32;
  std::string text = refusal(q);
  CHECK(contains(text, "x [8,64,64,64], w [64,3,3,64], stride 1, pad 1, y [8,64,64,64], pixel strides 32 and 64"));
  CHECK(contains(text, "BAD_PARAM (xDesc.hasOverlappingStrides())"));

  q = test::small_problem();
  q.w_alignment = 2;
  CHECK(contains(refusal(q), "; w: found CUDNN_STATUS_BAD_PARAM"));

  CHECK(contains(refusal(test::small_problem(), {"{}"}), "device description: found CUDNN_STATUS_BAD_PARAM"));
}

TEST_CASE("what the wall itself refuses") {
  ConvolutionProblem q = test::small_problem();
  q.y.h = 63;
  CHECK(contains(refusal(q), "wrong output shape"));
  q = test::small_problem();
  q.operation = Operation::input_grad;
  q.bias = true;
  CHECK(contains(refusal(q), "residual, bias and activation belong to forward"));
}
