#include <algorithm>
#include <cstring>

#include "kernels/cpu/convolution_parts.h"
#include "kernels/cpu/scratch.h"
#include "kernels/parallel.h"

namespace gf::cpu {
namespace {

using onednn::Layout;
using onednn::Operation;

// About a quarter of a megabyte a piece.
std::int64_t pixel_grain(std::int64_t c) { return std::max<std::int64_t>(1, 65536 / std::max<std::int64_t>(c, 1)); }

onednn::ConvolutionProblem problem_of(const ConvolutionCall& c, Layout layout) {
  onednn::ConvolutionProblem q;
  q.operation = c.operation;
  q.layout = layout;
  q.x = c.x.shape(), q.w = c.w.shape(), q.y = c.y.shape();
  q.x_stride = layout == Layout::plain ? c.x.c : c.x.pixel_stride;
  q.y_stride = layout == Layout::plain ? c.y.c : c.y.pixel_stride;
  q.shape = c.shape;
  // The library adds no bias to an input gradient.
  q.bias = c.bias.data && c.operation != Operation::input_grad;
  if (c.operation == Operation::forward) q.act = c.act;
  return q;
}

}  // namespace

void finish_pixels(const float* from, std::int64_t from_stride, const View& to, const float* bias,
                   ConvolutionActivation act) {
  float* const out = data_as<float>(to);
  parallel_for(to.pixels(), pixel_grain(to.c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const float* s = from + p * from_stride;
      float* d = out + p * to.pixel_stride;
      if (bias)
        for (std::int64_t c = 0; c < to.c; ++c) d[c] = s[c] + bias[c];
      else if (s != d)
        std::memcpy(d, s, static_cast<std::size_t>(to.c) * sizeof(float));
      if (act == ConvolutionActivation::relu)
        for (std::int64_t c = 0; c < to.c; ++c) d[c] = std::max(d[c], 0.0f);
      else if (act == ConvolutionActivation::relu6)
        for (std::int64_t c = 0; c < to.c; ++c) d[c] = std::min(std::max(d[c], 0.0f), 6.0f);
    }
  });
}

void sum_pixels(const ConstView& v, float* sums) {
  constexpr std::int64_t kBlock = 16;
  parallel_for(v.c, kBlock, [&](std::int64_t begin, std::int64_t end) {
    double total[kBlock] = {};
    for (std::int64_t p = 0; p < v.pixels(); ++p)
      for (std::int64_t c = begin; c < end; ++c) total[c - begin] += data_as<float>(v)[p * v.pixel_stride + c];
    for (std::int64_t c = begin; c < end; ++c) sums[c] = static_cast<float>(total[c - begin]);
  });
}

DirectConvolution::DirectConvolution(const ConvolutionCall& call, Layout layout)
    : call_(call), plan_(&onednn::convolution_plan(problem_of(call, layout))) {
  if (layout == Layout::plain) {
    if (!call.x.dense()) x_bytes_ = Scratch::bytes<float>(call.x.count());
    if (!call.y.dense()) y_bytes_ = Scratch::bytes<float>(call.y.count());
  }
  bytes_ = x_bytes_ + y_bytes_ + onednn::workspace_bytes(*plan_);
}

void DirectConvolution::run(std::byte* scratch) {
  const ConvolutionCall& c = call_;
  View x = c.x, y = c.y;
  if (x_bytes_) x = View(scratch, DType::f32, c.x.shape());
  if (y_bytes_) y = View(scratch + x_bytes_, DType::f32, c.y.shape());
  std::byte* const rest = scratch + x_bytes_ + y_bytes_;
  constexpr auto none = ConvolutionActivation::none;
  const auto read = [](const View& given, const View& dense) {
    if (given.data != dense.data) finish_pixels(data_as<float>(given), given.pixel_stride, dense, nullptr, none);
  };
  const auto write = [](const View& dense, const View& wanted, const float* bias, ConvolutionActivation act) {
    if (bias || act != none || dense.data != wanted.data)
      finish_pixels(data_as<float>(dense), dense.pixel_stride, wanted, bias, act);
  };
  switch (c.operation) {
    case Operation::forward:
      read(c.x, x);
      onednn::run(*plan_, {x.data, c.w.data, c.bias.data, y.data}, rest);
      write(y, c.y, nullptr, none);
      break;
    case Operation::input_grad:
      read(c.y, y);
      onednn::run(*plan_, {y.data, c.w.data, x.data}, rest);
      write(x, c.x, data_as<float>(c.bias), c.act);
      break;
    case Operation::weight_grad:
      read(c.x, x);
      read(c.y, y);
      onednn::run(*plan_, {x.data, y.data, c.w.data, c.bias.data}, rest);
      break;
  }
}

}  // namespace gf::cpu
