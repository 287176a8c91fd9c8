#include "kernels/group_norm.h"

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

struct Sizes {
  Shape s;
  std::int64_t groups, extra;
};

// One group, groups of one channel, groups that a pack of channels crosses; one chunk of pixels and several.
const Sizes kSizes[] = {{{1, 1, 2, 4}, 2, 0},    {{2, 3, 5, 6}, 3, 0},   {{2, 3, 5, 6}, 6, 2},
                        {{3, 4, 3, 6}, 1, 0},    {{1, 5, 3, 31}, 31, 0}, {{2, 5, 7, 32}, 32, 0},
                        {{2, 5, 7, 64}, 32, 8},  {{1, 9, 8, 33}, 11, 1}, {{2, 17, 19, 12}, 4, 0},
                        {{1, 40, 33, 16}, 8, 0}, {{1, 2, 3, 257}, 1, 0}, {{2, 25, 23, 96}, 32, 0}};

constexpr float kEps = 1e-6f;

template <class T>
struct Case {
  Shape shape;
  GroupNormShape p;
  bool adds;
  Buffer<T> x, residual, y, dy, dx, d_residual;
  Buffer<> gamma, beta, mean, inv_std, dgamma, dbeta;

  Case(const Sizes& z, bool relu, bool adds_)
      : shape(z.s),
        p{z.groups, kEps, relu},
        adds(adds_),
        x(Buffer<T>::random(z.s, z.extra, 1, -2, 5)),
        residual(Buffer<T>::random(z.s, z.extra, 2, -2, 2)),
        y(z.s, 2 * z.extra),
        dy(Buffer<T>::random(z.s, z.extra, 3)),
        dx(z.s, z.extra),
        d_residual(z.s, z.extra),
        gamma(Buffer<>::random({1, 1, 1, z.s.c}, 0, 4, 0.5, 2)),
        beta(Buffer<>::random({1, 1, 1, z.s.c}, 0, 5)),
        mean({z.s.n, 1, 1, z.groups}),
        inv_std({z.s.n, 1, 1, z.groups}),
        dgamma({1, 1, 1, z.s.c}),
        dbeta({1, 1, 1, z.s.c}) {}

  template <class Device>
  void forward(const Device& device) {
    group_norm_forward(device, p, std::as_const(x).view(), gamma.view(), beta.view(),
                       adds ? std::as_const(residual).view() : ConstView{}, mean.view(), inv_std.view(), y.view());
  }
  template <class Device>
  void backward(const Device& device) {
    group_norm_backward(device, p, std::as_const(x).view(), p.relu ? std::as_const(y).view() : ConstView{},
                        std::as_const(dy).view(), std::as_const(gamma).view(), std::as_const(mean).view(),
                        std::as_const(inv_std).view(), dx.view(), dgamma.view(), dbeta.view(),
                        adds ? d_residual.view() : View{});
  }
};

struct Expected {
  Values y, mean, inv_std, dx, dgamma, dbeta, g;
};

// Gathers every group's values and works on them alone. `sign` is what the ReLU's mask is read from.
template <class T>
Expected reference(const Case<T>& k, const Values& sign) {
  const Shape s = k.shape;
  const std::int64_t members = s.c / k.p.groups, pixels = s.h * s.w;
  const Values x = k.x.values(), r = k.residual.values(), dy = k.dy.values();
  const Values gamma = k.gamma.values(), beta = k.beta.values();
  Expected e{Values(x.size()), {}, {}, Values(x.size()), Values(at(s.c)), Values(at(s.c)), Values(x.size())};
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t group = 0; group < k.p.groups; ++group) {
      std::vector<std::size_t> all;
      for (std::int64_t i = 0; i < pixels; ++i)
        for (std::int64_t c = group * members; c < (group + 1) * members; ++c)
          all.push_back(at((n * pixels + i) * s.c + c));
      const double m = static_cast<double>(all.size());
      double mean = 0, var = 0;
      for (const std::size_t i : all) mean += x[i] / m;
      for (const std::size_t i : all) var += (x[i] - mean) * (x[i] - mean) / m;
      const double inv = 1 / std::sqrt(var + static_cast<double>(k.p.eps));
      e.mean.push_back(mean);
      e.inv_std.push_back(inv);
      double a = 0, b = 0;
      for (const std::size_t i : all) {
        const std::size_t c = i % at(s.c);
        const double hat = (x[i] - mean) * inv, z = gamma[c] * hat + beta[c] + (k.adds ? r[i] : 0);
        e.y[i] = k.p.relu ? std::max(z, 0.0) : z;
        e.g[i] = k.p.relu && !(sign[i] > 0) ? 0 : dy[i];
        e.dgamma[c] += e.g[i] * hat;
        e.dbeta[c] += e.g[i];
        a += gamma[c] * e.g[i];
        b += gamma[c] * e.g[i] * hat;
      }
      for (const std::size_t i : all)
        e.dx[i] = inv * (gamma[i % at(s.c)] * e.g[i] - a / m - (x[i] - mean) * inv * b / m);
    }
  return e;
}

template <class T, class Run>
void on_devices(const Run& run) {
  if constexpr (std::is_same_v<T, float>) {
    on_every_device(run);
  } else {
    on_every_gpu(run);
  }
}

