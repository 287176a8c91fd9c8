#pragma once
// What the convolution tests are checked against: the shapes that occur and the awkward ones, and plain
// loops in double precision over the definition.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/convolution.h"
#include "tests/harness/kernel_case.h"

namespace gf::test {

using Buffer = harness::Buffer<>;
using Values = std::vector<double>;

struct Case {
  const char* name;
  Shape x, w;
  ConvolutionShape p;
  std::int64_t extra_x = 0, extra_y = 0;  // pixel stride beyond the channels
};

inline ConvolutionShape conv(int stride, int pad, int dilation = 1, int groups = 1) {
  return {stride, stride, pad, pad, dilation, dilation, groups};
}

inline const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {"one pixel, one channel", {1, 1, 1, 1}, {1, 1, 1, 1}, conv(1, 0)},
      {"3x3 on one pixel", {2, 1, 1, 16}, {16, 3, 3, 16}, conv(1, 1)},
      {"first layer 1->16, 3x3", {2, 17, 19, 1}, {16, 3, 3, 1}, conv(1, 1)},
      {"first layer 1->32, 3x3 stride 2", {2, 24, 20, 1}, {32, 3, 3, 1}, conv(2, 1), 0, 3},
      {"first layer 1->16, 1x1", {2, 16, 20, 1}, {16, 1, 1, 1}, conv(1, 0)},
      {"first layer 3->16, 5x5", {2, 15, 16, 3}, {16, 5, 5, 3}, conv(1, 2), 1, 0},
      {"5x5 16->16", {2, 32, 32, 16}, {16, 5, 5, 16}, conv(1, 2)},
      {"3x3 16->16, wide strides", {2, 33, 31, 16}, {16, 3, 3, 16}, conv(1, 1), 16, 5},
      {"3x3 24->24", {2, 9, 11, 24}, {24, 3, 3, 24}, conv(1, 1), 0, 24},
      {"3x3 31->33", {2, 8, 7, 31}, {33, 3, 3, 31}, conv(1, 1)},
      {"3x3 33->31, wide strides", {1, 12, 7, 33}, {31, 3, 3, 33}, conv(1, 1), 2, 1},
      {"3x3 32->32 stride 2", {2, 16, 18, 32}, {32, 3, 3, 32}, conv(2, 1)},
      {"3x3 32->32 stride 2, odd image", {2, 15, 17, 32}, {32, 3, 3, 32}, conv(2, 1)},
      {"3x3 16->24 dilation 2", {2, 13, 14, 16}, {24, 3, 3, 16}, conv(1, 2, 2)},
      {"3x3 16->16 dilation 4, hole beyond the image", {1, 5, 6, 16}, {16, 3, 3, 16}, conv(1, 4, 4)},
      {"1x1 16->64", {2, 16, 16, 16}, {64, 1, 1, 16}, conv(1, 0)},
      {"1x1 96->24, wide strides", {2, 16, 16, 96}, {24, 1, 1, 96}, conv(1, 0), 7, 9},
      {"1x1 33->3", {1, 9, 13, 33}, {3, 1, 1, 33}, conv(1, 0)},
      {"1x1 16->2 head", {2, 32, 32, 16}, {2, 1, 1, 16}, conv(1, 0)},
      {"1x1 3->2 head", {2, 32, 32, 3}, {2, 1, 1, 3}, conv(1, 0)},
      {"1x1 32->32 stride 2", {2, 9, 10, 32}, {32, 1, 1, 32}, conv(2, 0)},
      {"1x3 strip", {2, 1, 33, 16}, {16, 1, 3, 16}, {1, 1, 0, 1}},
      {"3x1 strip", {2, 33, 1, 16}, {16, 3, 1, 16}, {1, 1, 1, 0}},
      {"5x1, padding on one side", {2, 12, 9, 32}, {32, 5, 1, 32}, {1, 1, 2, 0}},
      {"3x1 dilation 2", {2, 12, 9, 16}, {16, 3, 1, 16}, {1, 1, 2, 0, 2, 1}},
      {"2x3 kernel, mixed strides", {2, 12, 9, 8}, {16, 2, 3, 8}, {2, 1, 0, 1}},
      {"two groups", {2, 9, 8, 32}, {48, 3, 3, 16}, conv(1, 1, 1, 2), 0, 3},
      {"three groups of odd size", {2, 7, 8, 9}, {15, 3, 3, 3}, conv(1, 1, 1, 3)},
      {"channel multiplier 2", {2, 7, 8, 16}, {32, 3, 3, 1}, conv(1, 1, 1, 16)},
      {"depthwise 1", {2, 7, 9, 1}, {1, 3, 3, 1}, conv(1, 1, 1, 1)},
      {"depthwise 3", {2, 7, 9, 3}, {3, 3, 3, 1}, conv(1, 1, 1, 3), 1, 2},
      {"depthwise 32", {2, 33, 32, 32}, {32, 3, 3, 1}, conv(1, 1, 1, 32)},
      {"depthwise 33, wide strides", {2, 9, 31, 33}, {33, 3, 3, 1}, conv(1, 1, 1, 33), 3, 31},
      {"depthwise 96 stride 2", {2, 32, 32, 96}, {96, 3, 3, 1}, conv(2, 1, 1, 96)},
      {"depthwise 31 stride 2, odd image", {2, 9, 7, 31}, {31, 3, 3, 1}, conv(2, 1, 1, 31)},
      {"depthwise 144, small image", {2, 2, 2, 144}, {144, 3, 3, 1}, conv(1, 1, 1, 144)},
      {"depthwise 24, one pixel", {2, 1, 1, 24}, {24, 3, 3, 1}, conv(1, 1, 1, 24)},
      {"depthwise 24, one pixel, stride 2", {2, 1, 1, 24}, {24, 3, 3, 1}, conv(2, 1, 1, 24)},
      {"depthwise 24, 5x5", {2, 9, 8, 24}, {24, 5, 5, 1}, conv(1, 2, 1, 24)},
      {"depthwise 24, dilation 2", {2, 9, 8, 24}, {24, 3, 3, 1}, conv(1, 2, 2, 24)},
      {"depthwise 24, no padding", {2, 9, 8, 24}, {24, 3, 3, 1}, conv(1, 0, 1, 24)},
      {"tconv 2x2 stride 2, 16 from 32", {2, 16, 20, 16}, {32, 2, 2, 16}, conv(2, 0)},
      {"tconv 2x2 stride 2, 31 from 33", {2, 8, 6, 31}, {33, 2, 2, 31}, conv(2, 0), 31, 2},
      {"tconv 2x2 stride 2, odd output", {2, 9, 7, 16}, {32, 2, 2, 16}, conv(2, 0)},
      {"tconv 4x4 stride 2, 24 from 32", {2, 16, 16, 24}, {32, 4, 4, 24}, conv(2, 1), 24, 0},
      {"tconv 4x4 stride 2, 96 from 160", {2, 8, 8, 96}, {160, 4, 4, 96}, conv(2, 1), 96, 0},
      {"empty batch", {0, 8, 8, 16}, {16, 3, 3, 16}, conv(1, 1)},
  };
  return list;
}

