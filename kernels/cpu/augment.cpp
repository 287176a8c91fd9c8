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

void mirror(const Mirrored<float>& from, const Mirrored<std::int32_t>& labels, const Image<float>& to,
            const Image<std::int32_t>& to_labels) {
  for (std::int64_t y = 0; y < to.h; ++y)
    for (std::int64_t x = 0; x < to.w; ++x) {
      std::copy_n(from.at(y, x), to.c, to.at(y, x));
      *to_labels.at(y, x) = *labels.at(y, x);
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
  float low = *p.data, most = *p.data;
  for (std::int64_t i = 0; i < p.h * p.w; ++i)
    for (std::int64_t c = 0; c < p.c; ++c) {
      low = std::min(low, p.data[i * p.stride + c]);
      most = std::max(most, p.data[i * p.stride + c]);
    }
  const float range = most - low;
  if (!(range > 0)) return;
  for (std::int64_t i = 0; i < p.h * p.w; ++i)
    for (std::int64_t c = 0; c < p.c; ++c) {
      float& x = p.data[i * p.stride + c];
      float t = (x - low) / range;
      if (how.gamma != 1) t = std::pow(t, how.gamma);
      x = low + range * (how.gain * t + how.offset);
    }
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
        mirror(picture, labels, out, out_labels);
      }
      if (batch.levels) change_levels(how, out);
    }
  });
}

}  // namespace gf
