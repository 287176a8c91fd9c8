#include "engine/autograd.h"
#include "engine/ops/matmul.h"
#include "engine/ops/shape.h"
#include "engine/ops/softmax.h"
#include "tests/harness/op_case.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

OpCase reshape_case(const Shape& from, const Shape& to) {
  return {.op = "reshape",
          .variant = text(from) + " to " + text(to),
          .inputs = {in(from)},
          .run = [=](const Tensors& x) { return reshape(x[0], to); },
          .reference = [=](const Arrays& x) { return reference::reshape(x[0], to); }};
}

// A slice and, as an op of its own, the gradient of that slice: zeros around what it is given.
void add_slices(OpCases& cases, const Shape& s, std::int64_t begin, std::int64_t count, bool channels) {
  const auto slice = [=](const Tensor& x) {
    return channels ? slice_channels(x, begin, count) : slice_images(x, begin, count);
  };
  const Shape part = channels ? Shape{s.n, s.h, s.w, count} : Shape{count, s.h, s.w, s.c};
  const std::string range = text(s) + " from " + std::to_string(begin) + ", " + std::to_string(count);
  cases.push_back({.op = channels ? "slice_channels" : "slice_images",
                   .variant = range,
                   .inputs = {in(s)},
                   .run = [=](const Tensors& x) { return slice(x[0]); },
                   .reference =
                       [=](const Arrays& x) {
                         return channels ? reference::slice_channels(x[0], begin, count)
                                         : reference::slice_images(x[0], begin, count);
                       }});
  cases.push_back({.op = channels ? "pad_channels" : "pad_images",
                   .variant = range,
                   .inputs = {in(part)},
                   .run =
                       [=](const Tensors& x) {
                         const Tensor leaf = Tensor::zeros(s, device_under_test(), x[0].dtype()).require_grad();
                         return gradients(slice(leaf), {leaf}, x[0], true)[0];
                       },
                   .reference =
                       [=](const Arrays& x) {
                         return channels ? reference::pad_channels(x[0], begin, s.c)
                                         : reference::pad_images(x[0], begin, s.n);
                       },
                   .differentiates = true});
}

OpCase concat_case(const std::vector<std::int64_t>& widths, Shape s) {
  std::vector<Input> inputs;
  std::string name = text(s) + " of";
  for (const std::int64_t c : widths) {
    s.c = c;
    inputs.push_back(in(s));
    name += " " + std::to_string(c);
  }
  return {.op = "concat_channels",
          .variant = name,
          .inputs = inputs,
          .run = [](const Tensors& x) { return concat_channels(x); },
          .reference = [](const Arrays& x) { return reference::concat_channels(x); }};
}

OpCase corner_case(const Shape& from, std::int64_t h, std::int64_t w) {
  const bool pads = h >= from.h && w >= from.w;
  return {.op = pads ? "pad_corner" : "crop_corner",
          .variant = text(from) + " to " + std::to_string(h) + "x" + std::to_string(w),
          .inputs = {in(from)},
          .run = [=](const Tensors& x) { return pads ? pad_corner(x[0], h, w) : crop_corner(x[0], h, w); },
          .reference =
              [=](const Arrays& x) {
                return pads ? reference::pad_corner(x[0], h, w) : reference::crop_corner(x[0], h, w);
              }};
}

}  // namespace

OpCases shape_cases() {
  OpCases cases;
  cases.push_back(reshape_case({2, 3, 4, 5}, {1, 1, 6, 20}));
  cases.push_back(reshape_case({2, 3, 4, 5}, {2, 1, 12, 5}));
  cases.push_back(reshape_case({1, 1, 1, 1}, {1, 1, 1, 1}));
  cases.push_back(reshape_case({1, 31, 33, 1}, {1, 1, 33, 31}));
  for (const bool channels : {true, false}) {
    const Shape s = channels ? Shape{2, 3, 4, 33} : Shape{5, 3, 2, 31};
    add_slices(cases, s, 0, 2, channels);
    add_slices(cases, s, 1, 3, channels);
    add_slices(cases, s, channels ? 2 : 4, channels ? 31 : 1, channels);
    add_slices(cases, s, 0, channels ? 33 : 5, channels);
  }
  cases.push_back(corner_case({2, 3, 4, 5}, 4, 5));
  cases.push_back(corner_case({1, 5, 1, 33}, 5, 3));
  cases.push_back(corner_case({2, 3, 4, 5}, 2, 3));
  cases.push_back(corner_case({1, 5, 7, 31}, 1, 7));
  for (const Shape& s : {Shape{1, 1, 1, 1}, Shape{2, 3, 4, 5}, Shape{1, 31, 2, 33}, Shape{2, 4, 3, 64}})
    cases.push_back({.op = "swap_height_width",
                     .variant = text(s),
                     .inputs = {in(s)},
                     .run = [](const Tensors& x) { return swap_height_width(x[0]); },
                     .reference = [](const Arrays& x) { return reference::swap_height_width(x[0]); }});
  cases.push_back(concat_case({3}, {2, 3, 4, 1}));
  cases.push_back(concat_case({1, 1}, {1, 1, 1, 1}));
  cases.push_back(concat_case({31, 33, 1}, {2, 3, 2, 1}));
  cases.push_back(concat_case({8, 16, 8, 32}, {1, 5, 5, 1}));
  cases.push_back({.op = "concat_channels",
                   .variant = "one tensor twice and its slice",
                   .inputs = {in({2, 3, 4, 5})},
                   .run =
                       [](const Tensors& x) {
                         return concat_channels({x[0], x[0], slice_channels(x[0], 1, 2)});
                       },
                   .reference =
                       [](const Arrays& x) {
                         return reference::concat_channels({x[0], x[0], reference::slice_channels(x[0], 1, 2)});
                       }});
  return cases;
}

