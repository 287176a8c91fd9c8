#include "engine/autograd.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "engine/ops/dropout.h"
#include "tests/harness/op_case.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

struct BinaryOp {
  const char* name;
  Binary op;
  Tensor (*run)(const Tensor&, const Tensor&);
};

const BinaryOp kBinaries[] = {
    {"add", Binary::add, [](const Tensor& a, const Tensor& b) { return a + b; }},
    {"sub", Binary::sub, [](const Tensor& a, const Tensor& b) { return a - b; }},
    {"mul", Binary::mul, [](const Tensor& a, const Tensor& b) { return a * b; }},
    {"div", Binary::div, [](const Tensor& a, const Tensor& b) { return a / b; }},
};

OpCase binary_case(const BinaryOp& o, const Shape& a, const Shape& b) {
  const Fill divisor = uniform(0.7, 2);
  return {.op = o.name,
          .variant = text(a) + " and " + text(b),
          .inputs = {in(a), in(b, o.op == Binary::div ? divisor : normal())},
          .run = [run = o.run](const Tensors& x) { return run(x[0], x[1]); },
          .reference = [op = o.op](const Arrays& x) { return reference::binary(op, x[0], x[1]); },
          .bf16_tolerance = a == b ? 1e-2 : 2e-2};
}

Shape masked(const Shape& s, int kept) {
  return {kept & 1 ? s.n : 1, kept & 2 ? s.h : 1, kept & 4 ? s.w : 1, kept & 8 ? s.c : 1};
}

OpCase sum_case(const Shape& from, const Shape& to, float alpha) {
  return {.op = "sum_to",
          .variant = text(from) + " to " + text(to) + ", alpha " + std::to_string(alpha),
          .inputs = {in(from)},
          .run = [=](const Tensors& x) { return sum_to(x[0], to, alpha); },
          .reference = [=](const Arrays& x) { return reference::sum_to(x[0], to, static_cast<double>(alpha)); }};
}

}  // namespace

