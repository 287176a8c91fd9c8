#include "data/zoom.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "kernels/error.h"

namespace gf {
namespace {

// Where one pixel of the result comes from along one axis. count 0: from outside, where everything is 0.
struct Source {
  int count = 0;
  std::array<std::int64_t, 4> at{};
  std::array<double, 4> weight{};
};

// Mirrored at the middle of the first and the last pixel: -1 is 1, n is n - 2.
std::int64_t mirrored(std::int64_t i, std::int64_t n) {
  if (n == 1) return 0;
  const std::int64_t period = 2 * (n - 1);
  i = (i % period + period) % period;
  return i < n ? i : period - i;
}

Source source_at(double x, std::int64_t n, int order) {
  Source s;
  s.count = order + 1;
  if (order == 0) {
    s.at[0] = mirrored(static_cast<std::int64_t>(std::floor(x + 0.5)), n);
    s.weight[0] = 1;
    return s;
  }
  const double below = std::floor(x), t = x - below, r = 1 - t;
  const std::int64_t first = static_cast<std::int64_t>(below) - order / 2;
  for (int k = 0; k <= order; ++k) s.at[k] = mirrored(first + k, n);
  if (order == 1)
    s.weight = {r, t};
  else  // the cubic B-spline at -1 - t, -t, 1 - t, 2 - t
    s.weight = {r * r * r / 6, 2.0 / 3 - t * t * (2 - t) / 2, 2.0 / 3 - r * r * (2 - r) / 2, t * t * t / 6};
  return s;
}

std::vector<Source> sources(std::int64_t in, std::int64_t out, int order, ZoomBorder border) {
  std::vector<Source> all(out);
  const double step = out > 1 ? double(in - 1) / double(out - 1) : 1, last = double(in - 1);
  for (std::int64_t i = 0; i < out; ++i) {
    double x = double(i) * step;
    if (x > last && border == ZoomBorder::scipy) continue;
    all[i] = source_at(std::min(x, last), in, order);
  }
  return all;
}

// n values, `stride` apart, become the coefficients of the cubic B-spline through them (Unser 1999): a causal and an
// anticausal recursion, whose starting values are the closed sums over the mirrored signal.
void to_spline(double* c, std::int64_t n, std::int64_t stride) {
  if (n == 1) return;
  const double pole = std::sqrt(3.0) - 2, gain = (1 - pole) * (1 - 1 / pole);
  const double around = std::pow(pole, double(n - 1));
  const auto at = [&](std::int64_t i) -> double& { return c[i * stride]; };
  for (std::int64_t i = 0; i < n; ++i) at(i) *= gain;
  double sum = at(0) + around * at(n - 1), power = pole;
  for (std::int64_t i = 1; i < n - 1; ++i, power *= pole) sum += power * (at(i) + around * at(n - 1 - i));
  at(0) = sum / (1 - around * around);
  for (std::int64_t i = 1; i < n; ++i) at(i) += pole * at(i - 1);
  at(n - 1) = (pole * at(n - 2) + at(n - 1)) * pole / (pole * pole - 1);
  for (std::int64_t i = n - 2; i >= 0; --i) at(i) = pole * (at(i + 1) - at(i));
}

void check_size(std::int64_t h, std::int64_t w, std::int64_t to_h, std::int64_t to_w) {
  if (h < 1 || w < 1 || to_h < 1 || to_w < 1)
    fail("cannot zoom", fmt::format("{}x{} to {}x{}", h, w, to_h, to_w), "sizes of at least 1");
}

}  // namespace

Picture zoom(const Picture& p, std::int64_t h, std::int64_t w, int order, ZoomBorder border) {
  check_size(p.h, p.w, h, w);
  if (order != 0 && order != 1 && order != 3) fail("cannot zoom", "order", "0, 1 or 3", std::to_string(order));
  const std::vector<Source> rows = sources(p.h, h, order, border), columns = sources(p.w, w, order, border);
  const std::int64_t c = p.c, in_row = p.w * c, out_row = w * c;
  std::vector<double> from(p.pixels.begin(), p.pixels.end());
  if (order == 3) {
    for (std::int64_t y = 0; y < p.h; ++y)
      for (std::int64_t k = 0; k < c; ++k) to_spline(&from[y * in_row + k], p.w, c);
    for (std::int64_t x = 0; x < in_row; ++x) to_spline(&from[x], p.h, in_row);
  }
  std::vector<double> wide(p.h * out_row);  // every row at the new width
  for (std::int64_t y = 0; y < p.h; ++y)
    for (std::int64_t x = 0; x < w; ++x)
      for (int i = 0; i < columns[x].count; ++i)
        for (std::int64_t k = 0; k < c; ++k)
          wide[y * out_row + x * c + k] += columns[x].weight[i] * from[y * in_row + columns[x].at[i] * c + k];
  Picture out(h, w, c);
  std::vector<double> line(out_row);
  for (std::int64_t y = 0; y < h; ++y) {
    std::fill(line.begin(), line.end(), 0.0);
    for (int i = 0; i < rows[y].count; ++i) {
      const double* source = &wide[rows[y].at[i] * out_row];
      for (std::int64_t x = 0; x < out_row; ++x) line[x] += rows[y].weight[i] * source[x];
    }
    for (std::int64_t x = 0; x < out_row; ++x) out.pixels[y * out_row + x] = static_cast<float>(line[x]);
  }
  return out;
}

Mask zoom(const Mask& mask, std::int64_t h, std::int64_t w, ZoomBorder border) {
  check_size(mask.h, mask.w, h, w);
  const std::vector<Source> rows = sources(mask.h, h, 0, border), columns = sources(mask.w, w, 0, border);
  Mask out(h, w);
  for (std::int64_t y = 0; y < h; ++y)
    for (std::int64_t x = 0; x < w; ++x)
      if (rows[y].count > 0 && columns[x].count > 0) out.at(y, x) = mask.at(rows[y].at[0], columns[x].at[0]);
  return out;
}

}  // namespace gf
