#include "engine/ops/inverted_residual.h"

#include <algorithm>
#include <cstring>

#include "engine/op_scope.h"
#include "engine/ops/convolution_log.h"
#include "engine/ops/mac_counter.h"
#include "engine/ops/place.h"
#include "kernels/error.h"

namespace gf {
namespace {

// Of a band's two middle activations, for every thread: what a core's second-level cache holds.
constexpr std::int64_t kBandBytes = 1 << 20;
constexpr std::int64_t kWorthwhileBytes = 4 << 20;

// Rows [begin, begin + count) of one image.
template <class Pointer>
BasicView<Pointer> rows(const BasicView<Pointer>& v, std::int64_t image, std::int64_t begin, std::int64_t count) {
  const std::int64_t offset = (image * v.h + begin) * v.w * v.pixel_stride * static_cast<std::int64_t>(sizeof(float));
  using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const std::byte, std::byte>;
  return {static_cast<Byte*>(v.data) + offset, v.dtype, {1, count, v.w, v.c}, v.pixel_stride};
}

void forward(const Cpu& cpu, const FoldedConvolution& c, const ConvolutionShape& p, ConstView x, View y,
             ConstView residual = {}) {
  convolution_forward(cpu, p, x, c.weight.view(), c.bias.view(), y, c.act, residual);
}

void note(const FoldedConvolution& c, const Shape& x, const Shape& y) {
  MacCounter::convolution(c.weight.view(), x, y, c.shape, true);
  ConvolutionLog::add({.bias = true, .x = x, .w = c.weight.shape(), .y = y, .shape = c.shape});
}

}  // namespace

bool bands_pay(const Tensor& x, std::int64_t hidden) {
  const Shape& s = x.shape();
  return std::holds_alternative<Cpu>(x.device()) && x.dtype() == DType::f32 &&
         s.h * s.w * hidden * static_cast<std::int64_t>(sizeof(float)) > kWorthwhileBytes;
}

Tensor inverted_residual_inference(const Tensor& x, const FoldedConvolution& expand, const FoldedConvolution& depthwise,
                                   const FoldedConvolution& project, const Tensor& residual, const Tensor& into) {
  const char* op = "inverted_residual_inference";
  const OpScope scope(op);
  const Shape wide = convolution_output(x.shape(), expand.weight.shape(), expand.shape);
  const Shape narrow = convolution_output(wide, depthwise.weight.shape(), depthwise.shape);
  const Shape out = convolution_output(narrow, project.weight.shape(), project.shape);
  const ConvolutionShape& p = depthwise.shape;
  const std::int64_t kernel = depthwise.weight.shape().h, stride = p.stride_h;
  if (!std::holds_alternative<Cpu>(x.device()) || kernel != 3 || p.pad_h != 1 || p.dilation_h != 1 || stride > 2)
    fail(op, "the CPU, 3x3, padding 1, stride 1 or 2", describe(wide, depthwise.weight.shape(), p));
  const Tensor y = place_for(op, into, out, x.dtype(), x.device());
  note(expand, x.shape(), wide);
  note(depthwise, wide, narrow);
  note(project, narrow, out);
  if (y.count() == 0) return y;

  // A band of `band` rows of y needs `reach` rows of the middle, the first of them `pad_h` above; what two neighbours
  // share is kept.
  const std::int64_t row = wide.w * wide.c, row_bytes = row * static_cast<std::int64_t>(sizeof(float));
  const auto reach = [&](std::int64_t band) { return (band - 1) * stride + kernel; };
  const auto band_bytes = [&](std::int64_t band) {
    return reach(band) * row_bytes + band * narrow.w * narrow.c * static_cast<std::int64_t>(sizeof(float));
  };
  std::int64_t band = 1;
  while (band < out.h && band_bytes(band + 1) <= kBandBytes * threads()) ++band;
  const Tensor middle = Tensor::empty({1, reach(band), wide.w, wide.c}, x.dtype(), x.device());
  const Tensor filtered = Tensor::empty({1, band, narrow.w, narrow.c}, x.dtype(), x.device());
  float* const first = middle.mutable_data();
  const auto clear = [&](std::int64_t from, std::int64_t count) {
    std::memset(first + from * row, 0, static_cast<std::size_t>(count * row_bytes));
  };
  ConvolutionShape inner = p;
  inner.pad_h = 0;  // its rows are there

  on(x.device(), [&](const auto& device) {
    if constexpr (std::is_same_v<std::decay_t<decltype(device)>, Cpu>) {
      for (std::int64_t image = 0; image < out.n; ++image) {
        std::int64_t kept = 0;
        for (std::int64_t begin = 0; begin < out.h; begin += band) {
          const std::int64_t count = std::min(band, out.h - begin), needed = reach(count);
          const std::int64_t top = begin * stride - p.pad_h;  // of the image, the first row in `middle`
          if (top < 0) clear(0, kept = -top);
          const std::int64_t from = top + kept, to = std::min(top + needed, wide.h);
          if (to > from)
            forward(device, expand, expand.shape, rows(x.view(), image, from, to - from),
                    rows(middle.mutable_view(), 0, kept, to - from));
          if (top + needed > wide.h) clear(wide.h - top, top + needed - wide.h);
          const View f = rows(filtered.mutable_view(), 0, 0, count);
          forward(device, depthwise, inner, rows(middle.view(), 0, 0, needed), f);
          forward(device, project, project.shape, f, rows(y.mutable_view(), image, begin, count),
                  residual ? rows(residual.view(), image, begin, count) : ConstView{});
          kept = kernel - stride;
          std::memmove(first, first + (needed - kept) * row, static_cast<std::size_t>(kept * row_bytes));
        }
      }
    }
  });
  return y;
}

}  // namespace gf
