#include "kernels/softmax.h"

#include "kernels/cpu/exp.h"
#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kRounding = 1.0 / 256;  // bf16: half a unit of 8 significant bits, relative

Values softmax_reference(const Values& x, std::int64_t c) {
  Values y = x;
  for (std::size_t first = 0; first < x.size(); first += at(c)) {
    double top = -kInfinity, sum = 0;
    for (std::size_t i = first; i < first + at(c); ++i) top = std::max(top, x[i]);
    for (std::size_t i = first; i < first + at(c); ++i) sum += y[i] = std::exp(x[i] - top);
    for (std::size_t i = first; i < first + at(c); ++i) y[i] /= sum;
  }
  return y;
}

Values log_softmax_reference(const Values& x, std::int64_t c) {
  Values y = x;
  for (std::size_t first = 0; first < x.size(); first += at(c)) {
    double top = -kInfinity, sum = 0;
    for (std::size_t i = first; i < first + at(c); ++i) top = std::max(top, x[i]);
    for (std::size_t i = first; i < first + at(c); ++i) sum += std::exp(x[i] - top);
    for (std::size_t i = first; i < first + at(c); ++i) y[i] = x[i] - top - std::log(sum);
  }
  return y;
}

Values backward_reference(const Values& p, const Values& g, std::int64_t c) {
  Values dx;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const std::size_t first = i / at(c) * at(c);
    double mean = 0;
    for (std::size_t k = first; k < first + at(c); ++k) mean += p[k] * g[k];
    dx.push_back(p[i] * (g[i] - mean));
  }
  return dx;
}

// Sizes around a warp and around the GPU's packs, wide pixels, several blocks.
template <class Body>
void for_shapes(const Body& body) {
  const Shape shapes[] = {{2, 3, 5, 1},   {2, 3, 5, 2},    {1, 3, 11, 3},   {1, 33, 32, 9}, {2, 5, 3, 16},
                          {1, 3, 4, 31},  {1, 3, 4, 32},   {1, 2, 4, 33},   {1, 2, 1, 257}, {1, 1, 3, 264},
                          {1, 1, 2, 512}, {1, 1, 3, 5000}, {1, 1, 2, 5001}, {2, 17, 33, 4}, {1, 5, 7, 8}};
  for (const Shape& shape : shapes)
    for (const std::int64_t extra : {0, 3}) {
      INFO(shape.str(), " extra ", extra);
      body(shape, extra);
    }
}

template <class Body>
void for_cases(const Body& body) {
  for_shapes([&](const Shape& shape, std::int64_t extra) {
    for (const double scale : {1.0, 40.0}) {
      INFO("logits up to ", scale);
      body(Buffer<>::random(shape, extra, 1, -scale, scale), extra);
    }
  });
}