// A sum of n terms of either sign rounds to about sqrt(n) half units; 8 covers the largest of many sums.
inline double tolerance(double terms) { return 8 * std::sqrt(terms + 16) * 6e-8; }

// Random operands of a case, of one element type; biases are float32.
template <class T>
struct BasicSetup {
  explicit BasicSetup(const Case& c)
      : p(c.p),
        y_shape(convolution_output(c.x, c.w, c.p)),
        x(harness::Buffer<T>::random(c.x, c.extra_x, 1)),
        w(harness::Buffer<T>::random(c.w, 0, 2)),
        dy(harness::Buffer<T>::random(y_shape, c.extra_y, 3)),
        bias_y(Buffer::random({1, 1, 1, c.w.n}, 0, 4)),
        bias_x(Buffer::random({1, 1, 1, c.x.c}, 0, 5)) {}
  ConvolutionShape p;
  Shape y_shape;
  harness::Buffer<T> x, w, dy;
  Buffer bias_y, bias_x;
};
using Setup = BasicSetup<float>;

inline double forward_tolerance(const Case& c) { return tolerance(static_cast<double>(c.w.h * c.w.w * c.w.c)); }
inline double input_grad_tolerance(const Case& c) {
  return tolerance(static_cast<double>(c.w.h * c.w.w * c.w.n / c.p.groups));
}
template <class T>
double weight_grad_tolerance(const BasicSetup<T>& s) {
  return tolerance(static_cast<double>(s.y_shape.pixels()));
}

