#include "tests/harness/reference.h"

namespace gf::test::reference {
namespace {

// The input pixel that kernel tap k touches from output pixel o.
std::int64_t source(std::int64_t o, std::int64_t k, int stride, int pad, int dilation) {
  return o * stride - pad + k * dilation;
}

std::int64_t output_extent(std::int64_t in, std::int64_t k, int stride, int pad, int dilation) {
  return (in + 2 * pad - dilation * (k - 1) - 1) / stride + 1;
}

// Calls term(x element, w element, y element) for every product in y = conv(x, w).
template <class Term>
void for_each_product(const Array& x, const Array& w, const Array& y, const ConvolutionShape& p, const Term& term) {
  const std::int64_t outputs_a_group = w.shape.n / p.groups;
  for_each_element(y.shape, [&](auto n, auto oh, auto ow, auto o) {
    const std::int64_t first_input = o / outputs_a_group * w.shape.c;
    for (std::int64_t kh = 0; kh < w.shape.h; ++kh)
      for (std::int64_t kw = 0; kw < w.shape.w; ++kw) {
        const std::int64_t h = source(oh, kh, p.stride_h, p.pad_h, p.dilation_h);
        const std::int64_t v = source(ow, kw, p.stride_w, p.pad_w, p.dilation_w);
        if (!x.inside(h, v)) continue;
        for (std::int64_t i = 0; i < w.shape.c; ++i)
          term(x.index(n, h, v, first_input + i), w.index(o, kh, kw, i), y.index(n, oh, ow, o));
      }
  });
}

void add_bias(Array& y, const Array* bias) {
  if (!bias) return;
  for (std::size_t i = 0; i < y.v.size(); ++i) y.v[i] += bias->v[i % bias->v.size()];
}

}  // namespace

Array convolution(const Array& x, const Array& w, const Array* bias, const ConvolutionShape& p) {
  Array y({x.shape.n, output_extent(x.shape.h, w.shape.h, p.stride_h, p.pad_h, p.dilation_h),
           output_extent(x.shape.w, w.shape.w, p.stride_w, p.pad_w, p.dilation_w), w.shape.n});
  for_each_product(x, w, y, p, [&](auto ix, auto iw, auto iy) { y.v[iy] += x.v[ix] * w.v[iw]; });
  add_bias(y, bias);
  return y;
}

Array convolution_input_grad(const Array& dy, const Array& w, const Shape& x, const ConvolutionShape& p) {
  Array dx(x);
  for_each_product(dx, w, dy, p, [&](auto ix, auto iw, auto iy) { dx.v[ix] += dy.v[iy] * w.v[iw]; });
  return dx;
}

Array convolution_weight_grad(const Array& x, const Array& dy, const Shape& w, const ConvolutionShape& p) {
  Array dw(w);
  for_each_product(x, dw, dy, p, [&](auto ix, auto iw, auto iy) { dw.v[iw] += x.v[ix] * dy.v[iy]; });
  return dw;
}

Array transposed_convolution(const Array& x, const Array& w, const Array* bias, const ConvolutionShape& p,
                             int output_pad) {
  const auto extent = [&](std::int64_t in, std::int64_t k, int stride, int pad, int dilation) {
    return (in - 1) * stride - 2 * pad + dilation * (k - 1) + 1 + output_pad;
  };
  const std::int64_t inputs_a_group = x.shape.c / p.groups;
  Array y({x.shape.n, extent(x.shape.h, w.shape.h, p.stride_h, p.pad_h, p.dilation_h),
           extent(x.shape.w, w.shape.w, p.stride_w, p.pad_w, p.dilation_w), w.shape.c * p.groups});
  for_each_element(x.shape, [&](auto n, auto h, auto v, auto i) {
    for_each_element({1, w.shape.h, w.shape.w, w.shape.c}, [&](auto, auto kh, auto kw, auto o) {
      const std::int64_t to_h = source(h, kh, p.stride_h, p.pad_h, p.dilation_h);
      const std::int64_t to_w = source(v, kw, p.stride_w, p.pad_w, p.dilation_w);
      if (y.inside(to_h, to_w))
        y.at(n, to_h, to_w, i / inputs_a_group * w.shape.c + o) += x.at(n, h, v, i) * w.at(i, kh, kw, o);
    });
  });
  add_bias(y, bias);
  return y;
}

Array matmul(const Array& a, const Array& b, bool transpose_a, bool transpose_b) {
  const std::int64_t rows = transpose_a ? a.shape.c : a.shape.w, inner = transpose_a ? a.shape.w : a.shape.c;
  const std::int64_t columns = transpose_b ? b.shape.w : b.shape.c;
  Array y({std::max(a.shape.n, b.shape.n), 1, rows, columns});
  for_each_element(y.shape, [&](auto n, auto, auto r, auto c) {
    for (std::int64_t k = 0; k < inner; ++k)
      y.at(n, 0, r, c) += a.at(a.shape.n == 1 ? 0 : n, 0, transpose_a ? k : r, transpose_a ? r : k) *
                          b.at(b.shape.n == 1 ? 0 : n, 0, transpose_b ? c : k, transpose_b ? k : c);
  });
  return y;
}

}  // namespace gf::test::reference
