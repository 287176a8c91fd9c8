#include "kernels/pooling.h"

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

const Cpu cpu{workspace};

struct MaxCase {
  Shape x;
  PoolShape p;
  std::int64_t extra;
};

struct MaxReference {
  Values y, index;
};

MaxReference max_reference(const Values& x, const Shape& s, const PoolShape& p, const Shape& out) {
  MaxReference r;
  for (std::int64_t n = 0; n < out.n; ++n)
    for (std::int64_t oh = 0; oh < out.h; ++oh)
      for (std::int64_t ow = 0; ow < out.w; ++ow)
        for (std::int64_t c = 0; c < out.c; ++c) {
          double best = -std::numeric_limits<double>::infinity();
          std::int64_t place = -1;
          for (std::int64_t kh = 0; kh < p.kernel; ++kh)
            for (std::int64_t kw = 0; kw < p.kernel; ++kw) {
              const std::int64_t h = oh * p.stride - p.pad + kh, w = ow * p.stride - p.pad + kw;
              if (h < 0 || w < 0 || h >= s.h || w >= s.w) continue;
              const double v = x[at(((n * s.h + h) * s.w + w) * s.c + c)];
              if (place < 0 || (!std::isnan(best) && (v > best || std::isnan(v)))) {
                best = v;
                place = h * s.w + w;
              }
            }
          r.y.push_back(best);
          r.index.push_back(static_cast<double>(place));
        }
  return r;
}

std::vector<MaxCase> max_cases() {
  std::vector<MaxCase> cases;
  const PoolShape pools[] = {{2, 2, 0}, {3, 2, 1}, {3, 1, 1}, {2, 1, 0}, {2, 3, 1}, {5, 2, 2}, {1, 1, 0}};
  const Shape shapes[] = {{2, 8, 6, 1}, {1, 7, 9, 31}, {2, 5, 5, 32}, {1, 6, 7, 33}, {1, 5, 6, 257}, {2, 33, 32, 16}};
  for (const PoolShape& p : pools)
    for (const Shape& s : shapes)
      for (const std::int64_t extra : {0, 3}) cases.push_back({s, p, extra});
  return cases;
}

constexpr double kRounding = 1.0 / 256;  // of a bf16 result

// Few distinct values, so that ties are common.
template <class T>
Buffer<T> map_with_ties(const Shape& s, std::int64_t extra) {
  Values v = Buffer<>::random(s, 0, 1, -3, 3).values();
  for (double& x : v) x = std::floor(x);
  return Buffer<T>::of(s, extra, v);
}

// v[position of index] += pooled, channel by channel
void add_at(const Values& index, const Values& pooled, const Shape& out, const Shape& map, Values& v) {
  for (std::int64_t i = 0; i < out.count(); ++i) {
    const std::int64_t n = i / (out.h * out.w * out.c);
    const std::int64_t pixel = n * map.h * map.w + static_cast<std::int64_t>(index[at(i)]);
    v[at(pixel * map.c + i % out.c)] += pooled[at(i)];
  }
}

template <class T, class Device>
Values check_max_pool_case(const Device& device, const MaxCase& k, double tolerance) {
  const Shape out = max_pool_output(k.x, k.p);
  const Buffer<T> x = map_with_ties<T>(k.x, k.extra);
  Buffer<T> y(out, k.extra);
  Buffer<std::int32_t> index(out, k.extra);
  max_pool_forward(device, k.p, x.view(), y.view(), index.view());
  const MaxReference want = max_reference(x.values(), k.x, k.p, out);
  CHECK(same_bits(y.values(), want.y));
  CHECK(same_bits(index.values(), want.index));

  const Buffer<T> dy = Buffer<T>::random(out, k.extra, 2);
  Buffer<T> dx(k.x, 2 * k.extra);
  max_pool_backward(device, k.p, dy.view(), index.view(), dx.view());
  Values want_dx(at(k.x.count()));
  add_at(want.index, dy.values(), out, k.x, want_dx);
  CHECK(relative_error(dx.values(), want_dx) < tolerance);
  CHECK((y.sentinels_intact() && dx.sentinels_intact() && index.sentinels_intact()));
  Values all = y.values();
  append(all, index.values());
  append(all, dx.values());
  return all;
}

