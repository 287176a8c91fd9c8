#include "kernels/elementwise.h"

#include "kernels/bf16.h"
#include "kernels/check.h"
#include "kernels/cpu/exp.h"
#include "kernels/cpu/loop_nest.h"

#include <cmath>
#include <cstring>

namespace gf {
namespace {

using cpu::LoopNest;

// Short rows cost more in loop control than in arithmetic; a short per-channel vector is repeated up to this length so
// that several pixels make one row.
constexpr std::int64_t kTile = 128;

template <int StrideA, int StrideB, class Op>
void binary_rows(const float* a, const float* b, float* y, std::int64_t rows, const LoopNest<3>::Offsets& step,
                 std::int64_t length, Op op) {
  for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (std::int64_t i = 0; i < length; ++i) y[i] = op(a[StrideA * i], b[StrideB * i]);
    y += step[0];
    a += step[1];
    b += step[2];
  }
}

// y = dense op vector (or vector op dense) for `rows` dense rows of `length`, the same vector for all.
template <bool vector_first, class Op>
void tiled_rows(const float* dense, const float* vector, float* y, std::int64_t rows, std::int64_t length, Op op) {
  float tile[kTile];
  const std::int64_t tiled = kTile / length * length, count = rows * length;
  for (std::int64_t i = 0; i < tiled; ++i) tile[i] = i < length ? vector[i] : tile[i - length];
  for (std::int64_t first = 0; first < count; first += tiled) {
    const std::int64_t row = std::min(tiled, count - first);
#pragma omp simd
    for (std::int64_t i = 0; i < row; ++i)
      y[first + i] = vector_first ? op(tile[i], dense[first + i]) : op(dense[first + i], tile[i]);
  }
}

template <class Op>
void binary_with(ConstView a, ConstView b, View y, Op op) {
  const LoopNest<3> nest(y.shape(), {y, a, b});
  const float *pa = data_as<float>(a), *pb = data_as<float>(b);
  float* py = data_as<float>(y);
  const bool a_moves = nest.row_stride()[1] == 1, b_moves = nest.row_stride()[2] == 1;
  nest.run(
      [&](const LoopNest<3>::Offsets& at, std::int64_t rows, const LoopNest<3>::Offsets& step, std::int64_t length) {
        const float *ra = pa + at[1], *rb = pb + at[2];
        float* ry = py + at[0];
        if (!a_moves && !b_moves) return binary_rows<0, 0>(ra, rb, ry, rows, step, length, op);
        if (!a_moves) return binary_rows<0, 1>(ra, rb, ry, rows, step, length, op);
        if (!b_moves) return binary_rows<1, 0>(ra, rb, ry, rows, step, length, op);
        if (length <= kTile / 2 && rows > 1 && step[0] == length) {
          if (step[1] == length && step[2] == 0) return tiled_rows<false>(ra, rb, ry, rows, length, op);
          if (step[1] == 0 && step[2] == length) return tiled_rows<true>(rb, ra, ry, rows, length, op);
        }
        binary_rows<1, 1>(ra, rb, ry, rows, step, length, op);
      });
}

// y = f(x), x and y of one shape
template <class From = float, class To = float, class Op>
void map(ConstView x, View y, Op op) {
  const LoopNest<2> nest(y.shape(), {y, x});
  const From* px = data_as<From>(x);
  To* py = data_as<To>(y);
  nest.run(
      [&](const LoopNest<2>::Offsets& at, std::int64_t rows, const LoopNest<2>::Offsets& step, std::int64_t length) {
        const From* from = px + at[1];
        To* to = py + at[0];
        for (std::int64_t r = 0; r < rows; ++r, from += step[1], to += step[0]) {
#pragma omp simd
          for (std::int64_t i = 0; i < length; ++i) to[i] = op(from[i]);
        }
      });
}

// The comparisons are written so that a NaN passes through instead of becoming a bound.
float clamp_low(float x) { return 0.0f > x ? 0.0f : x; }
float clamp_high(float x) { return 6.0f < x ? 6.0f : x; }
float sigmoid_of(float x) { return 1.0f / (1.0f + cpu::exp_f32(-x)); }

}  // namespace

void binary(const Cpu&, Binary op, ConstView a, ConstView b, View y) {
  require_view("binary", "a", a);
  require_view("binary", "b", b);
  require_view("binary", "y", y);
  require_broadcast("binary", "a", a, y.shape());
  require_broadcast("binary", "b", b, y.shape());
  if (y.count() == 0) return;
  switch (op) {
    case Binary::add:
      return binary_with(a, b, y, [](float p, float q) { return p + q; });
    case Binary::sub:
      return binary_with(a, b, y, [](float p, float q) { return p - q; });
    case Binary::mul:
      return binary_with(a, b, y, [](float p, float q) { return p * q; });
    case Binary::div:
      return binary_with(a, b, y, [](float p, float q) { return p / q; });
  }
}

