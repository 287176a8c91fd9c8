#include "kernels/layer_norm.h"

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

constexpr float kEps = 1e-6f;

struct Sizes {
  Shape s;
  std::int64_t extra;
};

// Rows in registers, on a warp and on a block, with and without packs of 16 bytes; one chunk of pixels and several.
const Sizes kSizes[] = {{{1, 1, 1, 2}, 0},   {{2, 3, 4, 5}, 0},    {{2, 3, 4, 5}, 2},    {{1, 5, 7, 31}, 0},
                        {{1, 3, 5, 32}, 8},  {{1, 33, 9, 33}, 1},  {{1, 2, 3, 257}, 0},  {{1, 2, 2, 512}, 0},
                        {{1, 2, 2, 515}, 0}, {{1, 3, 1, 768}, 16}, {{2, 20, 20, 36}, 0}, {{1, 1, 4, 1153}, 3}};

struct Norm {
  Values mean, inv_std, hat;
};

Norm statistics(const Values& x, std::int64_t c) {
  Norm n;
  for (std::size_t first = 0; first < x.size(); first += at(c)) {
    double mean = 0, var = 0;
    for (std::size_t i = first; i < first + at(c); ++i) mean += x[i] / static_cast<double>(c);
    for (std::size_t i = first; i < first + at(c); ++i) var += (x[i] - mean) * (x[i] - mean) / static_cast<double>(c);
    n.mean.push_back(mean);
    n.inv_std.push_back(1 / std::sqrt(var + static_cast<double>(kEps)));
    for (std::size_t i = first; i < first + at(c); ++i) n.hat.push_back((x[i] - mean) * n.inv_std.back());
  }
  return n;
}

Values forward_reference(const Values& x, std::int64_t c, const Values& gamma, const Values& beta) {
  Values y = statistics(x, c).hat;
  for (std::size_t i = 0; i < y.size() && !gamma.empty(); ++i) y[i] = y[i] * gamma[i % at(c)] + beta[i % at(c)];
  return y;
}

struct Gradients {
  Values dx, dgamma, dbeta;
};

// Through the sums that a row's mean and spread are, one after the other.
Gradients backward_reference(const Values& x, std::int64_t c, const Values& gamma, const Values& dy) {
  const Norm n = statistics(x, c);
  const double count = static_cast<double>(c);
  Gradients g{Values(x.size()), Values(at(c)), Values(at(c))};
  for (std::size_t p = 0; p < n.mean.size(); ++p) {
    double d_mean = 0, d_inv = 0;
    for (std::size_t k = 0; k < at(c); ++k) {
      const std::size_t i = p * at(c) + k;
      const double up = dy[i] * (gamma.empty() ? 1 : gamma[k]);
      d_inv += up * (x[i] - n.mean[p]);
      d_mean -= up * n.inv_std[p];
      g.dgamma[k] += dy[i] * n.hat[i];
      g.dbeta[k] += dy[i];
    }
    // inv_std = (var + eps)^(-1/2)
    const double d_var = -0.5 * d_inv * std::pow(n.inv_std[p], 3);
    for (std::size_t k = 0; k < at(c); ++k) {
      const std::size_t i = p * at(c) + k;
      g.dx[i] = dy[i] * (gamma.empty() ? 1 : gamma[k]) * n.inv_std[p] + d_mean / count +
                d_var * 2 * (x[i] - n.mean[p]) / count;
    }
  }
  return g;
}

template <class T, class Run>
void on_devices(const Run& run) {
  if constexpr (std::is_same_v<T, float>) {
    on_every_device(run);
  } else {
    on_every_gpu(run);
  }
}

