// What TransUNet needs beside convolutions: group and layer norm, weight standardisation.
#include "engine/ops/group_norm.h"
#include "engine/ops/layer_norm.h"
#include "tests/harness/op_case.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

OpCase group_norm_case(const Shape& s, std::int64_t groups, bool relu, bool residual) {
  const GroupNormShape p{groups, 1e-6f, relu};
  const Shape v{1, 1, 1, s.c};
  std::vector<Input> inputs{in(s), float32(dense(v, uniform(0.5, 2))), float32(dense(v, uniform(-0.5, 0.5)))};
  if (residual) inputs.push_back(in(s));
  return {.op = "group_norm",
          .variant = text(s) + ", " + std::to_string(groups) + " groups" + (relu ? ", relu" : "") +
                     (residual ? ", residual" : ""),
          .inputs = inputs,
          .run = [=](const Tensors& x) { return group_norm(x[0], x[1], x[2], p, residual ? x[3] : Tensor()); },
          .reference =
              [=](const Arrays& x) { return reference::group_norm(x[0], x[1], x[2], residual ? &x[3] : nullptr, p); },
          .order = 1};
}

}  // namespace

OpCases group_norm_cases() {
  OpCases cases;
  for (const bool relu : {false, true})
    for (const bool residual : {false, true}) {
      cases.push_back(group_norm_case({2, 3, 4, 6}, 3, relu, residual));
      cases.push_back(group_norm_case({2, 5, 3, 4}, 4, relu, residual));
      cases.push_back(group_norm_case({1, 2, 3, 33}, 1, relu, residual));
    }
  cases.push_back(group_norm_case({3, 7, 5, 32}, 8, false, false));
  cases.push_back(group_norm_case({2, 33, 31, 4}, 2, false, true));
  return cases;
}

OpCases layer_norm_cases() {
  OpCases cases;
  for (const Shape& s : {Shape{2, 3, 4, 5}, Shape{1, 5, 3, 31}, Shape{1, 3, 2, 257}, Shape{1, 2, 2, 600}}) {
    const Shape v{1, 1, 1, s.c};
    cases.push_back({.op = "layer_norm",
                     .variant = text(s),
                     .inputs = {in(s), float32(dense(v, uniform(0.5, 2))), float32(dense(v, uniform(-0.5, 0.5)))},
                     .run = [](const Tensors& x) { return layer_norm(x[0], x[1], x[2], 1e-6f); },
                     .reference = [](const Arrays& x) { return reference::layer_norm(x[0], &x[1], &x[2], 1e-6); },
                     .order = 1});
  }
  for (const Shape& w : {Shape{4, 3, 3, 2}, Shape{5, 1, 1, 33}, Shape{2, 7, 7, 3}, Shape{3, 3, 3, 64}})
    cases.push_back({.op = "standardise_weight",
                     .variant = text(w),
                     .inputs = {float32(dense(w, normal(0.1)))},
                     .run = [](const Tensors& x) { return standardise_weight(x[0], 1e-5f); },
                     .reference =
                         [](const Arrays& x) {
                           const Shape& s = x[0].shape;
                           const Array rows = reference::reshape(x[0], {1, 1, s.n, s.h * s.w * s.c});
                           return reference::reshape(reference::layer_norm(rows, nullptr, nullptr, 1e-5), s);
                         },
                     .order = 1,
                     .dense_upstream = true});
  return cases;
}

}  // namespace gf::test
