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

TEST_CASE("max_pool: values, positions, gradients") {
  for (const MaxCase& k : max_cases()) {
    const Shape out = max_pool_output(k.x, k.p);
    INFO(k.x.str(), " kernel ", k.p.kernel, " stride ", k.p.stride, " pad ", k.p.pad, " extra ", k.extra);
    // Few distinct values, so that ties are common.
    Buffer<> x = Buffer<>::random(k.x, k.extra, 1, -3, 3);
    for (std::int64_t i = 0; i < k.x.count(); ++i) {
      float& v = x.at(i / k.x.c, i % k.x.c);
      v = std::floor(v);
    }
    Buffer<> y(out, k.extra);
    Buffer<std::int32_t> index(out, k.extra);
    max_pool_forward(cpu, k.p, x.view(), y.view(), index.view());
    const MaxReference want = max_reference(x.values(), k.x, k.p, out);
    CHECK(same_bits(y.values(), want.y));
    CHECK(same_bits(index.values(), want.index));

    const Buffer<> dy = Buffer<>::random(out, k.extra, 2);
    Buffer<> dx(k.x, 2 * k.extra);
    max_pool_backward(cpu, k.p, dy.view(), index.view(), dx.view());
    Values want_dx(at(k.x.count()));
    const Values g = dy.values();
    for (std::int64_t i = 0; i < out.count(); ++i) {
      const std::int64_t n = i / (out.h * out.w * out.c);
      const std::int64_t pixel = n * k.x.h * k.x.w + static_cast<std::int64_t>(want.index[at(i)]);
      want_dx[at(pixel * k.x.c + i % out.c)] += g[at(i)];
    }
    CHECK(relative_error(dx.values(), want_dx) < 1e-6);
    for (const Buffer<>* b : {&x, &y, &dx}) CHECK(b->sentinels_intact());
    CHECK(index.sentinels_intact());
  }
}

TEST_CASE("max_pool: a NaN wins, the first one; minus infinity is a value") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), low = -std::numeric_limits<float>::infinity();
  for (const PoolShape p : {PoolShape{2, 2, 0}, PoolShape{3, 2, 1}}) {
    const Shape s{1, 4, 4, 3};
    Buffer<> x = Buffer<>::random(s, 0, 1);
    for (std::int64_t q = 0; q < 16; ++q) x.at(q, 2) = low;
    x.at(1, 0) = x.at(4, 0) = x.at(5, 1) = nan;
    const Shape out = max_pool_output(s, p);
    Buffer<> y(out);
    Buffer<std::int32_t> index(out);
    max_pool_forward(cpu, p, x.view(), y.view(), index.view());
    CHECK(std::isnan(y.at(0, 0)));
    CHECK(index.at(0, 0) == 1);
    CHECK(std::isnan(y.at(0, 1)));
    CHECK(index.at(0, 1) == 5);
    CHECK(y.at(0, 2) == low);
    CHECK(index.at(0, 2) == 0);
    CHECK(relative_error(y.values(), max_reference(x.values(), s, p, out).y) == 0);
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

TEST_CASE("adaptive_avg_pool: values and gradients, up and down") {
  const struct {
    Shape x;
    std::int64_t h, w;
  } cases[] = {{{2, 7, 5, 33}, 3, 2},     {{2, 9, 9, 16}, 1, 1}, {{1, 7, 9, 31}, 18, 18},  {{1, 1, 1, 257}, 3, 5},
               {{2, 32, 33, 32}, 18, 18}, {{3, 6, 6, 1}, 6, 6},  {{1, 64, 64, 300}, 2, 1}, {{2, 10, 10, 3}, 7, 12}};
  for (const auto& k : cases)
    for (const std::int64_t extra : {0, 3}) {
      const Shape out{k.x.n, k.h, k.w, k.x.c};
      INFO(k.x.str(), " to ", out.str(), " extra ", extra);
      const Buffer<> x = Buffer<>::random(k.x, extra, 1), dy = Buffer<>::random(out, extra, 2);
      Buffer<> y(out, extra), dx(k.x, 2 * extra);
      adaptive_avg_pool_forward(cpu, x.view(), y.view());
      adaptive_avg_pool_backward(cpu, dy.view(), dx.view());
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
      CHECK(relative_error(y.values(), want_y) < 1e-6);
      CHECK(relative_error(dx.values(), want_dx) < 1e-6);
      CHECK(y.sentinels_intact());
      CHECK(dx.sentinels_intact());
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
  Buffer<> x({1, 8, 8, 4}), y({1, 4, 5, 4}), cells({1, 2, 2, 5});
  Buffer<std::int32_t> index({1, 4, 4, 4});
  CHECK(message_of([&] { max_pool_forward(cpu, {}, x.view(), y.view(), index.view()); }) ==
        "max_pool_forward: wrong shape: y f32 [1,4,5,4]: expected [1,4,4,4], found [1,4,5,4]");
  CHECK(message_of([&] { max_pool_forward(cpu, {}, x.view(), y.view(), y.view()); }) ==
        "max_pool_forward: wrong dtype: index f32 [1,4,5,4]: expected i32, found f32");
  CHECK(message_of([&] { adaptive_avg_pool_forward(cpu, x.view(), cells.view()); }) ==
        "adaptive_avg_pool_forward: wrong shape: y f32 [1,2,2,5]: expected [1,2,2,4], found [1,2,2,5]");
}

}  // namespace
}  // namespace gf
