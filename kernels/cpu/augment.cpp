// Augmentation of pictures and labels (augment.h): pictures side by side, each gathered pixel by pixel; its levels in a
// second sweep.
#include "kernels/augment.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "kernels/augment_checks.h"
#include "kernels/gamma_power.h"
#include "kernels/parallel.h"

namespace gf {
namespace {

// One picture of a batch, or its labels: pixels of `c` elements.
template <class T>
struct Image {
  T* data;
  std::int64_t h, w, c, stride;

  template <class V>
  Image(const V& v, std::int64_t n)
      : data(static_cast<T*>(v.data) + n * v.h * v.w * v.pixel_stride),
        h(v.h),
        w(v.w),
        c(v.c),
        stride(v.pixel_stride) {}
  T* at(std::int64_t y, std::int64_t x) const { return data + (y * w + x) * stride; }
};

// A picture seen through its mirrors.
template <class T>
struct Mirrored {
  const T* origin;
  std::int64_t step_y, step_x;  // in elements
  std::int64_t h, w, stride;

  Mirrored(const Image<const T>& image, const PictureChange& how) : h(image.h), w(image.w), stride(image.stride) {
    std::int64_t row = w * stride, column = stride;
    if (how.swap && h == w) std::swap(row, column);
    origin = image.data + (how.mirror_y ? (h - 1) * row : 0) + (how.mirror_x ? (w - 1) * column : 0);
    step_y = how.mirror_y ? -row : row;
    step_x = how.mirror_x ? -column : column;
  }
  bool inside(std::int64_t y, std::int64_t x) const { return y >= 0 && y < h && x >= 0 && x < w; }
  const T* at(std::int64_t y, std::int64_t x) const { return origin + y * step_y + x * step_x; }
};

template <class T>
void mirror(const Mirrored<T>& from, const Image<T>& to) {
  const bool dense = from.stride == to.c && to.stride == to.c;
  for (std::int64_t y = 0; y < to.h; ++y) {
    const T* first = from.at(y, 0);
    T* out = to.at(y, 0);
    const std::int64_t step = from.step_x;
    if (dense && step == to.c) {
      std::copy_n(first, to.w * to.c, out);
    } else if (to.c == 1) {
      for (std::int64_t x = 0; x < to.w; ++x) out[x * to.stride] = first[x * step];
    } else {
      for (std::int64_t x = 0; x < to.w; ++x)
        for (std::int64_t c = 0; c < to.c; ++c) out[x * to.stride + c] = first[x * step + c];
    }
  }
}

// Where the pixels of one row of the result come from: computed apart from the gathering, so that it is vectorised.
struct SourceRow {
  explicit SourceRow(std::int64_t w) : v(w), u(w), near_v(w), near_u(w), fv(w), fu(w) {}
  std::vector<std::int32_t> v, u, near_v, near_u;  // the upper left of four pixels, the nearest one
  std::vector<float> fv, fu;                       // bilinear weights of the lower and of the right ones

