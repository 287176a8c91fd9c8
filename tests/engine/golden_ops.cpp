// The engine's ops against what PyTorch computes: forward and every gradient of the cases in
// tests/golden/ops.safetensors.
#include <doctest/doctest.h>

#include <functional>
#include <map>

#include "engine/autograd.h"
#include "engine/ops/activation.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/convolution.h"
#include "engine/ops/pooling.h"
#include "engine/ops/resize.h"
#include "engine/ops/softmax.h"
#include "tests/harness/golden.h"

namespace gf::test {
namespace {

constexpr double kTolerance = 1e-5;  // the golden files' README says why

// What a case of the file holds; what it has not is an empty tensor.
struct Operands {
  Tensor x, weight, bias, residual, running_mean, running_var, dy;
};
using Run = std::function<Tensor(const Operands&)>;

Run conv(int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h = 1, int dilation_w = 1, int groups = 1) {
  const ConvolutionShape p{stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups};
  return [p](const Operands& o) { return convolution(o.x, o.weight, o.bias, p); };
}

Run transposed(int stride, int pad, int output_pad = 0) {
  const ConvolutionShape p{.stride_h = stride, .stride_w = stride, .pad_h = pad, .pad_w = pad};
  return [=](const Operands& o) { return transposed_convolution(o.x, o.weight, o.bias, p, output_pad); };
}

Run norm(bool training, NormActivation act = NormActivation::none) {
  const BatchNormShape p{.act = act, .slope = 0.1f};
  return [=](const Operands& o) {
    return batch_norm(o.x, o.weight, o.bias, o.running_mean, o.running_var, p, training, o.residual);
  };
}

Run pool(int kernel, int stride, int pad) {
  return [=](const Operands& o) { return max_pool(o.x, {kernel, stride, pad}); };
}

// The upstream gradient tells the size to resize to.
Run resized(ResizeMode mode) {
  return [=](const Operands& o) { return resize(o.x, o.dy.shape().h, o.dy.shape().w, mode); };
}

Run average() {
  return [](const Operands& o) { return adaptive_avg_pool(o.x, o.dy.shape().h, o.dy.shape().w); };
}

Run plain(Tensor (*f)(const Tensor&)) {
  return [f](const Operands& o) { return f(o.x); };
}

// By name; names that begin alike and mean the same op are listed by their beginning.
const std::map<std::string, Run>& runs() {
  using enum NormActivation;
  static const std::map<std::string, Run> map{
      {"conv_1x1", conv(1, 1, 0, 0)},
      {"conv_1x1_bias", conv(1, 1, 0, 0)},
      {"conv_3x3", conv(1, 1, 1, 1)},
      {"conv_3x3_stride2", conv(2, 2, 1, 1)},
      {"conv_3x3_one_channel", conv(2, 2, 1, 1)},
      {"conv_5x5_bias", conv(1, 1, 2, 2)},
      {"conv_1x3", conv(1, 1, 0, 1)},
      {"conv_3x1", conv(1, 1, 1, 0)},
      {"conv_4x4_stride2_bias", conv(2, 2, 1, 1)},
      {"conv_3x3_dilation2", conv(1, 1, 2, 2, 2, 2)},
      {"conv_3x3_dilation4", conv(1, 1, 4, 4, 4, 4)},
      {"conv_3x1_dilation2_bias", conv(1, 1, 2, 0, 2, 1)},
      {"depthwise_3x3", conv(1, 1, 1, 1, 1, 1, 7)},
      {"depthwise_3x3_stride2", conv(2, 2, 1, 1, 1, 1, 6)},
      {"transposed_2x2_stride2", transposed(2, 0)},
      {"transposed_4x4_stride2", transposed(2, 1)},
      {"transposed_3x3_stride1", transposed(1, 1)},
      {"transposed_3x3_stride2_output1", transposed(2, 1, 1)},
      {"batch_norm_train", norm(true)},
      {"batch_norm_train_1x1", norm(true)},
      {"batch_norm_train_offset", norm(true)},
      {"batch_norm_train_relu", norm(true, relu)},
      {"batch_norm_train_relu6", norm(true, relu6)},
      {"batch_norm_train_leaky", norm(true, leaky_relu)},
      {"batch_norm_train_relu_residual", norm(true, relu)},
      {"batch_norm_eval", norm(false)},
      {"batch_norm_eval_relu_residual", norm(false, relu)},
      {"max_pool_2x2", pool(2, 2, 0)},
      {"max_pool_2x2_odd", pool(2, 2, 0)},
      {"max_pool_3x3", pool(3, 2, 1)},
      {"max_pool_3x3_no_padding", pool(3, 2, 0)},
      {"relu", plain(gf::relu)},
      {"leaky_relu", [](const Operands& o) { return gf::leaky_relu(o.x, 0.1f); }},
      {"relu6", plain(gf::relu6)},
      {"prelu_*", [](const Operands& o) { return gf::prelu(o.x, o.weight); }},
      {"tanh", plain(gf::tanh)},
      {"sigmoid", plain(gf::sigmoid)},
      {"softmax", plain(gf::softmax)},
      {"softmax_large", plain(gf::softmax)},
      {"log_softmax", plain(gf::log_softmax)},
      {"resize_bilinear_*", resized(ResizeMode::bilinear)},
      {"resize_corners_*", resized(ResizeMode::bilinear_corners)},
      {"resize_nearest_*", resized(ResizeMode::nearest)},
      {"adaptive_avg_pool_*", average()},
  };
  return map;
}

const Run* find_run(const std::string& name) {
  for (const auto& [key, run] : runs())
    if (key == name || (key.back() == '*' && name.compare(0, key.size() - 1, key, 0, key.size() - 1) == 0)) return &run;
  return nullptr;
}

void check(const SafetensorsFile& file, const std::string& name, const Run& run) {
  CAPTURE(name);
  const auto has = [&](const std::string& what) { return file.find(name + "/" + what) != nullptr; };
  const auto get = [&](const std::string& what) {
    return has(what) ? golden_tensor(file, name + "/" + what) : Tensor();
  };
  Operands o{get("x"), get("weight"), get("bias"), get("residual"), get("running_mean"), get("running_var"), get("dy")};
  const std::pair<std::string, Tensor*> leaves[] = {
      {"x", &o.x}, {"weight", &o.weight}, {"bias", &o.bias}, {"residual", &o.residual}};
  std::vector<Tensor> wrt;
  for (const auto& [what, t] : leaves)
    if (*t) wrt.push_back(t->require_grad());
  const Tensor y = run(o);
  CHECK(relative_error(y, get("y")) < kTolerance);
  const std::vector<Tensor> g = gradients(y, wrt, o.dy);
  std::size_t at = 0;
  for (const auto& [what, t] : leaves) {
    if (!*t) continue;
    CAPTURE(what);
    CHECK(relative_error(g[at++], get("d" + what)) < kTolerance);
  }
  if (has("new_running_mean")) {
    CHECK(relative_error(o.running_mean, get("new_running_mean")) < kTolerance);
    CHECK(relative_error(o.running_var, get("new_running_var")) < kTolerance);
  }
}

}  // namespace

TEST_CASE("golden ops: forward and gradients as PyTorch computes them") {
  const SafetensorsFile file = golden_file("ops");
  int count = 0;
  for (const auto& [name, description] : file.metadata()) {
    if (name == "layout") continue;
    const Run* run = find_run(name);
    CHECK_MESSAGE(run, name, " (", description, ") is in the file but not in this test");
    if (!run) continue;
    check(file, name, *run);
    ++count;
  }
  CHECK(count >= 61);
}

}  // namespace gf::test