TEST_CASE("layer_norm: forward and backward against closed forms in double") {
  for (const Sizes& size : kSizes)
    for (const bool learns : {true, false})
      for_every_element([&](auto element, double rounding) {
        using T = decltype(element);
        CAPTURE(size.s.str());
        CAPTURE(learns);
        const Shape s = size.s, v{1, 1, 1, s.c}, per_pixel{s.n, s.h, s.w, 1};
        const auto x = Buffer<T>::random(s, size.extra, 1, -2, 4), dy = Buffer<T>::random(s, 2 * size.extra, 2);
        const auto gamma = Buffer<>::random(v, 0, 3, 0.5, 2), beta = Buffer<>::random(v, 0, 4);
        const Values g = learns ? gamma.values() : Values{}, b = learns ? beta.values() : Values{};
        const Norm n = statistics(x.values(), s.c);
        const Values y_wanted = forward_reference(x.values(), s.c, g, b);
        const Gradients wanted = backward_reference(x.values(), s.c, g, dy.values());
        on_devices<T>([&](const auto& device) {
          const auto null = [&](const auto& view) { return learns ? view : std::decay_t<decltype(view)>{}; };
          Buffer<T> y(s, size.extra), dx(s, size.extra);
          Buffer<> mean(per_pixel, 1), inv_std(per_pixel), dgamma(v), dbeta(v);
          layer_norm_forward(device, kEps, x.view(), null(gamma.view()), null(beta.view()), mean.view(), inv_std.view(),
                             y.view());
          layer_norm_backward(device, x.view(), null(gamma.view()), dy.view(), std::as_const(mean).view(),
                              std::as_const(inv_std).view(), dx.view(), null(dgamma.view()), null(dbeta.view()));
          CHECK(relative_error(y.values(), y_wanted) < 1e-6 + rounding);
          CHECK(relative_error(mean.values(), n.mean) < 1e-6);
          CHECK(relative_error(inv_std.values(), n.inv_std) < 1e-6);
          // With two channels x^ is 1 and -1 and dx all but cancels.
          if (s.c > 2) CHECK(relative_error(dx.values(), wanted.dx) < 5e-6 + rounding);
          CHECK((y.sentinels_intact() && dx.sentinels_intact() && mean.sentinels_intact()));
          Values outputs = y.values();
          for (const Values& more : {dx.values(), mean.values(), inv_std.values()}) append(outputs, more);
          if (!learns) return outputs;
          CHECK(relative_error(dgamma.values(), wanted.dgamma) < 3e-6);
          CHECK(relative_error(dbeta.values(), wanted.dbeta) < 3e-6);
          append(outputs, dgamma.values());
          append(outputs, dbeta.values());
          return outputs;
        });
      });
}

TEST_CASE("layer_norm: the closed form of the backward is the derivative") {
  const std::int64_t c = 7;
  const auto x = Buffer<>::random({1, 2, 2, c}, 0, 1), dy = Buffer<>::random({1, 2, 2, c}, 0, 2);
  const auto gamma = Buffer<>::random({1, 1, 1, c}, 0, 3, 0.5, 2), beta = Buffer<>::random({1, 1, 1, c}, 0, 4);
  const Gradients closed = backward_reference(x.values(), c, gamma.values(), dy.values());
  const auto loss = [&](const Values& vx, const Values& vg, const Values& vb) {
    return dot(dy.values(), forward_reference(vx, c, vg, vb));
  };
  const auto differences = [&](const auto& f, const Buffer<>& at) { return central_difference(f, at.values()); };
  CHECK(relative_error(closed.dx, differences([&](auto& v) { return loss(v, gamma.values(), beta.values()); }, x)) <
        1e-6);
  CHECK(relative_error(closed.dgamma, differences([&](auto& v) { return loss(x.values(), v, beta.values()); }, gamma)) <
        1e-6);
  CHECK(relative_error(closed.dbeta, differences([&](auto& v) { return loss(x.values(), gamma.values(), v); }, beta)) <
        1e-6);
}

