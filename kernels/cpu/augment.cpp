// Augmentation of pictures and labels (augment.h): pictures side by side, each gathered pixel by pixel; its levels in a
// second sweep.
#include "kernels/augment.h"

#include <algorithm>
#include <cmath>

#include "kernels/augment_checks.h"
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

// A picture seen through its mirrors; null beyond the rim.
template <class T>
struct Mirrored {
  Image<const T> image;
  const PictureChange& how;

  const T* at(std::int64_t y, std::int64_t x) const {
    if (y < 0 || y >= image.h || x < 0 || x >= image.w) return nullptr;
    if (how.mirror_y) y = image.h - 1 - y;
    if (how.mirror_x) x = image.w - 1 - x;
    if (how.swap && image.h == image.w) std::swap(y, x);
    return image.at(y, x);
  }
};

template <class T>
void mirror(const Mirrored<T>& from, const Image<T>& to) {
  const bool dense = from.image.stride == to.c && to.stride == to.c;
  for (std::int64_t y = 0; y < to.h; ++y) {
    const T* first = from.at(y, 0);
    T* out = to.at(y, 0);
    const std::int64_t step = to.w > 1 ? from.at(y, 1) - first : 0;  // from pixel to pixel
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

void turn(const Mirrored<float>& from, const Mirrored<std::int32_t>& labels, const float* outside,
          std::int32_t outside_label, const Image<float>& to, const Image<std::int32_t>& to_labels) {
  const double cosine = from.how.cosine, sine = from.how.sine;
  const double middle_y = static_cast<double>(to.h - 1) / 2, middle_x = static_cast<double>(to.w - 1) / 2;
  for (std::int64_t y = 0; y < to.h; ++y)
    for (std::int64_t x = 0; x < to.w; ++x) {
      const double dy = static_cast<double>(y) - middle_y, dx = static_cast<double>(x) - middle_x;
      const double v = cosine * dy - sine * dx + middle_y, u = sine * dy + cosine * dx + middle_x;
      const std::int64_t v0 = static_cast<std::int64_t>(std::floor(v)), u0 = static_cast<std::int64_t>(std::floor(u));
      const float fv = static_cast<float>(v - static_cast<double>(v0)),
                  fu = static_cast<float>(u - static_cast<double>(u0));
      const auto pixel = [&](std::int64_t yy, std::int64_t xx) {
        const float* p = from.at(yy, xx);
        return p == nullptr ? outside : p;
      };
      const float *p00 = pixel(v0, u0), *p01 = pixel(v0, u0 + 1), *p10 = pixel(v0 + 1, u0),
                  *p11 = pixel(v0 + 1, u0 + 1);
      float* out = to.at(y, x);
      for (std::int64_t c = 0; c < to.c; ++c)
        out[c] = (1 - fv) * ((1 - fu) * p00[c] + fu * p01[c]) + fv * ((1 - fu) * p10[c] + fu * p11[c]);
      const std::int32_t* label =
          labels.at(static_cast<std::int64_t>(std::floor(v + 0.5)), static_cast<std::int64_t>(std::floor(u + 0.5)));
      *to_labels.at(y, x) = label == nullptr ? outside_label : *label;
    }
}

void change_levels(const PictureChange& how, const Image<float>& p) {
  const bool dense = p.stride == p.c;
  const std::int64_t rows = dense ? 1 : p.h * p.w, length = dense ? p.h * p.w * p.c : p.c;
  float low = *p.data, most = *p.data;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* v = p.data + r * p.stride;
#pragma omp simd reduction(min : low) reduction(max : most)
    for (std::int64_t i = 0; i < length; ++i) {
      low = std::min(low, v[i]);
      most = std::max(most, v[i]);
    }
  }
  const float range = most - low;
  if (!(range > 0)) return;
  const auto change = [&](const auto& power) {
    for (std::int64_t r = 0; r < rows; ++r) {
      float* v = p.data + r * p.stride;
      for (std::int64_t i = 0; i < length; ++i)
        v[i] = low + range * (how.gain * power((v[i] - low) / range) + how.offset);
    }
  };
  if (how.gamma == 1) return change([](float t) { return t; });
  change([&](float t) { return std::pow(t, how.gamma); });
}

}  // namespace

void augment_pictures(const Cpu&, const BatchChange& batch, ConstView pictures, ConstView outside, ConstView from,
                      ConstView from_labels, View to, View to_labels) {
  require_augment("augment_pictures", pictures, outside, from, from_labels, to, to_labels);
  if (from.count() == 0) return;
  parallel_for(from.n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const PictureChange& how = static_cast<const PictureChange*>(pictures.data)[n];
      const Mirrored<float> picture{{from, n}, how};
      const Mirrored<std::int32_t> labels{{from_labels, n}, how};
      const Image<float> out(to, n);
      const Image<std::int32_t> out_labels(to_labels, n);
      if (how.turns) {
        turn(picture, labels, data_as<float>(outside) + n * outside.pixel_stride, batch.outside_label, out, out_labels);
      } else {
        mirror(picture, out);
        mirror(labels, out_labels);
      }
      if (batch.levels) change_levels(how, out);
    }
  });
}

}  // namespace gf