TEST_CASE("max_pool: values, positions, gradients") {
  for (const MaxCase& k : max_cases()) {
    INFO(k.x.str(), " kernel ", k.p.kernel, " stride ", k.p.stride, " pad ", k.p.pad, " extra ", k.extra);
    on_every_device([&](const auto& device) { return check_max_pool_case<float>(device, k, 1e-6); });
    on_every_gpu([&](const auto& device) { return check_max_pool_case<bf16>(device, k, kRounding); });
  }
}

template <class T, class Device>
Values check_unpool_case(const Device& device, const MaxCase& k) {
  const Shape out = max_pool_output(k.x, k.p);
  Buffer<T> pooled(out);
  Buffer<std::int32_t> index(out, k.extra);
  max_pool_forward(device, k.p, map_with_ties<T>(k.x, 0).view(), pooled.view(), index.view());
  const Buffer<T> x = Buffer<T>::random(out, k.extra, 3), dy = Buffer<T>::random(k.x, 2 * k.extra, 4);
  Buffer<T> y(k.x, k.extra), dx(out, 2 * k.extra);
  max_unpool_forward(device, k.p, x.view(), index.view(), y.view());
  max_unpool_backward(device, k.p, dy.view(), index.view(), dx.view());
  Values want_y(at(k.x.count()));
  add_at(index.values(), x.values(), out, k.x, want_y);
  CHECK(same_bits(y.values(), want_y));
  const Values g = dy.values(), positions = index.values();
  Values want_dx;
  for (std::int64_t i = 0; i < out.count(); ++i) {
    const std::int64_t n = i / (out.h * out.w * out.c);
    want_dx.push_back(g[at((n * k.x.h * k.x.w + static_cast<std::int64_t>(positions[at(i)])) * out.c + i % out.c)]);
  }
  CHECK(same_bits(dx.values(), want_dx));
  CHECK((y.sentinels_intact() && dx.sentinels_intact()));
  Values all = y.values();
  append(all, dx.values());
  return all;
}

TEST_CASE("max_unpool: values go back to where they came from, gradients follow") {
  for (const PoolShape p : {PoolShape{2, 2, 0}, PoolShape{3, 3, 0}, PoolShape{4, 4, 0}, PoolShape{1, 1, 0}})
    for (const Shape& s : {Shape{2, 8, 6, 1}, Shape{1, 7, 9, 31}, Shape{2, 5, 5, 32}, Shape{1, 6, 7, 33},
                           Shape{1, 5, 6, 257}, Shape{2, 13, 12, 16}})
      for (const std::int64_t extra : {0, 3, 8}) {
        const MaxCase k{s, p, extra};
        INFO(s.str(), " kernel ", p.kernel, " extra ", extra);
        on_every_device([&](const auto& device) { return check_unpool_case<float>(device, k); });
        on_every_gpu([&](const auto& device) { return check_unpool_case<bf16>(device, k); });
      }
}

TEST_CASE("max_unpool: the index is not trusted, NaN goes where it is sent only") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  on_every_device([&](const auto& device) {
    const Buffer<> x = Buffer<>::of({1, 1, 3, 1}, 0, {nan, 5, 6}), dy = Buffer<>::random({1, 2, 6, 1}, 0, 1);
    const auto index =
        Buffer<std::int32_t>::of({1, 1, 3, 1}, 0, {7, 0, 1000000});  // the last two: another window, none
    Buffer<> y({1, 2, 6, 1}), dx({1, 1, 3, 1});
    max_unpool_forward(device, {}, x.view(), index.view(), y.view());
    max_unpool_backward(device, {}, dy.view(), index.view(), dx.view());
    Values want(12);
    want[7] = static_cast<double>(nan);
    CHECK(relative_error(y.values(), want) == 0);
    CHECK(same_bits(dx.values(), {dy.values()[7], 0, 0}));
    return dx.values();
  });
}