// Calls term(x index, w index, y index) for every product of the convolution's definition.
template <class Term>
void for_each_term(const ConvolutionShape& p, const Shape& x, const Shape& w, const Shape& y, const Term& term) {
  const std::int64_t out_per_group = w.n / p.groups;
  for (std::int64_t n = 0; n < y.n; ++n)
    for (std::int64_t oh = 0; oh < y.h; ++oh)
      for (std::int64_t ow = 0; ow < y.w; ++ow)
        for (std::int64_t kh = 0; kh < w.h; ++kh)
          for (std::int64_t kw = 0; kw < w.w; ++kw) {
            const std::int64_t ih = oh * p.stride_h - p.pad_h + kh * p.dilation_h;
            const std::int64_t iw = ow * p.stride_w - p.pad_w + kw * p.dilation_w;
            if (ih < 0 || ih >= x.h || iw < 0 || iw >= x.w) continue;
            for (std::int64_t o = 0; o < w.n; ++o)
              for (std::int64_t i = 0; i < w.c; ++i)
                term(static_cast<std::size_t>(((n * x.h + ih) * x.w + iw) * x.c + o / out_per_group * w.c + i),
                     static_cast<std::size_t>(((o * w.h + kh) * w.w + kw) * w.c + i),
                     static_cast<std::size_t>(((n * y.h + oh) * y.w + ow) * y.c + o));
          }
}

inline void add_per_channel(std::vector<double>& v, const std::vector<double>& bias) {
  for (std::size_t i = 0; i < v.size(); ++i) v[i] += bias[i % bias.size()];
}

template <class T>
Values forward_reference(const BasicSetup<T>& s, bool with_bias, bool relu) {
  Values y(static_cast<std::size_t>(s.y_shape.count()));
  const Values x = s.x.values(), w = s.w.values();
  for_each_term(s.p, s.x.shape(), s.w.shape(), s.y_shape, [&](auto ix, auto iw, auto iy) { y[iy] += x[ix] * w[iw]; });
  if (with_bias) add_per_channel(y, s.bias_y.values());
  for (double& v : y) v = relu ? std::max(v, 0.0) : v;
  return y;
}

template <class T>
Values input_grad_reference(const BasicSetup<T>& s, bool with_bias) {
  Values dx(static_cast<std::size_t>(s.x.shape().count()));
  const Values dy = s.dy.values(), w = s.w.values();
  for_each_term(s.p, s.x.shape(), s.w.shape(), s.y_shape, [&](auto ix, auto iw, auto iy) { dx[ix] += dy[iy] * w[iw]; });
  if (with_bias) add_per_channel(dx, s.bias_x.values());
  return dx;
}

template <class T>
Values weight_grad_reference(const BasicSetup<T>& s) {
  Values dw(static_cast<std::size_t>(s.w.shape().count()));
  const Values dy = s.dy.values(), x = s.x.values();
  for_each_term(s.p, s.x.shape(), s.w.shape(), s.y_shape, [&](auto ix, auto iw, auto iy) { dw[iw] += x[ix] * dy[iy]; });
  return dw;
}

template <class T>
Values bias_grad_reference(const BasicSetup<T>& s) {
  const Values dy = s.dy.values();
  Values db(static_cast<std::size_t>(s.w.shape().n));
  for (std::size_t i = 0; i < dy.size(); ++i) db[i % db.size()] += dy[i];
  return db;
}

}  // namespace gf::test
