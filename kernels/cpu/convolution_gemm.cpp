#include <cstring>

#include "kernels/cpu/convolution_parts.h"
#include "kernels/cpu/scratch.h"
#include "kernels/parallel.h"

// With patch[p] = the inputs under the kernel at output pixel p, in the weights' order (kh, kw, i):
//   forward      y = patch * w^T        (pixels x out)
//   input_grad   patch = dy * w, then each input pixel sums the patches it is part of
//   weight_grad  dw = dy^T * patch      (out x kh*kw*i)
// For 1x1 kernels of stride 1 the patches are the pixels themselves, whatever their stride.
namespace gf::cpu {
namespace {

using onednn::Operation;

constexpr std::int64_t kGrain = 8;

// Calls visit(tap, x pixel or -1) for the taps of output pixel p.
template <class Visit>
void for_each_tap(const ConvolutionCall& c, std::int64_t p, const Visit& visit) {
  const std::int64_t ow = p % c.y.w, oh = p / c.y.w % c.y.h, n = p / c.y.w / c.y.h;
  for (std::int64_t kh = 0; kh < c.w.h; ++kh)
    for (std::int64_t kw = 0; kw < c.w.w; ++kw) {
      const std::int64_t ih = oh * c.shape.stride_h - c.shape.pad_h + kh * c.shape.dilation_h;
      const std::int64_t iw = ow * c.shape.stride_w - c.shape.pad_w + kw * c.shape.dilation_w;
      const bool inside = ih >= 0 && ih < c.x.h && iw >= 0 && iw < c.x.w;
      visit(kh * c.w.w + kw, inside ? (n * c.x.h + ih) * c.x.w + iw : -1);
    }
}

void gather(const ConvolutionCall& c, float* patches) {
  const std::int64_t in = c.x.c, width = c.w.h * c.w.w * in;
  const auto bytes = static_cast<std::size_t>(in) * sizeof(float);
  parallel_for(c.y.pixels(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      for_each_tap(c, p, [&](std::int64_t tap, std::int64_t pixel) {
        float* to = patches + p * width + tap * in;
        if (pixel < 0)
          std::memset(to, 0, bytes);
        else
          std::memcpy(to, data_as<float>(c.x) + pixel * c.x.pixel_stride, bytes);
      });
  });
}

// Each input pixel collects what the patches hold for it, always in the same order.
void collect(const ConvolutionCall& c, const float* patches) {
  const ConvolutionShape& s = c.shape;
  const std::int64_t in = c.x.c, width = c.w.h * c.w.w * in;
  const float* const bias = data_as<float>(c.bias);
  parallel_for(c.x.pixels(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t iw = p % c.x.w, ih = p / c.x.w % c.x.h, n = p / c.x.w / c.x.h;
      float* to = data_as<float>(c.x) + p * c.x.pixel_stride;
      for (std::int64_t i = 0; i < in; ++i) to[i] = bias ? bias[i] : 0.0f;
      for (std::int64_t kh = 0; kh < c.w.h; ++kh) {
        const std::int64_t h = ih + s.pad_h - kh * s.dilation_h;
        if (h < 0 || h % s.stride_h || h / s.stride_h >= c.y.h) continue;
        for (std::int64_t kw = 0; kw < c.w.w; ++kw) {
          const std::int64_t w = iw + s.pad_w - kw * s.dilation_w;
          if (w < 0 || w % s.stride_w || w / s.stride_w >= c.y.w) continue;
          const std::int64_t q = (n * c.y.h + h / s.stride_h) * c.y.w + w / s.stride_w;
          const float* from = patches + q * width + (kh * c.w.w + kw) * in;
          for (std::int64_t i = 0; i < in; ++i) to[i] += from[i];
        }
      }
    }
  });
}

MatmulProblem product(const ConvolutionCall& c) {
  const std::int64_t pixels = c.y.pixels(), out = c.w.n, width = c.w.h * c.w.w * c.w.c;
  const std::int64_t patch_row = c.pointwise() ? c.x.pixel_stride : width;
  MatmulProblem q;
  switch (c.operation) {
    case Operation::forward:  // patch * w^T
      q.rows = pixels, q.columns = out, q.inner = width;
      q.a_row = patch_row, q.a_column = 1, q.b_row = 1, q.b_column = width, q.y_row = c.y.pixel_stride;
      break;
    case Operation::input_grad:  // dy * w
      q.rows = pixels, q.columns = width, q.inner = out;
      q.a_row = c.y.pixel_stride, q.a_column = 1, q.b_row = width, q.b_column = 1, q.y_row = patch_row;
      break;
    case Operation::weight_grad:  // dy^T * patch
      q.rows = out, q.columns = width, q.inner = pixels;
      q.a_row = 1, q.a_column = c.y.pixel_stride, q.b_row = patch_row, q.b_column = 1, q.y_row = width;
      break;
  }
  q.y_batch = q.rows * q.y_row;
  return q;
}

// An input gradient's bias is added when the patches have been collected.
onednn::MatmulEnd end_of(const ConvolutionCall& c) {
  if (c.operation != Operation::forward) return {};
  return {c.bias.data != nullptr, c.act};
}

}  // namespace

GemmConvolution::GemmConvolution(const ConvolutionCall& call)
    : call_(call),
      patch_bytes_(call.pointwise() ? 0 : Scratch::bytes<float>(call.y.pixels() * call.w.h * call.w.w * call.w.c)),
      plan_(&onednn::matmul_plan(product(call), end_of(call))) {}

void GemmConvolution::run(std::byte* scratch) {
  const ConvolutionCall& c = call_;
  float* const patches = patch_bytes_ ? reinterpret_cast<float*>(scratch) : data_as<float>(c.x);
  std::byte* const rest = scratch + patch_bytes_;
  if (patch_bytes_ && c.operation != Operation::input_grad) gather(c, patches);
  switch (c.operation) {
    case Operation::forward:
      if (c.bias.data)
        onednn::run(*plan_, {patches, c.w.data, c.bias.data, c.y.data}, rest);
      else
        onednn::run(*plan_, {patches, c.w.data, c.y.data}, rest);
      break;
    case Operation::input_grad:
      onednn::run(*plan_, {c.y.data, c.w.data, patches}, rest);
      if (patch_bytes_)
        collect(c, patches);
      else if (c.bias.data)
        finish_pixels(data_as<float>(c.x), c.x.pixel_stride, c.x, data_as<float>(c.bias), ConvolutionActivation::none);
      break;
    case Operation::weight_grad:
      onednn::run(*plan_, {c.y.data, patches, c.w.data}, rest);
      if (c.bias.data) sum_pixels(c.y, data_as<float>(c.bias));
      break;
  }
}

}  // namespace gf::cpu
