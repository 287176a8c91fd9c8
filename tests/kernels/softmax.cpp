#include "kernels/softmax.h"

#include "kernels/cpu/exp.h"
#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

const Cpu cpu{workspace};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

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

template <class Body>
void for_cases(const Body& body) {
  const Shape shapes[] = {{2, 3, 5, 1},  {2, 3, 5, 2},  {1, 33, 32, 9}, {2, 5, 3, 16},   {1, 3, 4, 31},
                          {1, 3, 4, 32}, {1, 2, 4, 33}, {1, 2, 1, 257}, {1, 1, 3, 5000}, {2, 65, 67, 4}};
  for (const Shape& shape : shapes)
    for (const std::int64_t extra : {0, 3})
      for (const double scale : {1.0, 40.0}) {
        INFO(shape.str(), " extra ", extra, " logits up to ", scale);
        body(Buffer<>::random(shape, extra, 1, -scale, scale), extra);
      }
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

TEST_CASE("softmax and log_softmax: against double, also in place") {
  for_cases([](Buffer<> x, std::int64_t extra) {
    const Values want = softmax_reference(x.values(), x.shape().c);
    Values want_log;
    const Values xs = x.values();
    for (std::size_t first = 0; first < xs.size(); first += at(x.shape().c)) {
      double top = -kInfinity, sum = 0;
      for (std::size_t i = first; i < first + at(x.shape().c); ++i) top = std::max(top, xs[i]);
      for (std::size_t i = first; i < first + at(x.shape().c); ++i) sum += std::exp(xs[i] - top);
      for (std::size_t i = first; i < first + at(x.shape().c); ++i) want_log.push_back(xs[i] - top - std::log(sum));
    }
    Buffer<> y(x.shape(), 2 * extra), logs(x.shape(), extra);
    softmax(cpu, x.view(), y.view());
    log_softmax(cpu, x.view(), logs.view());
    CHECK(relative_error(y.values(), want) < 1e-6);
    CHECK(relative_error(logs.values(), want_log) < 1e-6);
    CHECK(y.sentinels_intact());
    CHECK(logs.sentinels_intact());
    Buffer<> in_place = x;
    softmax(cpu, in_place.view(), in_place.view());
    CHECK(same_bits(in_place.values(), y.values()));
    in_place = x;
    log_softmax(cpu, in_place.view(), in_place.view());
    CHECK(same_bits(in_place.values(), logs.values()));
  });
}

TEST_CASE("softmax: infinities and NaN") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Buffer<> x = Buffer<>::of({1, 1, 4, 3}, 0,
                                  {-kInfinity, 0, 0,  //
                                   1e30, -1e30, 0,    //
                                   1, nan, 2,         //
                                   -kInfinity, -kInfinity, -kInfinity});
  Buffer<> y(x.shape());
  softmax(cpu, x.view(), y.view());
  CHECK(relative_error(y.values(), {0, 0.5, 0.5, 1, 0, 0, nan, nan, nan, nan, nan, nan}) == 0);
}

TEST_CASE("softmax_backward: central differences and closed form") {
  for_cases([](const Buffer<>& x, std::int64_t extra) {
    const Shape s = x.shape();
    Buffer<> y(s, extra), dx(s, 2 * extra);
    const Buffer<> dy = Buffer<>::random(s, extra, 2);
    softmax(cpu, x.view(), y.view());
    softmax_backward(cpu, y.view(), dy.view(), dx.view());
    const Values p = softmax_reference(x.values(), s.c), g = dy.values();
    Values want;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const std::size_t first = i / at(s.c) * at(s.c);
      double mean = 0;
      for (std::size_t k = first; k < first + at(s.c); ++k) mean += p[k] * g[k];
      want.push_back(p[i] * (g[i] - mean));
    }
    if (s.c > 1) CHECK(relative_error(dx.values(), want) < 2e-6);
    CHECK(dx.sentinels_intact());
    if (s.count() < 100)
      CHECK(relative_error(want, central_difference([&](const Values& v) { return dot(g, softmax_reference(v, s.c)); },
                                                    x.values())) < 1e-6);
    Buffer<> over = dy;
    softmax_backward(cpu, y.view(), over.view(), over.view());
    CHECK(same_bits(over.values(), dx.values()));
  });
}

TEST_CASE("argmax_channels: the first largest, a NaN before all") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const std::int64_t extra : {0, 2}) {
    const Buffer<> x = Buffer<>::of({1, 2, 2, 4}, extra,
                                    {1, 3, 3, 2,      //
                                     -1, -2, -3, -4,  //
                                     5, nan, 9, nan,  //
                                     -kInfinity, -kInfinity, -kInfinity, -kInfinity});
    Buffer<std::int32_t> label({1, 2, 2, 1}, extra);
    argmax_channels(cpu, x.view(), label.view());
    CHECK(label.values() == Values{1, 0, 1, 0});
    CHECK(label.sentinels_intact());
  }
}

TEST_CASE("softmax: the same bits on any number of threads") {
  same_on_any_threads([] {
    const Buffer<> x = Buffer<>::random({2, 65, 67, 9}, 0, 1, -5, 5);
    Buffer<> y(x.shape());
    log_softmax(cpu, x.view(), y.view());
    return y.values();
  });
}

TEST_CASE("softmax: errors name kernel, tensor and shapes") {
  Buffer<> x({1, 2, 2, 3}), y({1, 2, 2, 4});
  CHECK(message_of([&] { softmax(cpu, x.view(), y.view()); }) ==
        "softmax: shapes differ: x f32 [1,2,2,3] and y f32 [1,2,2,4]: expected the same shape");
  CHECK(message_of([&] { argmax_channels(cpu, x.view(), y.view()); }) ==
        "argmax_channels: wrong dtype: label f32 [1,2,2,4]: expected i32, found f32");
}

}  // namespace
}  // namespace gf
