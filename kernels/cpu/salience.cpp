#include "kernels/salience.h"

#include <cmath>

#include "kernels/check.h"
#include "kernels/parallel.h"

namespace gf {

void check_salience(const char* kernel, const SalienceShape& p, const ConstView& map, const ConstView& positions,
                    const ConstView& patches) {
  if (p.k < 1 || p.k > 15 || p.k % 2 == 0) {
    fail(std::string(kernel) + ": wrong patch size", "k", "an odd patch size from 1 to 15", std::to_string(p.k));
  }
  const Shape s = map.shape();
  if (s.count() < 1 || s.h * s.w > INT32_MAX) {
    fail(std::string(kernel) + ": wrong extents", describe("map", map), "1 to 2^31-1 pixels an image, a channel");
  }
  require_float(kernel, "map", map);
  require_view(kernel, "positions", positions, DType::i32);
  require_shape(kernel, "positions", positions, {s.n, 1, 1, s.c});
  require_dense(kernel, "positions", positions);
  require_view(kernel, "patches", patches);
  require_shape(kernel, "patches", patches, {s.n, 1, s.c, std::int64_t{p.k} * p.k});
}

namespace {

// Neighbouring channels handled together: 64 bytes of every pixel, two AVX registers of scores.
constexpr int kLanes = 16;

struct Best {
  float score[kLanes];
  std::int32_t pixel[kLanes];
};

// Keeps the larger score and, on ties, the earlier pixel; the first NaN wins. No branches, so it vectorises.
inline void keep_larger(Best& best, const float* score, std::int32_t pixel, int lanes) {
  for (int c = 0; c < lanes; ++c) {
    const float s = score[c], b = best.score[c];
    const bool larger = (s > b) | ((s != s) & (b == b));
    best.score[c] = larger ? s : b;
    best.pixel[c] = larger ? pixel : best.pixel[c];
  }
}

// score[c] = F at the pixel, or the sum of its k x k window: each row from left to right, then the row sums from top to
// bottom. (No running sums: they would carry a NaN or an infinity on to windows that do not contain it.)
inline void score_pixel(const float* image, const SalienceShape& p, int h, int w, std::int64_t stride, int y, int x,
                        int lanes, float* score) {
  const auto value = [&](float f) { return p.absolute ? std::fabs(f) : f; };
  if (p.mode == SalienceMode::peak) {
    const float* f = image + (std::int64_t{y} * w + x) * stride;
    for (int c = 0; c < lanes; ++c) score[c] = value(f[c]);
    return;
  }
  const int r = p.k / 2;
  const int y0 = std::max(0, y - r), y1 = std::min(h - 1, y + r), x0 = std::max(0, x - r), x1 = std::min(w - 1, x + r);
  for (int c = 0; c < lanes; ++c) score[c] = 0;
  for (int yy = y0; yy <= y1; ++yy) {
    float row[kLanes] = {};
    for (int xx = x0; xx <= x1; ++xx) {
      const float* f = image + (std::int64_t{yy} * w + xx) * stride;
      for (int c = 0; c < lanes; ++c) row[c] += value(f[c]);
    }
    for (int c = 0; c < lanes; ++c) score[c] += row[c];
  }
}

inline void find_peaks(const float* image, const SalienceShape& p, int h, int w, std::int64_t stride, int lanes,
                       Best& best) {
  float score[kLanes];
  score_pixel(image, p, h, w, stride, 0, 0, lanes, best.score);
  for (int c = 0; c < lanes; ++c) best.pixel[c] = 0;
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      score_pixel(image, p, h, w, stride, y, x, lanes, score);
      keep_larger(best, score, y * w + x, lanes);
    }
  }
}

void gather_patch(const float* channel, int k, int h, int w, std::int64_t stride, int pixel, float* patch) {
  const int r = k / 2, y0 = pixel / w - r, x0 = pixel % w - r;
  for (int i = 0; i < k; ++i) {
    for (int j = 0; j < k; ++j) {
      const int y = y0 + i, x = x0 + j;
      const bool inside = y >= 0 && y < h && x >= 0 && x < w;
      patch[i * k + j] = inside ? channel[(std::int64_t{y} * w + x) * stride] : 0.0f;
    }
  }
}

}  // namespace

void salience_forward(const Cpu&, const SalienceShape& p, ConstView f, View positions, View patches) {
  check_salience("salience_forward", p, f, positions, patches);
  require_dtype("salience_forward", "map", f, DType::f32);
  const int h = static_cast<int>(f.h), w = static_cast<int>(f.w);
  const std::int64_t groups = (f.c + kLanes - 1) / kLanes;
  parallel_for(f.n * groups, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t n = i / groups, c0 = i % groups * kLanes;
      const int lanes = static_cast<int>(std::min<std::int64_t>(kLanes, f.c - c0));
      const float* image = data_as<float>(f) + n * h * w * f.pixel_stride + c0;
      Best best;
      // A constant number of lanes lets the compiler keep the scores in registers.
      if (lanes == kLanes) {
        find_peaks(image, p, h, w, f.pixel_stride, kLanes, best);
      } else {
        find_peaks(image, p, h, w, f.pixel_stride, lanes, best);
      }
      for (int c = 0; c < lanes; ++c) {
        data_as<std::int32_t>(positions)[n * f.c + c0 + c] = best.pixel[c];
        gather_patch(image + c, p.k, h, w, f.pixel_stride, best.pixel[c],
                     data_as<float>(patches) + (n * f.c + c0 + c) * patches.pixel_stride);
      }
    }
  });
}

void salience_backward(const Cpu&, const SalienceShape& p, ConstView positions, ConstView dpatches, View df) {
  check_salience("salience_backward", p, df, positions, dpatches);
  require_dtype("salience_backward", "map", df, DType::f32);
  const int h = static_cast<int>(df.h), w = static_cast<int>(df.w), r = p.k / 2;
  const std::int64_t stride = df.pixel_stride;
  parallel_for(df.pixels(), 4096, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::fill_n(data_as<float>(df) + i * stride, df.c, 0.0f);
  });
  parallel_for(df.n * df.c, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* patch = data_as<float>(dpatches) + i * dpatches.pixel_stride;
      float* channel = data_as<float>(df) + i / df.c * h * w * stride + i % df.c;
      const int pixel = data_as<std::int32_t>(positions)[i], y0 = pixel / w - r, x0 = pixel % w - r;
      for (int y = std::max(0, y0); y < std::min(h, y0 + p.k); ++y) {
        for (int x = std::max(0, x0); x < std::min(w, x0 + p.k); ++x) {
          channel[(std::int64_t{y} * w + x) * stride] = patch[(y - y0) * p.k + (x - x0)];
        }
      }
    }
  });
}

}  // namespace gf
