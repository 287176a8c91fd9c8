#include "kernels/adaptive_max_pool.h"

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

struct Case {
  Shape x, y;
  std::int64_t extra;
};

struct Reference {
  Values y, index;
};

Reference reference_of(const Values& x, const Shape& s, const Shape& out) {
  Reference r;
  const auto begin = [](std::int64_t i, std::int64_t in, std::int64_t to) { return i * in / to; };
  const auto end = [](std::int64_t i, std::int64_t in, std::int64_t to) { return ((i + 1) * in + to - 1) / to; };
  for (std::int64_t o = 0; o < out.count(); ++o) {
    const std::int64_t c = o % out.c, ow = o / out.c % out.w, oh = o / (out.c * out.w) % out.h;
    const std::int64_t n = o / (out.c * out.w * out.h);
    double best = 0;
    std::int64_t place = -1;
    for (std::int64_t h = begin(oh, s.h, out.h); h < end(oh, s.h, out.h); ++h)
      for (std::int64_t w = begin(ow, s.w, out.w); w < end(ow, s.w, out.w); ++w) {
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

std::vector<Case> cases() {
  std::vector<Case> all;
  const std::pair<std::int64_t, std::int64_t> grids[] = {{1, 1}, {2, 2}, {3, 5}, {9, 8}};
  const Shape shapes[] = {{2, 8, 6, 1}, {1, 7, 9, 31}, {2, 5, 5, 32}, {1, 6, 7, 33}, {1, 5, 6, 257}, {2, 33, 32, 16}};
  for (const auto& [h, w] : grids)
    for (const Shape& s : shapes)
      for (const std::int64_t extra : {0, 3}) all.push_back({s, {s.n, h, w, s.c}, extra});
  return all;
}

// Few distinct values, so that ties are common.
template <class T>
Buffer<T> map_with_ties(const Shape& s, std::int64_t extra) {
  Values v = Buffer<>::random(s, 0, 1, -3, 3).values();
  for (double& x : v) x = std::floor(x);
  return Buffer<T>::of(s, extra, v);
}

template <class T, class Device>
Values check_case(const Device& device, const Case& k, double tolerance) {
  const Buffer<T> x = map_with_ties<T>(k.x, k.extra), dy = Buffer<T>::random(k.y, k.extra, 2);
  Buffer<T> y(k.y, k.extra), dx(k.x, 2 * k.extra);
  Buffer<std::int32_t> index(k.y, k.extra);
  adaptive_max_pool_forward(device, x.view(), y.view(), index.view());
  adaptive_max_pool_backward(device, dy.view(), index.view(), dx.view());
  const Reference want = reference_of(x.values(), k.x, k.y);
  CHECK(same_bits(y.values(), want.y));
  CHECK(same_bits(index.values(), want.index));
  Values want_dx(at(k.x.count()));
  const Values g = dy.values();
  for (std::int64_t o = 0; o < k.y.count(); ++o) {
    const std::int64_t n = o / (k.y.h * k.y.w * k.y.c);
    want_dx[at((n * k.x.h * k.x.w + static_cast<std::int64_t>(want.index[at(o)])) * k.x.c + o % k.x.c)] += g[at(o)];
  }
  CHECK(relative_error(dx.values(), want_dx) <= tolerance);
  CHECK((y.sentinels_intact() && dx.sentinels_intact() && index.sentinels_intact()));
  Values all = y.values();
  append(all, index.values());
  append(all, dx.values());
  return all;
}

TEST_CASE("adaptive_max_pool: values, positions, gradients") {
  for (const Case& k : cases()) {
    INFO(k.x.str(), " to ", k.y.str(), " extra ", k.extra);
    on_every_device([&](const auto& device) { return check_case<float>(device, k, 1e-6); });
    on_every_gpu([&](const auto& device) { return check_case<bf16>(device, k, 1.0 / 256); });
  }
}

TEST_CASE("adaptive_max_pool: the first NaN of a cell wins") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Buffer<> x = Buffer<>::of({1, 2, 4, 1}, 0, {1, nan, 3, 9, 5, nan, 9, 2});
  on_every_device([&](const auto& device) {
    Buffer<> y({1, 1, 2, 1});
    Buffer<std::int32_t> index({1, 1, 2, 1});
    adaptive_max_pool_forward(device, x.view(), y.view(), index.view());
    CHECK(std::isnan(y.values()[0]));
    CHECK(y.values()[1] == 9);
    CHECK(index.values() == Values{1, 3});
    return index.values();
  });
}

TEST_CASE("adaptive_max_pool: wrong views are refused") {
  const Buffer<> x({1, 4, 4, 2});
  Buffer<> y({1, 2, 2, 3});
  Buffer<std::int32_t> index({1, 2, 2, 3});
  CHECK(message_of([&] {
          adaptive_max_pool_forward(Cpu{workspace}, x.view(), y.view(), index.view());
        }).find("wrong shape") != std::string::npos);
}

}  // namespace
}  // namespace gf