TEST_CASE("group_norm: forward and backward against closed forms in double") {
  for (const Sizes& size : kSizes)
    for (const bool relu : {false, true})
      for (const bool adds : {false, true})
        for_every_element([&](auto element, double rounding) {
          using T = decltype(element);
          INFO(size.s.str(), " groups ", size.groups, " relu ", relu, " residual ", adds);
          const Case<T> fresh(size, relu, adds);
          on_devices<T>([&](const auto& device) {
            Case<T> k = fresh;
            k.forward(device);
            const Expected e = reference(k, k.y.values());
            CHECK(relative_error(k.y.values(), e.y) < 2e-6 + rounding);
            CHECK(relative_error(k.mean.values(), e.mean) < 1e-6);
            CHECK(relative_error(k.inv_std.values(), e.inv_std) < 1e-6);
            k.backward(device);
            // Groups of few values have an x^ near 1 and -1, where dx all but cancels.
            if (size.s.h * size.s.w * size.s.c / size.groups > 4)
              CHECK(relative_error(k.dx.values(), e.dx) < 1e-5 + rounding);
            CHECK(relative_error(k.dgamma.values(), e.dgamma) < 4e-6);
            CHECK(relative_error(k.dbeta.values(), e.dbeta) < 4e-6);
            if (adds) CHECK(relative_error(k.d_residual.values(), e.g) == 0);
            CHECK((k.y.sentinels_intact() && k.dx.sentinels_intact() && k.d_residual.sentinels_intact()));
            CHECK((k.mean.sentinels_intact() && k.inv_std.sentinels_intact() && k.dgamma.sentinels_intact()));
            Values outputs = k.y.values();
            for (const Values& more : {k.dx.values(), k.dgamma.values(), k.dbeta.values()}) append(outputs, more);
            return outputs;
          });
        });
}

TEST_CASE("group_norm: the closed form of the backward is the derivative") {
  Case<float> k({{2, 2, 3, 6}, 2, 0}, true, true);
  const Expected e = reference(k, reference(k, k.x.values()).y);  // the mask of the output
  const Values dy = k.dy.values();
  const auto differences = [&](Buffer<>& at) {
    const Buffer<> saved = at;
    const Values d = central_difference(
        [&](const Values& v) {
          at = Buffer<>::of(saved.shape(), 0, v);
          return dot(dy, reference(k, k.x.values()).y);
        },
        saved.values(), 1.0 / 1024);  // the buffers hold float32
    at = saved;
    return d;
  };
  CHECK(relative_error(e.dx, differences(k.x)) < 2e-3);
  CHECK(relative_error(e.dgamma, differences(k.gamma)) < 2e-3);
  CHECK(relative_error(e.dbeta, differences(k.beta)) < 2e-3);
  CHECK(relative_error(e.g, differences(k.residual)) < 2e-3);
}

TEST_CASE("group_norm: a mean that dwarfs the spread, a flat group, results in the place of inputs") {
  Case<float> k({{2, 7, 9, 8}, 4, 0}, true, true);
  on_every_device([&](const auto& device) {
    Case<float> far = k;
    Values x = far.x.values();
    for (double& v : x) v = 4096 + std::round(v * 64) / 64;  // exact in float32
    far.x = Buffer<>::of(k.shape, 0, x);
    far.forward(device);
    const Expected e = reference(far, far.y.values());
    CHECK(relative_error(far.inv_std.values(), e.inv_std) < 1e-5);
    CHECK(relative_error(far.y.values(), e.y) < 5e-4);  // the mean itself is rounded

    Case<float> flat = k;
    flat.x = Buffer<>::of(k.shape, 0, Values(at(k.shape.count()), 3));
    flat.forward(device);
    CHECK(flat.inv_std.values()[0] == doctest::Approx(1000));

    Case<float> plain = k, over = k;
    plain.forward(device);
    plain.backward(device);
    over.forward(device);
    group_norm_forward(device, k.p, over.x.view(), over.gamma.view(), over.beta.view(),
                       std::as_const(over.residual).view(), over.mean.view(), over.inv_std.view(),
                       over.residual.view());
    CHECK(same_bits(over.residual.values(), plain.y.values()));
    group_norm_backward(device, k.p, over.x.view(), over.y.view(), std::as_const(over.dy).view(), over.gamma.view(),
                        over.mean.view(), over.inv_std.view(), over.dx.view(), over.dgamma.view(), over.dbeta.view(),
                        over.dy.view());
    CHECK(same_bits(over.dx.values(), plain.dx.values()));
    CHECK(same_bits(over.dy.values(), plain.d_residual.values()));
    return plain.dx.values();
  });
}

TEST_CASE("group_norm: the same bits on any number of threads") {
  same_on_any_threads([] {
    Case<float> k({{2, 60, 60, 64}, 32, 0}, true, true);
    const Cpu cpu{workspace};
    k.forward(cpu);
    k.backward(cpu);
    Values outputs = k.y.values();
    for (const Values& more : {k.dx.values(), k.dgamma.values(), k.dbeta.values()}) append(outputs, more);
    return outputs;
  });
}

TEST_CASE("group_norm: errors name kernel, tensor and shapes") {
  Case<float> k({{1, 2, 2, 6}, 3, 0}, false, false);
  on_every_device([&](const auto& device) {
    Case<float> wrong = k;
    wrong.p.groups = 4;
    CHECK(message_of([&] { wrong.forward(device); }) ==
          "group_norm_forward: channels do not divide into groups: x f32 [1,2,2,6]: expected a divisor of 6, found 4 "
          "groups");
    wrong.p.groups = 2;
    CHECK(message_of([&] { wrong.backward(device); }) ==
          "group_norm_backward: wrong shape: mean f32 [1,1,1,3]: expected [1,1,1,2], found [1,1,1,3]");
    return Values{};
  });
}

}  // namespace
}  // namespace gf