template <class T, class Device>
Values check_nan_case(const Device& device, const PoolShape& p, std::int64_t channels) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), low = -std::numeric_limits<float>::infinity();
  const Shape s{1, 4, 4, channels};
  Buffer<T> x = Buffer<T>::random(s, 0, 1);
  for (std::int64_t q = 0; q < 16; ++q) x.at(q, 2) = element_of<T>(static_cast<double>(low));
  x.at(1, 0) = x.at(4, 0) = x.at(5, 1) = element_of<T>(static_cast<double>(nan));
  const Shape out = max_pool_output(s, p);
  Buffer<T> y(out);
  Buffer<std::int32_t> index(out);
  max_pool_forward(device, p, x.view(), y.view(), index.view());
  const Values v = y.values();
  CHECK(std::isnan(v[0]));
  CHECK(index.at(0, 0) == 1);
  CHECK(std::isnan(v[1]));
  CHECK(index.at(0, 1) == 5);
  CHECK(v[2] == static_cast<double>(low));
  CHECK(index.at(0, 2) == 0);
  CHECK(relative_error(v, max_reference(x.values(), s, p, out).y) == 0);
  return index.values();
}

TEST_CASE("max_pool: a NaN wins, the first one, minus infinity is a value") {
  for (const PoolShape p : {PoolShape{2, 2, 0}, PoolShape{3, 2, 1}})
    for (const std::int64_t channels : {3, 8}) {
      on_every_device([&](const auto& device) { return check_nan_case<float>(device, p, channels); });
      on_every_gpu([&](const auto& device) { return check_nan_case<bf16>(device, p, channels); });
    }
}

TEST_CASE("max_pool: output shapes and bad windows") {
  CHECK(max_pool_output({1, 7, 8, 3}, {2, 2, 0}) == Shape{1, 3, 4, 3});
  CHECK(max_pool_output({1, 7, 8, 3}, {3, 2, 1}) == Shape{1, 4, 4, 3});
  CHECK(message_of([] {
          (void)max_pool_output({1, 1, 8, 3}, {2, 2, 0});
        }) == "max_pool: the map is smaller than the window: x [1,1,8,3]: expected at least 2, found 1");
  CHECK(message_of([] {
          (void)max_pool_output({1, 8, 8, 3}, {2, 2, 2});
        }).find("padding of at most half the kernel") != std::string::npos);
}

// The adaptive window by PyTorch's definition.
std::int64_t first_of(std::int64_t i, std::int64_t in, std::int64_t out) {
  return static_cast<std::int64_t>(std::floor(static_cast<double>(i * in) / static_cast<double>(out)));
}
std::int64_t last_of(std::int64_t i, std::int64_t in, std::int64_t out) {
  return static_cast<std::int64_t>(std::ceil(static_cast<double>((i + 1) * in) / static_cast<double>(out)));
}

struct AverageCase {
  Shape x;
  std::int64_t h, w, extra;
};

template <class T, class Device>
Values check_average_case(const Device& device, const AverageCase& k, double tolerance) {
  const Shape out{k.x.n, k.h, k.w, k.x.c};
  const Buffer<T> x = Buffer<T>::random(k.x, k.extra, 1), dy = Buffer<T>::random(out, k.extra, 2);
  Buffer<T> y(out, k.extra), dx(k.x, 2 * k.extra);
  adaptive_avg_pool_forward(device, x.view(), y.view());
  adaptive_avg_pool_backward(device, dy.view(), dx.view());
  const Values xs = x.values(), g = dy.values();
  Values want_y, want_dx(at(k.x.count()));
  for (std::int64_t i = 0; i < out.count(); ++i) {
    const std::int64_t c = i % out.c, w = i / out.c % out.w, h = i / (out.c * out.w) % out.h;
    const std::int64_t n = i / (out.c * out.w * out.h);
    const std::int64_t h0 = first_of(h, k.x.h, out.h), h1 = last_of(h, k.x.h, out.h);
    const std::int64_t w0 = first_of(w, k.x.w, out.w), w1 = last_of(w, k.x.w, out.w);
    const double area = static_cast<double>((h1 - h0) * (w1 - w0));
    double sum = 0;
    for (std::int64_t a = h0; a < h1; ++a)
      for (std::int64_t b = w0; b < w1; ++b) {
        const std::size_t from = at(((n * k.x.h + a) * k.x.w + b) * k.x.c + c);
        sum += xs[from];
        want_dx[from] += g[at(i)] / area;
      }
    want_y.push_back(sum / area);
  }
  CHECK(relative_error(y.values(), want_y) < tolerance);
  CHECK(relative_error(dx.values(), want_dx) < tolerance);
  CHECK(y.sentinels_intact());
  CHECK(dx.sentinels_intact());
  Values all = y.values();
  append(all, dx.values());
  return all;
}