  void compute(const PictureChange& how, double dy, double middle_y, double middle_x) {
    const double cosine = how.cosine, sine = how.sine, cosine_dy = cosine * dy, sine_dy = sine * dy;
    std::int32_t *const to_v = v.data(), *const to_u = u.data(), *const to_nv = near_v.data(),
                        *const to_nu = near_u.data();
    float *const to_fv = fv.data(), *const to_fu = fu.data();
    const auto width = static_cast<std::int32_t>(v.size());
#pragma omp simd
    for (std::int32_t x = 0; x < width; ++x) {
      const double dx = static_cast<double>(x) - middle_x;
      const double at_v = cosine_dy - sine * dx + middle_y, at_u = sine_dy + cosine * dx + middle_x;
      const double floor_v = std::floor(at_v), floor_u = std::floor(at_u);
      to_v[x] = static_cast<std::int32_t>(floor_v), to_u[x] = static_cast<std::int32_t>(floor_u);
      to_fv[x] = static_cast<float>(at_v - floor_v), to_fu[x] = static_cast<float>(at_u - floor_u);
      to_nv[x] = static_cast<std::int32_t>(std::floor(at_v + 0.5));
      to_nu[x] = static_cast<std::int32_t>(std::floor(at_u + 0.5));
    }
  }
};

// Channels: an integral constant where the compiler is to know them, or a number.
template <class Channels>
void turn(const Mirrored<float>& from, const Mirrored<std::int32_t>& labels, const PictureChange& how,
          const float* outside, std::int32_t outside_label, const Image<float>& to,
          const Image<std::int32_t>& to_labels, Channels channels) {
  const double middle_y = static_cast<double>(to.h - 1) / 2, middle_x = static_cast<double>(to.w - 1) / 2;
  SourceRow row(to.w);
  for (std::int64_t y = 0; y < to.h; ++y) {
    row.compute(how, static_cast<double>(y) - middle_y, middle_y, middle_x);
    for (std::int64_t x = 0; x < to.w; ++x) {
      const std::int64_t v = row.v[x], u = row.u[x];
      const float fv = row.fv[x], fu = row.fu[x];
      const float *p00 = from.at(v, u), *p01 = p00 + from.step_x, *p10 = p00 + from.step_y, *p11 = p10 + from.step_x;
      if (v < 0 || v + 1 >= from.h || u < 0 || u + 1 >= from.w) {
        if (!from.inside(v, u)) p00 = outside;
        if (!from.inside(v, u + 1)) p01 = outside;
        if (!from.inside(v + 1, u)) p10 = outside;
        if (!from.inside(v + 1, u + 1)) p11 = outside;
      }
      float* out = to.at(y, x);
      for (std::int64_t c = 0; c < channels; ++c)
        out[c] = (1 - fv) * ((1 - fu) * p00[c] + fu * p01[c]) + fv * ((1 - fu) * p10[c] + fu * p11[c]);
      const std::int64_t near_v = row.near_v[x], near_u = row.near_u[x];
      *to_labels.at(y, x) = labels.inside(near_v, near_u) ? *labels.at(near_v, near_u) : outside_label;
    }
  }
}

void change_levels(const PictureChange& how, const Image<float>& p) {
  const bool dense = p.stride == p.c;
  const std::int64_t rows = dense ? 1 : p.h * p.w, length = dense ? p.h * p.w * p.c : p.c;
  // Side by side: the compiler may not put minima of floats in another order by itself.
  constexpr std::int64_t lanes = 16;
  float lows[lanes], mosts[lanes];
  std::fill_n(lows, lanes, *p.data);
  std::fill_n(mosts, lanes, *p.data);
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* v = p.data + r * p.stride;
    std::int64_t i = 0;
    for (; i + lanes <= length; i += lanes)
      for (std::int64_t k = 0; k < lanes; ++k) {
        lows[k] = v[i + k] < lows[k] ? v[i + k] : lows[k];
        mosts[k] = v[i + k] > mosts[k] ? v[i + k] : mosts[k];
      }
    for (; i < length; ++i) {
      lows[0] = std::min(lows[0], v[i]);
      mosts[0] = std::max(mosts[0], v[i]);
    }
  }
  const float low = *std::min_element(lows, lows + lanes), most = *std::max_element(mosts, mosts + lanes);
  const float range = most - low;
  if (!(range > 0)) return;
  const float gain = how.gain, offset = how.offset, gamma = how.gamma;
  const auto change = [=](const auto& power) {
    for (std::int64_t r = 0; r < rows; ++r) {
      float* v = p.data + r * p.stride;
      for (std::int64_t i = 0; i < length; ++i) v[i] = low + range * (gain * power((v[i] - low) / range) + offset);
    }
  };
  if (how.gamma == 1) return change([](float t) { return t; });
  change([gamma](float t) { return gamma_power(t, gamma); });
}

}  // namespace

void augment_pictures(const Cpu&, const BatchChange& batch, ConstView pictures, ConstView outside, ConstView from,
                      ConstView from_labels, View to, View to_labels) {
  require_augment("augment_pictures", pictures, outside, from, from_labels, to, to_labels);
  if (from.count() == 0) return;
  parallel_for(from.n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const PictureChange& how = static_cast<const PictureChange*>(pictures.data)[n];
      const Mirrored<float> picture({from, n}, how);
      const Mirrored<std::int32_t> labels({from_labels, n}, how);
      const Image<float> out(to, n);
      const Image<std::int32_t> out_labels(to_labels, n);
      if (how.turns) {
        const auto turned = [&](auto channels) {
          turn(picture, labels, how, data_as<float>(outside) + n * outside.pixel_stride, batch.outside_label, out,
               out_labels, channels);
        };
        if (from.c == 1)
          turned(std::integral_constant<std::int64_t, 1>());
        else if (from.c == 3)
          turned(std::integral_constant<std::int64_t, 3>());
        else
          turned(from.c);
      } else {
        mirror(picture, out);
        mirror(labels, out_labels);
      }
      if (batch.levels) change_levels(how, out);
    }
  });
}

}  // namespace gf
