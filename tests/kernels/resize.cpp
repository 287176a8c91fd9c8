#include "kernels/resize.h"

#include "kernels/resize_axis.h"
#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

const Cpu cpu{workspace};
constexpr double kRounding = 1.0 / 256;  // of a bf16 result
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
                         {{1, 3, 4, 2}, 24, 20, 0}, {{1, 31, 33, 3}, 2, 5, 0},  {{1, 2, 2, 24}, 40, 41, 0},
                         {{2, 1, 2, 1}, 65, 33, 0}};
  for (Case c : shapes)
    for (const std::int64_t extra : {0, 3}) {
      c.extra = extra;
      all.push_back(c);
    }
  return all;
}

template <class T, class Device>
Values check_resize_case(const Device& device, ResizeMode mode, const Case& k, double tolerance) {
  const Shape out{k.x.n, k.h, k.w, k.x.c};
  const Buffer<T> x = Buffer<T>::random(k.x, k.extra, 1), dy = Buffer<T>::random(out, k.extra, 2);
  Buffer<T> y(out, 2 * k.extra), dx(k.x, k.extra);
  resize_forward(device, mode, x.view(), y.view());
  resize_backward(device, mode, dy.view(), dx.view());
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
  CHECK(relative_error(y.values(), want_y) < tolerance);
  CHECK(relative_error(dx.values(), want_dx) < tolerance);
  CHECK(y.sentinels_intact());
  CHECK(dx.sentinels_intact());
  Values all = y.values();
  append(all, dx.values());
  return all;
}

TEST_CASE("resize: values and the exact adjoint") {
  for (const ResizeMode mode : kModes)
    for (const Case& k : cases()) {
      INFO(k.x.str(), " to ", k.h, " x ", k.w, " mode ", static_cast<int>(mode), " extra ", k.extra);
      on_every_device([&](const auto& device) { return check_resize_case<float>(device, mode, k, 1e-6); });
      on_every_gpu([&](const auto& device) { return check_resize_case<bf16>(device, mode, k, kRounding); });
    }
}

// Weights by integers are those by division, readers are those that read.
TEST_CASE("resize: an axis seen from both sides") {
  for (const ResizeMode mode : kModes)
    for (const std::int64_t in : {1, 2, 3, 5, 8, 33, 512})
      for (const std::int64_t out : {1, 2, 3, 7, 8, 41, 100, 1023}) {
        CAPTURE(in);
        CAPTURE(out);
        const ResizeAxis axis(mode, in, out);
        const std::vector<Values> matrix = axis_matrix(mode, in, out);
        double error = 0;
        bool mirrored = true, listed = true;
        std::int32_t most = 0;
        for (std::int32_t i = 0; i < in; ++i) {
          const ResizeAxis::Readers readers = axis.readers(i);
          most = std::max(most, readers.last - readers.first);
          for (std::int32_t o = 0; o < out; ++o) {
            const ResizeAxis::Source s = axis.source(o);
            const float weight = s.low == i ? 1 - s.fraction : s.low + 1 == i ? s.fraction : 0.0f;
            error = std::max(error, std::fabs(static_cast<double>(weight) - matrix[at(o)][at(i)]));
            if (o >= readers.first && o < readers.last) {
              mirrored = mirrored && axis.weight(i, o) == weight;
            } else {
              listed = listed && weight == 0;
            }
          }
        }
        CHECK(error < 1e-7);
        CHECK(mirrored);
        CHECK(listed);
        CHECK(most <= axis.most_readers());
      }
}

TEST_CASE("resize: known answers") {
  const Buffer<> x = Buffer<>::of({1, 2, 2, 1}, 0, {1, 2, 3, 4});
  on_every_device([&](const auto& device) {
    const auto resized = [&](ResizeMode mode, std::int64_t size) {
      Buffer<> y({1, size, size, 1});
      resize_forward(device, mode, x.view(), y.view());
      return y.values();
    };
    CHECK(resized(ResizeMode::nearest, 4) == Values{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4});
    CHECK(resized(ResizeMode::bilinear, 4) ==
          Values{1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4});
    CHECK(resized(ResizeMode::bilinear_corners, 3) == Values{1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4});
    return resized(ResizeMode::bilinear, 3);
  });
}

// A neighbour of weight 0 is not read: its NaN stays where it is.
TEST_CASE("resize: the same size is a copy, NaN included") {
  const Shape s{2, 5, 6, 7};
  Buffer<> x = Buffer<>::random(s, 1, 1);
  x.at(8, 3) = std::numeric_limits<float>::quiet_NaN();
  for (const ResizeMode mode : kModes) {
    on_every_device([&](const auto& device) {
      Buffer<> y(s), dx(s);
      resize_forward(device, mode, x.view(), y.view());
      resize_backward(device, mode, x.view(), dx.view());
      CHECK(relative_error(y.values(), x.values()) == 0);
      CHECK(relative_error(dx.values(), x.values()) == 0);
      return y.values();
    });
  }
}

TEST_CASE("resize: nothing comes back from an empty map") {
  Buffer<> dy({1, 0, 4, 3}), dx({1, 2, 2, 3});
  on_every_device([&](const auto& device) {
    resize_backward(device, ResizeMode::bilinear, dy.view(), dx.view());
    CHECK(dx.values() == Values(12));
    return dx.values();
  });
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
  Buffer<bf16> half({1, 4, 4, 3});
  on_every_device([&](const auto& device) {
    CHECK(message_of([&] { resize_forward(device, ResizeMode::nearest, x.view(), y.view()); }) ==
          "resize_forward: wrong shape: y f32 [1,4,4,4]: expected [1,4,4,3], found [1,4,4,4]");
    CHECK(message_of([&] { resize_forward(device, ResizeMode::nearest, x.view(), half.view()); }) ==
          "resize_forward: wrong dtype: y bf16 [1,4,4,3]: expected f32, found bf16");
    return Values{};
  });
  CHECK(message_of([&] { resize_backward(cpu, ResizeMode::nearest, half.view(), x.view()); }) ==
        "resize_backward: wrong dtype: dy bf16 [1,4,4,3]: expected f32, found bf16");
}

}  // namespace
}  // namespace gf