void unary(const Cpu&, Unary op, float p, ConstView x, View y) {
  require_view("unary", "x", x);
  require_view("unary", "y", y);
  require_same_shape("unary", "x", x, "y", y);
  if (y.count() == 0) return;
  switch (op) {
    case Unary::relu:
      return map(x, y, [](float v) { return clamp_low(v); });
    case Unary::leaky_relu:
      return map(x, y, [p](float v) { return v > 0.0f ? v : p * v; });
    case Unary::relu6:
      return map(x, y, [](float v) { return clamp_high(clamp_low(v)); });
    case Unary::tanh:
      return map(x, y, [](float v) { return cpu::tanh_f32(v); });
    case Unary::exp:
      return map(x, y, [](float v) { return cpu::exp_f32(v); });
    case Unary::log:
      return map(x, y, [](float v) { return std::log(v); });
    case Unary::sqrt:
      return map(x, y, [](float v) { return std::sqrt(v); });
    case Unary::square:
      return map(x, y, [](float v) { return v * v; });
    case Unary::abs:
      return map(x, y, [](float v) { return std::fabs(v); });
    case Unary::scale:
      return map(x, y, [p](float v) { return p * v; });
    case Unary::shift:
      return map(x, y, [p](float v) { return v + p; });
    case Unary::sigmoid:
      return map(x, y, [](float v) { return sigmoid_of(v); });
    case Unary::gelu:
      return map(x, y, [](float v) { return v * cpu::normal_cdf_f32(v); });
  }
}

void unary_backward(const Cpu&, Unary op, float p, ConstView x, ConstView dy, View dx) {
  require_view("unary_backward", "x", x);
  require_view("unary_backward", "dy", dy);
  require_view("unary_backward", "dx", dx);
  require_same_shape("unary_backward", "x", x, "dx", dx);
  require_same_shape("unary_backward", "dy", dy, "dx", dx);
  if (dx.count() == 0) return;
  const auto run = [&](auto f) { binary_with(x, dy, dx, f); };
  switch (op) {
    case Unary::relu:
      return run([](float v, float g) { return v > 0.0f ? g : 0.0f; });
    case Unary::leaky_relu:
      return run([p](float v, float g) { return v > 0.0f ? g : p * g; });
    case Unary::relu6:
      return run([](float v, float g) { return v > 0.0f && v < 6.0f ? g : 0.0f; });
    case Unary::tanh:
      return run([](float v, float g) {
        const float t = cpu::tanh_f32(v);
        return g * (1.0f - t * t);
      });
    case Unary::exp:
      return run([](float v, float g) { return g * cpu::exp_f32(v); });
    case Unary::log:
      return run([](float v, float g) { return g / v; });
    case Unary::sqrt:
      return run([](float v, float g) { return g * 0.5f / std::sqrt(v); });
    case Unary::square:
      return run([](float v, float g) { return 2.0f * g * v; });
    case Unary::abs:
      return run([](float v, float g) { return v > 0.0f ? g : v < 0.0f ? -g : 0.0f; });
    case Unary::scale:
      return run([p](float, float g) { return p * g; });
    case Unary::shift:
      return run([](float, float g) { return g; });
    case Unary::sigmoid:
      return run([](float v, float g) {
        const float s = sigmoid_of(v);
        return g * s * (1.0f - s);
      });
    case Unary::gelu:
      return run([](float v, float g) {
        return g * (cpu::normal_cdf_f32(v) + v * 0.398942280f * cpu::exp_f32(-0.5f * v * v));
      });
  }
}

void axpy(const Cpu&, float alpha, ConstView x, View y) {
  require_view("axpy", "x", x);
  require_view("axpy", "y", y);
  require_same_shape("axpy", "x", x, "y", y);
  if (y.count() == 0) return;
  binary_with(x, y, y, [alpha](float v, float acc) { return acc + alpha * v; });
}

void fill(const Cpu&, float value, View y) {
  require_view("fill", "y", y);
  if (y.count() == 0) return;
  map(y, y, [value](float) { return value; });
}

void copy(const Cpu&, ConstView x, View y) {
  const bool rounds = x.dtype == DType::f32 && y.dtype == DType::bf16,
             widens = x.dtype == DType::bf16 && y.dtype == DType::f32;
  require_view("copy", "y", y, rounds || widens ? y.dtype : x.dtype);
  require_view("copy", "x", x, x.dtype);
  require_same_shape("copy", "x", x, "y", y);
  if (y.count() == 0) return;
  if (rounds) return map<float, bf16>(x, y, to_bf16);
  if (widens) return map<bf16, float>(x, y, [](bf16 v) { return to_float(v); });
  const std::int64_t bytes = static_cast<std::int64_t>(size_of(x.dtype));
  const LoopNest<2> nest(y.shape(), {y, x});
  nest.run(
      [&](const LoopNest<2>::Offsets& at, std::int64_t rows, const LoopNest<2>::Offsets& step, std::int64_t length) {
        const char* from = data_as<char>(x) + at[1] * bytes;
        char* to = data_as<char>(y) + at[0] * bytes;
        for (std::int64_t r = 0; r < rows; ++r, from += step[1] * bytes, to += step[0] * bytes)
          std::memcpy(to, from, static_cast<std::size_t>(length * bytes));
      });
}

}  // namespace gf