OpCases arithmetic_cases() {
  OpCases cases;
  const Shape full{2, 3, 4, 5}, sizes[] = {{1, 1, 1, 1}, {1, 1, 1, 257}, {1, 2, 31, 33}, {3, 5, 1, 31}, {2, 3, 3, 64}};
  for (const BinaryOp& o : kBinaries) {
    for (int kept = 0; kept < 16; ++kept) {
      cases.push_back(binary_case(o, full, masked(full, kept)));
      if (kept != 15) cases.push_back(binary_case(o, masked(full, kept), full));
      if (kept != 0 && kept != 15) cases.push_back(binary_case(o, masked(full, kept), masked(full, 15 - kept)));
    }
    for (const Shape& s : sizes) cases.push_back(binary_case(o, s, s));
    cases.push_back(binary_case(o, {2, 31, 33, 3}, {1, 1, 1, 3}));
    cases.push_back(binary_case(o, {2, 5, 7, 33}, {2, 1, 1, 33}));
  }
  cases.push_back({.op = "mul",
                   .variant = "one tensor twice",
                   .inputs = {in(full)},
                   .run = [](const Tensors& x) { return x[0] * x[0]; },
                   .reference = [](const Arrays& x) { return reference::binary(Binary::mul, x[0], x[0]); }});
  cases.push_back({.op = "div",
                   .variant = "one tensor twice",
                   .inputs = {in(full, uniform(0.5, 2))},
                   .run = [](const Tensors& x) { return x[0] * x[0] / (x[0] + 1.0f); },
                   .reference =
                       [](const Arrays& x) {
                         Array y = x[0];
                         for (double& v : y.v) v = v * v / (v + 1);
                         return y;
                       }});
  for (int kept = 0; kept < 15; ++kept) {
    cases.push_back(sum_case(full, masked(full, kept), 1.0f));
    cases.push_back(sum_case(full, masked(full, kept), -0.5f));
    cases.push_back({.op = "broadcast_to",
                     .variant = text(masked(full, kept)) + " to " + text(full),
                     .inputs = {in(masked(full, kept))},
                     .run = [=](const Tensors& x) { return broadcast_to(x[0], full); },
                     .reference = [=](const Arrays& x) { return reference::broadcast_to(x[0], full); }});
  }
  cases.push_back(sum_case({2, 31, 33, 31}, {1, 1, 1, 31}, 1.0f));
  cases.push_back(sum_case({1, 33, 31, 1}, {}, 0.25f));
  cases.push_back(sum_case({3, 1, 1, 257}, {3, 1, 1, 1}, 1.0f));
  cases.push_back({.op = "sum_to",
                   .variant = "sum",
                   .inputs = {in(full)},
                   .run = [](const Tensors& x) { return sum(x[0]); },
                   .reference = [](const Arrays& x) { return reference::sum_to(x[0], {}); }});
  cases.push_back({.op = "sum_to",
                   .variant = "mean",
                   .inputs = {in({2, 5, 7, 3})},
                   .run = [](const Tensors& x) { return mean(x[0]); },
                   .reference = [](const Arrays& x) { return reference::sum_to(x[0], {}, 1.0 / 210); }});
  cases.push_back({.op = "sum_to",
                   .variant = "spatial mean",
                   .inputs = {in({2, 5, 7, 33})},
                   .run = [](const Tensors& x) { return spatial_mean(x[0]); },
                   .reference =
                       [](const Arrays& x) {
                         return reference::sum_to(x[0], {2, 1, 1, 33}, 1.0 / 35);
                       }});
  for (const std::int64_t slopes : {1, 33})  // of any sign
    cases.push_back({.op = "relu",
                     .variant = "prelu, slopes " + std::to_string(slopes),
                     .inputs = {in({2, 5, 7, 33}, away_from({0}, 0.05, -2, 2)), in({1, 1, 1, slopes})},
                     .run = [](const Tensors& x) { return prelu(x[0], x[1]); },
                     .reference =
                         [](const Arrays& x) {
                           Array y = x[0];
                           for_each_element(y.shape, [&](auto n, auto h, auto w, auto c) {
                             if (double& v = y.at(n, h, w, c); v < 0) v *= x[1].at(0, 0, 0, x[1].shape.c == 1 ? 0 : c);
                           });
                           return y;
                         }});
  cases.push_back({.op = "mul",
                   .variant = "dropout2d",
                   .inputs = {in({3, 4, 5, 33})},
                   .run =
                       [](const Tensors& x) {
                         Random random(5, 3);
                         return dropout2d(x[0], 0.4f, random);
                       },
                   // The mask is what dropout makes of ones; its statistics have a test of their own.
                   .reference =
                       [](const Arrays& x) {
                         Random random(5, 3);
                         const Array mask =
                             to_array(dropout2d(Tensor::full({3, 1, 1, 33}, 1.0f, device_under_test()), 0.4f, random));
                         return reference::binary(Binary::mul, x[0], mask);
                       }});
  cases.push_back({.op = "mul",
                   .variant = "dropout",
                   .inputs = {in({3, 4, 5, 33})},
                   .run =
                       [](const Tensors& x) {
                         Random random(5, 3);
                         return dropout(x[0], 0.4f, random);
                       },
                   .reference =
                       [](const Arrays& x) {
                         Random random(5, 3);
                         const Tensor ones = Tensor::full({3, 4, 5, 33}, 1.0f, device_under_test());
                         return reference::binary(Binary::mul, x[0], to_array(dropout(ones, 0.4f, random)));
                       }});
  return cases;
}

