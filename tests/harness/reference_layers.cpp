#include "tests/harness/reference.h"

namespace gf::test::reference {
namespace {

double activate(const BatchNormShape& p, double slope, double v) {
  switch (p.act) {
    case NormActivation::none:
      return v;
    case NormActivation::relu:
      note_kink(v);
      return std::max(v, 0.0);
    case NormActivation::relu6:
      note_kink(v);
      note_kink(v - 6);
      return std::clamp(v, 0.0, 6.0);
    case NormActivation::leaky_relu:
    case NormActivation::prelu:
      note_kink(v);
      return v > 0 ? v : slope * v;
  }
  return v;
}

Array normalise(const Array& x, const Array& gamma, const Array& beta, const Array* residual, const Array* slope,
                const std::vector<double>& mean, const std::vector<double>& variance, const BatchNormShape& p) {
  Array y(x.shape);
  for_each_element(x.shape, [&](auto n, auto h, auto w, auto c) {
    const auto i = static_cast<std::size_t>(c);
    const double hat = (x.at(n, h, w, c) - mean[i]) / std::sqrt(variance[i] + static_cast<double>(p.eps));
    const double a = slope ? slope->v[i % slope->v.size()] : static_cast<double>(p.slope);
    y.at(n, h, w, c) = activate(p, a, gamma.v[i] * hat + beta.v[i] + (residual ? residual->at(n, h, w, c) : 0.0));
  });
  return y;
}

// Where output position i of a resize reads, and with what weight: weight[0] * x[at[0]] + weight[1] * x[at[1]].
struct Tap {
  std::int64_t at[2];
  double weight[2];
};

Tap resize_tap(std::int64_t i, std::int64_t in, std::int64_t out, ResizeMode mode) {
  if (mode == ResizeMode::nearest) return {{i * in / out, 0}, {1, 0}};
  const double ratio = static_cast<double>(in) / static_cast<double>(out);
  const double position = mode == ResizeMode::bilinear ? std::max(0.0, (static_cast<double>(i) + 0.5) * ratio - 0.5)
                          : out == 1                   ? 0.0
                                     : static_cast<double>(i * (in - 1)) / static_cast<double>(out - 1);
  const auto low = std::min(static_cast<std::int64_t>(position), in - 1);
  const double part = position - static_cast<double>(low);
  return {{low, std::min(low + 1, in - 1)}, {1 - part, part}};
}

// Calls term(x element, y element, weight) for every product of y = resize(x).
template <class Term>
void for_each_tap(const Array& x, const Array& y, ResizeMode mode, const Term& term) {
  for_each_element(y.shape, [&](auto n, auto h, auto w, auto c) {
    const Tap row = resize_tap(h, x.shape.h, y.shape.h, mode), column = resize_tap(w, x.shape.w, y.shape.w, mode);
    for (int a = 0; a < 2; ++a)
      for (int b = 0; b < 2; ++b)
        term(x.index(n, row.at[a], column.at[b], c), y.index(n, h, w, c), row.weight[a] * column.weight[b]);
  });
}

}  // namespace

Array batch_norm_train(const Array& x, const Array& gamma, const Array& beta, const Array* residual, const Array* slope,
                       const BatchNormShape& p) {
  std::vector<double> mean(gamma.v.size()), variance(gamma.v.size());
  const double count = static_cast<double>(x.shape.pixels());
  for (std::size_t i = 0; i < x.v.size(); ++i) mean[i % mean.size()] += x.v[i] / count;
  for (std::size_t i = 0; i < x.v.size(); ++i) {
    const double d = x.v[i] - mean[i % mean.size()];
    variance[i % mean.size()] += d * d / count;
  }
  return normalise(x, gamma, beta, residual, slope, mean, variance, p);
}

Array batch_norm_eval(const Array& x, const Array& gamma, const Array& beta, const Array* residual, const Array* slope,
                      const Array& mean, const Array& variance, const BatchNormShape& p) {
  return normalise(x, gamma, beta, residual, slope, mean.v, variance.v, p);
}

Array group_norm(const Array& x, const Array& gamma, const Array& beta, const Array* residual,
                 const GroupNormShape& p) {
  const std::int64_t members = x.shape.c / p.groups;
  const double values = static_cast<double>(x.shape.h * x.shape.w * members);
  Array mean({x.shape.n, 1, 1, p.groups}), variance(mean.shape), y(x.shape);
  for_each_element(x.shape,
                   [&](auto n, auto h, auto w, auto c) { mean.at(n, 0, 0, c / members) += x.at(n, h, w, c) / values; });
  for_each_element(x.shape, [&](auto n, auto h, auto w, auto c) {
    const double d = x.at(n, h, w, c) - mean.at(n, 0, 0, c / members);
    variance.at(n, 0, 0, c / members) += d * d / values;
  });
  for_each_element(x.shape, [&](auto n, auto h, auto w, auto c) {
    const auto i = static_cast<std::size_t>(c);
    const double d = x.at(n, h, w, c) - mean.at(n, 0, 0, c / members);
    const double hat = d / std::sqrt(variance.at(n, 0, 0, c / members) + static_cast<double>(p.eps));
    const double z = gamma.v[i] * hat + beta.v[i] + (residual ? residual->at(n, h, w, c) : 0.0);
    if (p.relu) note_kink(z);
    y.at(n, h, w, c) = p.relu ? std::max(z, 0.0) : z;
  });
  return y;
}

Array layer_norm(const Array& x, const Array* gamma, const Array* beta, double eps) {
  Array y(x.shape);
  const auto count = static_cast<double>(x.shape.c);
  for_each_element({x.shape.n, x.shape.h, x.shape.w, 1}, [&](auto n, auto h, auto w, auto) {
    double mean = 0, variance = 0;
    for (std::int64_t c = 0; c < x.shape.c; ++c) mean += x.at(n, h, w, c) / count;
    for (std::int64_t c = 0; c < x.shape.c; ++c) variance += std::pow(x.at(n, h, w, c) - mean, 2) / count;
    for (std::int64_t c = 0; c < x.shape.c; ++c) {
      const auto i = static_cast<std::size_t>(c);
      const double hat = (x.at(n, h, w, c) - mean) / std::sqrt(variance + eps);
      y.at(n, h, w, c) = gamma ? gamma->v[i] * hat + beta->v[i] : hat;
    }
  });
  return y;
}

Array max_pool(const Array& x, const PoolShape& p) {
  const auto extent = [&](std::int64_t in) { return (in + 2 * p.pad - p.kernel) / p.stride + 1; };
  Array y({x.shape.n, extent(x.shape.h), extent(x.shape.w), x.shape.c});
  for_each_element(y.shape, [&](auto n, auto oh, auto ow, auto c) {
    std::vector<double> window;
    for (std::int64_t h = oh * p.stride - p.pad; h < oh * p.stride - p.pad + p.kernel; ++h)
      for (std::int64_t w = ow * p.stride - p.pad; w < ow * p.stride - p.pad + p.kernel; ++w)
        if (x.inside(h, w)) window.push_back(x.at(n, h, w, c));
    std::sort(window.rbegin(), window.rend());
    if (window.size() > 1) note_kink((window[0] - window[1]) / 2);
    y.at(n, oh, ow, c) = window[0];
  });
  return y;
}

Array max_unpool(const Array& values, const Array& map, const PoolShape& p) {
  Array y(map.shape);
  const Array maxima = max_pool(map, p);
  for_each_element(map.shape, [&](auto n, auto h, auto w, auto c) {
    const auto oh = h / p.kernel, ow = w / p.kernel;
    if (maxima.inside(oh, ow) && map.at(n, h, w, c) == maxima.at(n, oh, ow, c)) {
      y.at(n, h, w, c) = values.at(n, oh, ow, c);
    }
  });
  return y;
}

Array adaptive_max_pool(const Array& x, std::int64_t height, std::int64_t width) {
  Array y({x.shape.n, height, width, x.shape.c});
  for_each_element(y.shape, [&](auto n, auto oh, auto ow, auto c) {
    std::vector<double> cell;
    for (std::int64_t h = 0; h < x.shape.h; ++h)
      for (std::int64_t w = 0; w < x.shape.w; ++w)  // the parts of the map that the cell and the pixel cover meet
        if (h * height < (oh + 1) * x.shape.h && (h + 1) * height > oh * x.shape.h &&
            w * width < (ow + 1) * x.shape.w && (w + 1) * width > ow * x.shape.w)
          cell.push_back(x.at(n, h, w, c));
    std::sort(cell.rbegin(), cell.rend());
    if (cell.size() > 1) note_kink((cell[0] - cell[1]) / 2);
    y.at(n, oh, ow, c) = cell[0];
  });
  return y;
}

Array adaptive_avg_pool(const Array& x, std::int64_t height, std::int64_t width) {
  Array y({x.shape.n, height, width, x.shape.c});
  const auto begin = [](std::int64_t i, std::int64_t in, std::int64_t out) { return i * in / out; };
  const auto end = [](std::int64_t i, std::int64_t in, std::int64_t out) { return ((i + 1) * in + out - 1) / out; };
  for_each_element(y.shape, [&](auto n, auto oh, auto ow, auto c) {
    double sum = 0;
    int count = 0;
    for (std::int64_t h = begin(oh, x.shape.h, height); h < end(oh, x.shape.h, height); ++h)
      for (std::int64_t w = begin(ow, x.shape.w, width); w < end(ow, x.shape.w, width); ++w, ++count)
        sum += x.at(n, h, w, c);
    y.at(n, oh, ow, c) = sum / count;
  });
  return y;
}

Array resize(const Array& x, std::int64_t height, std::int64_t width, ResizeMode mode) {
  Array y({x.shape.n, height, width, x.shape.c});
  for_each_tap(x, y, mode, [&](auto ix, auto iy, double weight) { y.v[iy] += weight * x.v[ix]; });
  return y;
}

Array resize_adjoint(const Array& dy, const Shape& to, ResizeMode mode) {
  Array dx(to);
  for_each_tap(dx, dy, mode, [&](auto ix, auto iy, double weight) { dx.v[ix] += weight * dy.v[iy]; });
  return dx;
}

Array log_softmax(const Array& x, double temperature) {
  Array y(x.shape);
  for_each_element({x.shape.n, x.shape.h, x.shape.w, 1}, [&](auto n, auto h, auto w, auto) {
    double top = x.at(n, h, w, 0), sum = 0;
    for (std::int64_t c = 0; c < x.shape.c; ++c) top = std::max(top, x.at(n, h, w, c));
    for (std::int64_t c = 0; c < x.shape.c; ++c) sum += std::exp((x.at(n, h, w, c) - top) / temperature);
    for (std::int64_t c = 0; c < x.shape.c; ++c)
      y.at(n, h, w, c) = (x.at(n, h, w, c) - top) / temperature - std::log(sum);
  });
  return y;
}

Array softmax(const Array& x, double temperature) { return unary(Unary::exp, 0, log_softmax(x, temperature)); }

}  // namespace gf::test::reference
