#include "tests/harness/reference.h"

namespace gf::test {
namespace {
thread_local KinkWatch* watch = nullptr;
}

KinkWatch::KinkWatch() : previous_(watch) { watch = this; }
KinkWatch::~KinkWatch() { watch = previous_; }
void note_kink(double distance) {
  if (watch) watch->nearest_ = std::min(watch->nearest_, std::abs(distance));
}

namespace reference {
namespace {

double apply(Binary op, double a, double b) {
  switch (op) {
    case Binary::add:
      return a + b;
    case Binary::sub:
      return a - b;
    case Binary::mul:
      return a * b;
    case Binary::div:
      return a / b;
  }
  return 0;
}

double apply(Unary op, double p, double x) {
  switch (op) {
    case Unary::relu:
      note_kink(x);
      return x > 0 ? x : 0;
    case Unary::leaky_relu:
      note_kink(x);
      return x > 0 ? x : p * x;
    case Unary::relu6:
      note_kink(x);
      note_kink(x - 6);
      return x <= 0 ? 0 : x >= 6 ? 6 : x;
    case Unary::tanh:
      return std::tanh(x);
    case Unary::exp:
      return std::exp(x);
    case Unary::log:
      return std::log(x);
    case Unary::sqrt:
      return std::sqrt(x);
    case Unary::square:
      return x * x;
    case Unary::abs:
      note_kink(x);
      return std::abs(x);
    case Unary::scale:
      return p * x;
    case Unary::shift:
      return p + x;
    case Unary::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Unary::gelu:
      return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
  }
  return 0;
}

}  // namespace

Array binary(Binary op, const Array& a, const Array& b) {
  const Shape &s = a.shape, &t = b.shape;
  Array y({std::max(s.n, t.n), std::max(s.h, t.h), std::max(s.w, t.w), std::max(s.c, t.c)});
  for_each_element(y.shape, [&](auto n, auto h, auto w, auto c) {
    y.at(n, h, w, c) = apply(op, a.broadcast_at(n, h, w, c), b.broadcast_at(n, h, w, c));
  });
  return y;
}

Array unary(Unary op, double p, const Array& x) {
  Array y(x.shape);
  for (std::size_t i = 0; i < x.v.size(); ++i) y.v[i] = apply(op, p, x.v[i]);
  return y;
}

Array unary_slope(Unary op, double p, const Array& x) {
  Array y(x.shape);
  for (std::size_t i = 0; i < x.v.size(); ++i) {
    const bool lower = x.v[i] < 0, upper = op == Unary::relu6 && x.v[i] > 6;
    y.v[i] = upper ? 0 : !lower ? 1 : op == Unary::leaky_relu ? p : op == Unary::abs ? -1 : 0;
  }
  return y;
}

Array scaled(double factor, const Array& x) { return unary(Unary::scale, factor, x); }

Array sum_to(const Array& x, const Shape& to, double alpha) {
  Array y(to);
  for_each_element(x.shape, [&](auto n, auto h, auto w, auto c) {
    y.at(to.n == 1 ? 0 : n, to.h == 1 ? 0 : h, to.w == 1 ? 0 : w, to.c == 1 ? 0 : c) += alpha * x.at(n, h, w, c);
  });
  return y;
}

Array broadcast_to(const Array& x, const Shape& to) {
  Array y(to);
  for_each_element(to, [&](auto n, auto h, auto w, auto c) { y.at(n, h, w, c) = x.broadcast_at(n, h, w, c); });
  return y;
}

Array reshape(const Array& x, const Shape& to) {
  Array y = x;
  y.shape = to;
  return y;
}

Array slice_channels(const Array& x, std::int64_t begin, std::int64_t count) {
  Array y({x.shape.n, x.shape.h, x.shape.w, count});
  for_each_element(y.shape, [&](auto n, auto h, auto w, auto c) { y.at(n, h, w, c) = x.at(n, h, w, begin + c); });
  return y;
}

Array slice_images(const Array& x, std::int64_t begin, std::int64_t count) {
  Array y({count, x.shape.h, x.shape.w, x.shape.c});
  for_each_element(y.shape, [&](auto n, auto h, auto w, auto c) { y.at(n, h, w, c) = x.at(begin + n, h, w, c); });
  return y;
}

Array pad_channels(const Array& x, std::int64_t begin, std::int64_t total) {
  Array y({x.shape.n, x.shape.h, x.shape.w, total});
  for_each_element(x.shape, [&](auto n, auto h, auto w, auto c) { y.at(n, h, w, begin + c) = x.at(n, h, w, c); });
  return y;
}

Array pad_images(const Array& x, std::int64_t begin, std::int64_t total) {
  Array y({total, x.shape.h, x.shape.w, x.shape.c});
  for_each_element(x.shape, [&](auto n, auto h, auto w, auto c) { y.at(begin + n, h, w, c) = x.at(n, h, w, c); });
  return y;
}

Array pad_corner(const Array& x, std::int64_t height, std::int64_t width) {
  Array y({x.shape.n, height, width, x.shape.c});
  for_each_element(x.shape, [&](auto n, auto h, auto w, auto c) { y.at(n, h, w, c) = x.at(n, h, w, c); });
  return y;
}

Array crop_corner(const Array& x, std::int64_t height, std::int64_t width) {
  Array y({x.shape.n, height, width, x.shape.c});
  for_each_element(y.shape, [&](auto n, auto h, auto w, auto c) { y.at(n, h, w, c) = x.at(n, h, w, c); });
  return y;
}

Array swap_height_width(const Array& x) {
  Array y({x.shape.n, x.shape.w, x.shape.h, x.shape.c});
  for_each_element(x.shape, [&](auto n, auto h, auto w, auto c) { y.at(n, w, h, c) = x.at(n, h, w, c); });
  return y;
}

Array concat_channels(const Arrays& parts) {
  Shape s = parts[0].shape;
  s.c = 0;
  for (const Array& p : parts) s.c += p.shape.c;
  Array y(s);
  std::int64_t begin = 0;
  for (const Array& p : parts) {
    for_each_element(p.shape, [&](auto n, auto h, auto w, auto c) { y.at(n, h, w, begin + c) = p.at(n, h, w, c); });
    begin += p.shape.c;
  }
  return y;
}

}  // namespace reference
}  // namespace gf::test