TEST_CASE("layer_norm: results in the place of inputs, and a row without spread") {
  for (const std::int64_t c : {24, 520}) {
    const Shape s{1, 3, 2, c};
    const auto x = Buffer<>::random(s, 0, 1), dy = Buffer<>::random(s, 0, 2);
    const auto gamma = Buffer<>::random({1, 1, 1, c}, 0, 3), beta = Buffer<>::random({1, 1, 1, c}, 0, 4);
    on_every_device([&](const auto& device) {
      Buffer<> y(s), mean({1, 3, 2, 1}), inv_std({1, 3, 2, 1}), dx(s), dgamma({1, 1, 1, c}), dbeta({1, 1, 1, c});
      layer_norm_forward(device, kEps, x.view(), gamma.view(), beta.view(), mean.view(), inv_std.view(), y.view());
      const auto backward = [&](const ConstView& vx, const ConstView& vdy, const View& to) {
        layer_norm_backward(device, vx, gamma.view(), vdy, std::as_const(mean).view(), std::as_const(inv_std).view(),
                            to, dgamma.view(), dbeta.view());
      };
      backward(x.view(), dy.view(), dx.view());
      const Values gammas = dgamma.values();
      Buffer<> over_x = x, over_dy = dy, in_place = x;
      backward(over_x.view(), dy.view(), over_x.view());
      CHECK(same_bits(over_x.values(), dx.values()));
      CHECK(same_bits(dgamma.values(), gammas));
      backward(x.view(), over_dy.view(), over_dy.view());
      CHECK(same_bits(over_dy.values(), dx.values()));
      CHECK(same_bits(dgamma.values(), gammas));
      layer_norm_forward(device, kEps, in_place.view(), gamma.view(), beta.view(), mean.view(), inv_std.view(),
                         in_place.view());
      CHECK(same_bits(in_place.values(), y.values()));
      // Every value of a row alike: the variance is 0, eps alone is left.
      Buffer<> flat = Buffer<>::of(s, 0, Values(at(s.count()), 3));
      layer_norm_forward(device, kEps, flat.view(), {}, {}, mean.view(), inv_std.view(), flat.view());
      CHECK(relative_error(flat.values(), Values(at(s.count()), 0)) == 0);
      CHECK(inv_std.values()[0] == doctest::Approx(1000));
      return dx.values();
    });
  }
}

TEST_CASE("layer_norm: the same bits on any number of threads") {
  same_on_any_threads([] {
    const Shape s{2, 40, 40, 48};
    const auto x = Buffer<>::random(s, 0, 1), dy = Buffer<>::random(s, 0, 2);
    const auto gamma = Buffer<>::random({1, 1, 1, 48}, 0, 3), beta = Buffer<>::random({1, 1, 1, 48}, 0, 4);
    Buffer<> y(s), mean({2, 40, 40, 1}), inv_std({2, 40, 40, 1}), dx(s), dgamma({1, 1, 1, 48}), dbeta({1, 1, 1, 48});
    const Cpu cpu{workspace};
    layer_norm_forward(cpu, kEps, x.view(), gamma.view(), beta.view(), mean.view(), inv_std.view(), y.view());
    layer_norm_backward(cpu, x.view(), gamma.view(), dy.view(), mean.view(), inv_std.view(), dx.view(), dgamma.view(),
                        dbeta.view());
    Values outputs = y.values();
    for (const Values& more : {dx.values(), dgamma.values(), dbeta.values()}) append(outputs, more);
    return outputs;
  });
}

TEST_CASE("layer_norm: errors name kernel, tensor and shapes") {
  Buffer<> x({1, 2, 2, 3}), y({1, 2, 2, 4}), mean({1, 2, 2, 1}), vector({1, 1, 1, 4});
  on_every_device([&](const auto& device) {
    CHECK(message_of([&] { layer_norm_forward(device, kEps, x.view(), {}, {}, mean.view(), mean.view(), y.view()); }) ==
          "layer_norm_forward: shapes differ: x f32 [1,2,2,3] and y f32 [1,2,2,4]: expected the same shape");
    CHECK(message_of([&] {
            layer_norm_forward(device, kEps, x.view(), vector.view(), vector.view(), mean.view(), mean.view(),
                               x.view());
          }) == "layer_norm_forward: wrong shape: gamma f32 [1,1,1,4]: expected [1,1,1,3], found [1,1,1,4]");
    CHECK(message_of([&] {
            layer_norm_backward(device, x.view(), {}, x.view(), mean.view(), mean.view(), x.view(), vector.view(), {});
          }) ==
          "layer_norm_backward: a gradient without its parameter: x f32 [1,2,2,3]: expected no dgamma and no "
          "dbeta");
    return Values{};
  });
}

}  // namespace
}  // namespace gf