TEST_CASE("normal_cdf_f32: within 3e-7, its lower tail within 3e-6 of itself, and the ends") {
  for (double x = -12; x <= 12; x += 1.0 / 512) {
    const double want = std::erfc(-x / std::sqrt(2.0)) / 2;
    const double error = std::fabs(static_cast<double>(cpu::normal_cdf_f32(static_cast<float>(x))) - want);
    REQUIRE(error < 3e-7);
    if (x < 0 && x > -5) REQUIRE(error < 3e-6 * want);
  }
  CHECK(cpu::normal_cdf_f32(0.0f) == doctest::Approx(0.5).epsilon(1e-7));
  CHECK(cpu::normal_cdf_f32(1e30f) == 1.0f);
  CHECK(cpu::normal_cdf_f32(-1e30f) == 0.0f);
  CHECK(std::isnan(cpu::normal_cdf_f32(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("exp_f32: at most two units in the last place, and the special cases") {
  double worst = 0;
  for (float x = -87.0f; x < 88.7f; x += 0.00371f) {
    const double want = std::exp(static_cast<double>(x));
    const double unit = std::ldexp(1.0, std::ilogb(want) - 23);
    worst = std::max(worst, std::fabs(static_cast<double>(cpu::exp_f32(x)) - want) / unit);
  }
  CHECK(worst < 2);
  for (float x = -103.9f; x < -87.0f; x += 0.013f)  // denormal results
    CHECK(std::fabs(cpu::exp_f32(x) - std::exp(x)) <= 2 * std::numeric_limits<float>::denorm_min());
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(cpu::exp_f32(0.0f) == 1.0f);
  CHECK(cpu::exp_f32(infinity) == infinity);
  CHECK(cpu::exp_f32(-infinity) == 0.0f);
  CHECK(cpu::exp_f32(89.0f) == infinity);
  CHECK(cpu::exp_f32(1e30f) == infinity);
  CHECK(cpu::exp_f32(-1e30f) == 0.0f);
  CHECK(std::isnan(cpu::exp_f32(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("log_f32: at most two units in the last place of normal numbers") {
  double worst = 0;
  for (std::uint32_t bits = 0x00800000u; bits < 0x7f800000u; bits += 1009) {
    const float x = std::bit_cast<float>(bits);
    const double want = std::log(static_cast<double>(x));
    const float next = std::nextafter(std::fabs(static_cast<float>(want)), 1e30f);
    const double unit = std::max(static_cast<double>(next) - std::fabs(static_cast<float>(want)), 1e-45);
    worst = std::max(worst, std::fabs(static_cast<double>(cpu::log_f32(x)) - want) / unit);
  }
  CHECK(worst <= 2);
  CHECK(cpu::log_f32(1.0f) == 0.0f);
}

TEST_CASE("softmax and log_softmax: against double, also in place") {
  for_cases([](const Buffer<>& x, std::int64_t extra) {
    const Values want = softmax_reference(x.values(), x.shape().c),
                 want_log = log_softmax_reference(x.values(), x.shape().c);
    on_every_device([&](const auto& device) {
      Buffer<> y(x.shape(), 2 * extra), logs(x.shape(), extra);
      softmax(device, x.view(), y.view());
      log_softmax(device, x.view(), logs.view());
      CHECK(relative_error(y.values(), want) < 1e-6);
      CHECK(relative_error(logs.values(), want_log) < 1e-6);
      CHECK(y.sentinels_intact());
      CHECK(logs.sentinels_intact());
      Buffer<> in_place = x;
      softmax(device, in_place.view(), in_place.view());
      CHECK(same_bits(in_place.values(), y.values()));
      in_place = x;
      log_softmax(device, in_place.view(), in_place.view());
      CHECK(same_bits(in_place.values(), logs.values()));
      Values outputs = y.values();
      append(outputs, logs.values());
      return outputs;
    });
  });
}

TEST_CASE("softmax: infinities and NaN") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Buffer<> x = Buffer<>::of({1, 1, 4, 3}, 0,
                                  {-kInfinity, 0, 0,  //
                                   1e30, -1e30, 0,    //
                                   1, nan, 2,         //
                                   -kInfinity, -kInfinity, -kInfinity});
  on_every_device([&](const auto& device) {
    Buffer<> y(x.shape());
    softmax(device, x.view(), y.view());
    CHECK(relative_error(y.values(), {0, 0.5, 0.5, 1, 0, 0, nan, nan, nan, nan, nan, nan}) == 0);
    return y.values();
  });
  // The one NaN of a pixel that a warp shares, and of one that a block shares.
  for (const std::int64_t c : {300, 600}) {
    Buffer<> wide = Buffer<>::random({1, 1, 2, c}, 0, 1);
    wide.at(0, c - 1) = std::numeric_limits<float>::quiet_NaN();
    on_every_device([&](const auto& device) {
      Buffer<> y(wide.shape());
      softmax(device, wide.view(), y.view());
      const Values got = y.values();
      for (std::int64_t i = 0; i < 2 * c; ++i) REQUIRE(std::isnan(got[at(i)]) == (i < c));
      return got;
    });
  }
}

TEST_CASE("softmax_backward: central differences and closed form") {
  for_cases([](const Buffer<>& x, std::int64_t extra) {
    const Shape s = x.shape();
    const Buffer<> dy = Buffer<>::random(s, extra, 2);
    const Values g = dy.values(), want = backward_reference(softmax_reference(x.values(), s.c), g, s.c);
    if (s.count() < 100)
      CHECK(relative_error(want, central_difference([&](const Values& v) { return dot(g, softmax_reference(v, s.c)); },
                                                    x.values())) < 1e-6);
    on_every_device([&](const auto& device) {
      Buffer<> y(s, extra), dx(s, 2 * extra);
      softmax(device, x.view(), y.view());
      softmax_backward(device, y.view(), dy.view(), dx.view());
      if (s.c > 1) CHECK(relative_error(dx.values(), want) < 2e-6);
      CHECK(dx.sentinels_intact());
      Buffer<> over = dy;
      softmax_backward(device, y.view(), over.view(), over.view());
      CHECK(same_bits(over.values(), dx.values()));
      return dx.values();
    });
  });
}

TEST_CASE("softmax bf16: worked in float32, rounded once") {
  for_shapes([](const Shape& s, std::int64_t extra) {
    const auto x = Buffer<bf16>::random(s, extra, 1, -5, 5), p = Buffer<bf16>::random(s, extra, 2, 0, 1),
               g = Buffer<bf16>::random(s, 2 * extra, 3);
    const Values want = softmax_reference(x.values(), s.c), want_log = log_softmax_reference(x.values(), s.c),
                 want_dx = backward_reference(p.values(), g.values(), s.c);
    on_every_gpu([&](const auto& device) {
      Buffer<bf16> y(s, 2 * extra), logs(s, extra), dx(s, extra);
      softmax(device, x.view(), y.view());
      log_softmax(device, x.view(), logs.view());
      softmax_backward(device, p.view(), g.view(), dx.view());
      CHECK(relative_error(y.values(), want) < kRounding);
      CHECK(relative_error(logs.values(), want_log) < kRounding);
      CHECK(relative_error(dx.values(), want_dx) < kRounding);
      CHECK((y.sentinels_intact() && logs.sentinels_intact() && dx.sentinels_intact()));
      Values outputs = y.values();
      append(outputs, logs.values());
      append(outputs, dx.values());
      return outputs;
    });
  });
}

TEST_CASE("argmax_channels: the first largest, a NaN before all") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const std::int64_t extra : {0, 2}) {
    const Values values = {1,          3,          3,          2,    //
                           -1,         -2,         -3,         -4,   //
                           5,          nan,        9,          nan,  //
                           -kInfinity, -kInfinity, -kInfinity, -kInfinity};
    const auto run = [&](const auto& device, const auto& x) {
      Buffer<std::int32_t> label({1, 2, 2, 1}, extra);
      argmax_channels(device, x.view(), label.view());
      CHECK(label.values() == Values{1, 0, 1, 0});
      CHECK(label.sentinels_intact());
      return label.values();
    };
    on_every_device([&](const auto& device) { return run(device, Buffer<>::of({1, 2, 2, 4}, extra, values)); });
    on_every_gpu([&](const auto& device) { return run(device, Buffer<bf16>::of({1, 2, 2, 4}, extra, values)); });
  }
}

TEST_CASE("argmax_channels: few values and so many ties, in every number of channels") {
  for_shapes([](const Shape& s, std::int64_t extra) {
    Buffer<> x = Buffer<>::random(s, extra, 1, -3, 3);
    Values want;
    for (std::int64_t p = 0; p < s.pixels(); ++p) {
      std::int64_t best = 0;
      for (std::int64_t c = 0; c < s.c; ++c) {
        x.at(p, c) = std::round(x.at(p, c));
        if (x.at(p, c) > x.at(p, best)) best = c;
      }
      want.push_back(static_cast<double>(best));
    }
    on_every_device([&](const auto& device) {
      Buffer<std::int32_t> label({s.n, s.h, s.w, 1}, extra);
      argmax_channels(device, x.view(), label.view());
      CHECK(label.values() == want);
      CHECK(label.sentinels_intact());
      return label.values();
    });
  });
}

TEST_CASE("softmax: the same bits on any number of threads") {
  same_on_any_threads([] {
    const Buffer<> x = Buffer<>::random({2, 65, 67, 9}, 0, 1, -5, 5);
    Buffer<> y(x.shape());
    log_softmax(Cpu{workspace}, x.view(), y.view());
    return y.values();
  });
}

TEST_CASE("softmax: errors name kernel, tensor and shapes") {
  Buffer<> x({1, 2, 2, 3}), y({1, 2, 2, 4});
  Buffer<bf16> half({1, 2, 2, 3});
  Buffer<std::int32_t> label({1, 2, 2, 3});
  on_every_device([&](const auto& device) {
    CHECK(message_of([&] { softmax(device, x.view(), y.view()); }) ==
          "softmax: shapes differ: x f32 [1,2,2,3] and y f32 [1,2,2,4]: expected the same shape");
    CHECK(message_of([&] { softmax_backward(device, x.view(), x.view(), y.view()); }) ==
          "softmax_backward: shapes differ: y f32 [1,2,2,3] and dx f32 [1,2,2,4]: expected the same shape");
    CHECK(message_of([&] { argmax_channels(device, x.view(), y.view()); }) ==
          "argmax_channels: wrong dtype: label f32 [1,2,2,4]: expected i32, found f32");
    CHECK(message_of([&] { log_softmax(device, x.view(), half.view()); }) ==
          "log_softmax: wrong dtype: y bf16 [1,2,2,3]: expected f32, found bf16");
    return Values{};
  });
  on_every_gpu([&](const auto& device) {
    CHECK(message_of([&] { softmax(device, label.view(), label.view()); }) ==
          "softmax: wrong dtype: x i32 [1,2,2,3]: expected f32 or bf16, found i32");
    return Values{};
  });
}

}  // namespace
}  // namespace gf