TEST_CASE("adaptive_avg_pool: values and gradients, up and down") {
  const AverageCase cases[] = {{{2, 7, 5, 33}, 3, 2, 0},    {{2, 9, 9, 16}, 1, 1, 0},   {{1, 7, 9, 31}, 18, 18, 0},
                               {{1, 1, 1, 257}, 3, 5, 0},   {{3, 6, 6, 1}, 6, 6, 0},    {{1, 32, 33, 32}, 18, 18, 0},
                               {{1, 37, 32, 140}, 2, 1, 0}, {{1, 1, 2, 24}, 31, 40, 0}, {{2, 10, 10, 3}, 7, 12, 0},
                               {{3, 33, 65, 1}, 1, 1, 0}};
  for (AverageCase k : cases)
    for (const std::int64_t extra : {0, 3}) {
      k.extra = extra;
      INFO(k.x.str(), " to ", k.h, " x ", k.w, " extra ", extra);
      on_every_device([&](const auto& device) { return check_average_case<float>(device, k, 1e-6); });
      on_every_gpu([&](const auto& device) { return check_average_case<bf16>(device, k, kRounding); });
    }
}

TEST_CASE("pooling: the same bits on any number of threads") {
  same_on_any_threads([] {
    const Shape s{2, 65, 67, 24};
    const PoolShape p{3, 2, 1};
    const Buffer<> x = Buffer<>::random(s, 0, 1), dy = Buffer<>::random(max_pool_output(s, p), 0, 2);
    Buffer<> y(dy.shape()), dx(s), cells({2, 18, 18, 24}), dx_cells(s);
    Buffer<std::int32_t> index(dy.shape());
    max_pool_forward(cpu, p, x.view(), y.view(), index.view());
    max_pool_backward(cpu, p, dy.view(), index.view(), dx.view());
    adaptive_avg_pool_forward(cpu, x.view(), cells.view());
    adaptive_avg_pool_backward(cpu, cells.view(), dx_cells.view());
    Values all = y.values();
    for (const Buffer<>* b : {&dx, &cells, &dx_cells}) append(all, b->values());
    return all;
  });
}

TEST_CASE("pooling: errors name kernel, tensor and shapes") {
  Buffer<> x({1, 8, 8, 4}), y({1, 4, 5, 4}), pooled({1, 4, 4, 4}), cells({1, 2, 2, 5});
  Buffer<bf16> half({1, 4, 4, 4});
  Buffer<std::int32_t> index({1, 4, 4, 4});
  on_every_device([&](const auto& device) {
    CHECK(message_of([&] { max_pool_forward(device, {}, x.view(), y.view(), index.view()); }) ==
          "max_pool_forward: wrong shape: y f32 [1,4,5,4]: expected [1,4,4,4], found [1,4,5,4]");
    CHECK(message_of([&] { max_pool_forward(device, {}, x.view(), y.view(), y.view()); }) ==
          "max_pool_forward: wrong dtype: index f32 [1,4,5,4]: expected i32, found f32");
    CHECK(message_of([&] { max_pool_forward(device, {}, x.view(), half.view(), index.view()); }) ==
          "max_pool_forward: wrong dtype: y bf16 [1,4,4,4]: expected f32, found bf16");
    CHECK(message_of([&] {
            max_unpool_forward(device, {3, 2, 1}, pooled.view(), index.view(), x.view());
          }) ==
          "max_unpool_forward: windows overlap or leave gaps: y f32 [1,8,8,4]: expected kernel = stride, padding 0, "
          "found kernel 3, stride 2, padding 1");
    CHECK(message_of([&] { max_unpool_backward(device, {}, x.view(), index.view(), y.view()); }) ==
          "max_unpool_backward: wrong shape: dx f32 [1,4,5,4]: expected [1,4,4,4], found [1,4,5,4]");
    CHECK(message_of([&] { adaptive_avg_pool_forward(device, x.view(), cells.view()); }) ==
          "adaptive_avg_pool_forward: wrong shape: y f32 [1,2,2,5]: expected [1,2,2,4], found [1,2,2,5]");
    return Values{};
  });
}

}  // namespace
}  // namespace gf