namespace {

struct UnaryOp {
  const char* name;
  Unary op;
  float p;
  Tensor (*run)(const Tensor&);
  Fill fill;
  int order = 2;
};

const std::vector<UnaryOp>& unaries() {
  static const std::vector<UnaryOp> list{
      {"scale", Unary::scale, -1.5f, [](const Tensor& x) { return -1.5f * x; }, normal()},
      {"scale", Unary::scale, -1.0f, [](const Tensor& x) { return -x; }, normal()},
      {"shift", Unary::shift, 0.75f, [](const Tensor& x) { return x + 0.75f; }, normal()},
      {"shift", Unary::shift, -0.75f, [](const Tensor& x) { return x - 0.75f; }, normal()},
      {"exp", Unary::exp, 0, [](const Tensor& x) { return exp(x); }, uniform(-3, 2)},
      {"log", Unary::log, 0, [](const Tensor& x) { return log(x); }, uniform(0.3, 3)},
      {"sqrt", Unary::sqrt, 0, [](const Tensor& x) { return sqrt(x); }, uniform(0.3, 3)},
      {"square", Unary::square, 0, [](const Tensor& x) { return square(x); }, normal()},
      {"relu", Unary::relu, 0, [](const Tensor& x) { return relu(x); }, away_from({0}, 0.05, -2, 2)},
      {"leaky_relu", Unary::leaky_relu, 0.2f, [](const Tensor& x) { return leaky_relu(x, 0.2f); },
       away_from({0}, 0.05, -2, 2)},
      {"relu6", Unary::relu6, 0, [](const Tensor& x) { return relu6(x); }, away_from({0, 6}, 0.05, -3, 9)},
      {"abs", Unary::abs, 0, [](const Tensor& x) { return abs(x); }, away_from({0}, 0.05, -2, 2)},
      {"tanh", Unary::tanh, 0, [](const Tensor& x) { return tanh(x); }, uniform(-3, 3)},
      {"sigmoid", Unary::sigmoid, 0, [](const Tensor& x) { return sigmoid(x); }, uniform(-4, 4)},
      {"gelu", Unary::gelu, 0, [](const Tensor& x) { return gelu(x); }, uniform(-4, 4), 1},
  };
  return list;
}

}  // namespace

OpCases unary_cases() {
  OpCases cases;
  for (const Shape& s : {Shape{1, 1, 1, 1}, Shape{2, 3, 4, 5}, Shape{1, 31, 3, 33}, Shape{2, 1, 2, 257}})
    cases.push_back({.op = "cast",
                     .variant = text(s) + ", to bf16 and back",
                     .inputs = {in(s)},
                     .run = [](const Tensors& x) { return cast(cast(x[0], DType::bf16), DType::f32); },
                     .reference = [](const Arrays& x) { return x[0]; },
                     .tolerance = 4e-3});  // what rounding to 8 bits costs
  const Shape sizes[] = {{1, 1, 1, 1}, {2, 3, 4, 5}, {1, 1, 1, 257}, {1, 31, 3, 33}, {3, 1, 5, 31}};
  for (const UnaryOp& o : unaries())
    for (const Shape& s : sizes) {
      cases.push_back(
          {.op = o.name,
           .variant = text(s) + ", parameter " + std::to_string(o.p),
           .inputs = {in(s, o.fill)},
           .run = [run = o.run](const Tensors& x) { return run(x[0]); },
           .reference = [=](const Arrays& x) { return reference::unary(o.op, static_cast<double>(o.p), x[0]); },
           .order = o.order});
      if (o.op != Unary::relu && o.op != Unary::leaky_relu && o.op != Unary::relu6 && o.op != Unary::abs) continue;
      // The gradient as an op of its own: linear in the upstream gradient, with x fixed.
      cases.push_back({.op = "piecewise_linear_backward",
                       .variant = std::string(o.name) + " " + text(s),
                       .inputs = {fixed(s, o.fill), in(s)},
                       .run =
                           [run = o.run](const Tensors& x) {
                             const Tensor leaf = x[0].detach().require_grad();
                             return gradients(run(leaf), {leaf}, x[1], true)[0];
                           },
                       .reference =
                           [=](const Arrays& x) {
                             return reference::binary(
                                 Binary::mul, reference::unary_slope(o.op, static_cast<double>(o.p), x[0]), x[1]);
                           },
                       .differentiates = true});
    }
  return cases;
}

}  // namespace gf::test
