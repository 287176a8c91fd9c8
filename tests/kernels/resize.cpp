#include "kernels/resize.h"

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

const Cpu cpu{workspace};
constexpr ResizeMode kModes[] = {ResizeMode::nearest, ResizeMode::bilinear, ResizeMode::bilinear_corners};

// The dense matrix of one axis, row o holding the weights of output o.
std::vector<Values> axis_matrix(ResizeMode mode, std::int64_t in, std::int64_t out) {
  std::vector<Values> m;
  for (std::int64_t o = 0; o < out; ++o) {
    Values row(at(in));
    const double i = static_cast<double>(o), n = static_cast<double>(in), k = static_cast<double>(out);
    if (mode == ResizeMode::nearest) {
      row[at(o * in / out)] = 1;
    } else {
      const double aligned = out > 1 ? i * (n - 1) / (k - 1) : 0.0;
      const double source = mode == ResizeMode::bilinear ? std::max(0.0, (i + 0.5) * n / k - 0.5) : aligned;
      for (std::int64_t s = 0; s < in; ++s) row[at(s)] = std::max(0.0, 1 - std::fabs(source - static_cast<double>(s)));
      if (source > n - 1) row[at(in - 1)] = 1;  // past the last centre: the border's value
    }
    m.push_back(row);
  }
  return m;
}

struct Case {
  Shape x;
  std::int64_t h, w, extra;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const Case shapes[] = {{{2, 4, 3, 1}, 8, 6, 0},   {{1, 5, 7, 31}, 10, 14, 0}, {{1, 9, 8, 32}, 4, 3, 0},
                         {{2, 3, 3, 33}, 7, 8, 0},  {{1, 2, 3, 257}, 5, 3, 0},  {{1, 1, 1, 16}, 4, 5, 0},
                         {{1, 6, 5, 9}, 1, 1, 0},   {{1, 7, 1, 5}, 7, 9, 0},    {{2, 17, 16, 4}, 33, 31, 0},
                         {{1, 3, 4, 2}, 24, 20, 0}, {{1, 31, 33, 3}, 2, 5, 0}};
  for (Case c : shapes)
    for (const std::int64_t extra : {0, 3}) {
      c.extra = extra;
      all.push_back(c);
    }
  return all;
}

TEST_CASE("resize: values and the exact adjoint") {
  for (const ResizeMode mode : kModes)
    for (const Case& k : cases()) {
      const Shape out{k.x.n, k.h, k.w, k.x.c};
      INFO(k.x.str(), " to ", out.str(), " mode ", static_cast<int>(mode), " extra ", k.extra);
      const Buffer<> x = Buffer<>::random(k.x, k.extra, 1), dy = Buffer<>::random(out, k.extra, 2);
      Buffer<> y(out, 2 * k.extra), dx(k.x, k.extra);
      resize_forward(cpu, mode, x.view(), y.view());
      resize_backward(cpu, mode, dy.view(), dx.view());
      const std::vector<Values> rows = axis_matrix(mode, k.x.h, k.h), columns = axis_matrix(mode, k.x.w, k.w);
      const Values xs = x.values(), g = dy.values();
      Values want_y(at(out.count())), want_dx(at(k.x.count()));
      for (std::int64_t n = 0; n < out.n; ++n)
        for (std::int64_t oh = 0; oh < out.h; ++oh)
          for (std::int64_t ow = 0; ow < out.w; ++ow)
            for (std::int64_t h = 0; h < k.x.h; ++h)
              for (std::int64_t w = 0; w < k.x.w; ++w) {
                const double weight = rows[at(oh)][at(h)] * columns[at(ow)][at(w)];
                if (weight == 0) continue;
                for (std::int64_t c = 0; c < out.c; ++c) {
                  const std::size_t to = at(((n * out.h + oh) * out.w + ow) * out.c + c);
                  const std::size_t from = at(((n * k.x.h + h) * k.x.w + w) * k.x.c + c);
                  want_y[to] += weight * xs[from];
                  want_dx[from] += weight * g[to];
                }
              }
      CHECK(relative_error(y.values(), want_y) < 1e-6);
      CHECK(relative_error(dx.values(), want_dx) < 1e-6);
      CHECK(y.sentinels_intact());
      CHECK(dx.sentinels_intact());
    }
}

TEST_CASE("resize: known answers") {
  const Buffer<> x = Buffer<>::of({1, 2, 2, 1}, 0, {1, 2, 3, 4});
  const auto resized = [&](ResizeMode mode, std::int64_t size) {
    Buffer<> y({1, size, size, 1});
    resize_forward(cpu, mode, x.view(), y.view());
    return y.values();
  };
  CHECK(resized(ResizeMode::nearest, 4) == Values{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4});
  CHECK(resized(ResizeMode::bilinear, 4) ==
        Values{1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4});
  CHECK(resized(ResizeMode::bilinear_corners, 3) == Values{1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4});
}

TEST_CASE("resize: the same size is a copy") {
  const Shape s{2, 5, 6, 7};
  const Buffer<> x = Buffer<>::random(s, 1, 1);
  for (const ResizeMode mode : kModes) {
    Buffer<> y(s), dx(s);
    resize_forward(cpu, mode, x.view(), y.view());
    resize_backward(cpu, mode, x.view(), dx.view());
    CHECK(same_bits(y.values(), x.values()));
    CHECK(same_bits(dx.values(), x.values()));
  }
}

TEST_CASE("resize: the same bits on any number of threads") {
  same_on_any_threads([] {
    const Buffer<> x = Buffer<>::random({2, 33, 31, 24}, 0, 1), dy = Buffer<>::random({2, 66, 61, 24}, 0, 2);
    Buffer<> y(dy.shape()), dx(x.shape());
    resize_forward(cpu, ResizeMode::bilinear, x.view(), y.view());
    resize_backward(cpu, ResizeMode::bilinear, dy.view(), dx.view());
    Values all = y.values();
    append(all, dx.values());
    return all;
  });
}

TEST_CASE("resize: errors name kernel, tensor and shapes") {
  Buffer<> x({1, 2, 2, 3}), y({1, 4, 4, 4});
  CHECK(message_of([&] { resize_forward(cpu, ResizeMode::nearest, x.view(), y.view()); }) ==
        "resize_forward: wrong shape: y f32 [1,4,4,4]: expected [1,4,4,3], found [1,4,4,4]");
  Buffer<bf16> half({1, 4, 4, 3});
  CHECK(message_of([&] { resize_backward(cpu, ResizeMode::nearest, half.view(), x.view()); }) ==
        "resize_backward: wrong dtype: dy bf16 [1,4,4,3]: expected f32, found bf16");
}

}  // namespace
}  // namespace gf