namespace {

// Batches of a and b: 1 is broadcast.
OpCase matmul_case(std::int64_t na, std::int64_t nb, std::int64_t rows, std::int64_t inner, std::int64_t columns,
                   bool ta, bool tb) {
  const Shape a = ta ? Shape{na, 1, inner, rows} : Shape{na, 1, rows, inner};
  const Shape b = tb ? Shape{nb, 1, columns, inner} : Shape{nb, 1, inner, columns};
  return {.op = "matmul",
          .variant = text(a) + (ta ? " transposed" : "") + " and " + text(b) + (tb ? " transposed" : ""),
          .inputs = {in(a), in(b)},
          .run = [=](const Tensors& x) { return matmul(x[0], x[1], ta, tb); },
          .reference = [=](const Arrays& x) { return reference::matmul(x[0], x[1], ta, tb); },
          .flops = 2.0 * static_cast<double>(std::max(na, nb) * rows * inner * columns)};
}

}  // namespace

OpCases matmul_cases() {
  OpCases cases;
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      cases.push_back(matmul_case(1, 1, 1, 1, 1, ta, tb));
      cases.push_back(matmul_case(3, 3, 4, 5, 6, ta, tb));
      cases.push_back(matmul_case(3, 1, 4, 5, 2, ta, tb));
      cases.push_back(matmul_case(1, 3, 2, 5, 6, ta, tb));
      cases.push_back(matmul_case(2, 2, 31, 33, 9, ta, tb));
      cases.push_back(matmul_case(1, 1, 33, 1, 31, ta, tb));
    }
  cases.push_back({.op = "matmul",
                   .variant = "gram matrix of one tensor",
                   .inputs = {in({2, 1, 5, 9})},
                   .run = [](const Tensors& x) { return matmul(x[0], x[0], false, true); },
                   .reference = [](const Arrays& x) { return reference::matmul(x[0], x[0], false, true); }});
  return cases;
}

OpCases softmax_cases() {
  OpCases cases;
  const Shape sizes[] = {{1, 1, 1, 1}, {2, 3, 4, 2}, {2, 3, 4, 9}, {1, 5, 3, 31}, {1, 3, 5, 33}};
  for (const double scale : {1.0, 4.0})
    for (const Shape& s : sizes) {
      const std::string name = text(s) + ", logits of size " + std::to_string(scale);
      cases.push_back({.op = "softmax",
                       .variant = name,
                       .inputs = {in(s, normal(scale))},
                       .run = [](const Tensors& x) { return softmax(x[0]); },
                       .reference = [](const Arrays& x) { return reference::softmax(x[0]); }});
      cases.push_back({.op = "log_softmax",
                       .variant = name,
                       .inputs = {in(s, normal(scale))},
                       .run = [](const Tensors& x) { return log_softmax(x[0]); },
                       .reference = [](const Arrays& x) { return reference::log_softmax(x[0]); }});
    }
  for (const double offset : {-1e4, 90.0, 1e4})  // exp alone would overflow or vanish
    cases.push_back({.op = "softmax",
                     .variant = "logits around " + std::to_string(offset),
                     .inputs = {in({1, 3, 2, 5}, uniform(offset - 2, offset + 2))},
                     .run = [](const Tensors& x) { return softmax(x[0]); },
                     .reference = [](const Arrays& x) { return reference::softmax(x[0]); }});
  return cases;
}

}  // namespace gf::test
