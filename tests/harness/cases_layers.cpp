#include "engine/autograd.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/pooling.h"
#include "engine/ops/resize.h"
#include "tests/harness/op_case.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

const char* name_of(NormActivation a) {
  switch (a) {
    case NormActivation::none:
      return "no activation";
    case NormActivation::relu:
      return "relu";
    case NormActivation::relu6:
      return "relu6";
    case NormActivation::leaky_relu:
      return "leaky relu";
    case NormActivation::prelu:
      return "prelu";
  }
  return "";
}

OpCase batch_norm_case(const Shape& s, bool training, NormActivation act, bool residual, float eps = 1e-5f,
                       std::int64_t slopes = 1) {
  const BatchNormShape p{.eps = eps, .momentum = 0.1f, .act = act, .slope = 0.2f};
  const Shape v{1, 1, 1, s.c};
  // For relu6 the outputs are spread so that both bounds are met.
  const bool six = act == NormActivation::relu6;
  std::vector<Input> inputs{in(s), float32(dense(v, uniform(six ? 2 : 0.5, six ? 4 : 2))),
                            float32(dense(v, uniform(-0.5, six ? 5 : 0.5)))};
  if (!training) inputs.insert(inputs.end(), {float32(fixed(v)), float32(fixed(v, uniform(0.5, 2)))});
  for (Input& i : inputs) i.dense = i.dense || !i.differentiable;
  // The residual and prelu's slopes, which may be negative, come last.
  const bool learns = act == NormActivation::prelu;
  if (residual) inputs.push_back(in(s));
  if (learns) inputs.push_back(float32(dense({1, 1, 1, slopes}, uniform(-0.5, 0.8))));
  const std::size_t last = inputs.size() - 1;
  const auto rest = [=](const auto& x) { return residual ? &x[learns ? last - 1 : last] : nullptr; };
  const auto slope = [=](const auto& x) { return learns ? &x[last] : nullptr; };
  return {.op = "batch_norm",
          .variant = text(s) + (training ? ", training, " : ", evaluation, ") + name_of(act) +
                     (residual ? ", residual" : "") + (slopes > 1 ? ", a slope a channel" : "") +
                     (eps > 1e-4f ? ", large eps" : ""),
          .inputs = inputs,
          .run =
              [=](const Tensors& x) {
                const Tensor mean = training ? Tensor::zeros(v, device_under_test()) : x[3],
                             variance = training ? Tensor::full(v, 1.0f, device_under_test()) : x[4];
                return batch_norm(x[0], x[1], x[2], mean, variance, p, training, residual ? *rest(x) : Tensor(),
                                  learns ? *slope(x) : Tensor());
              },
          .reference =
              [=](const Arrays& x) {
                return training ? reference::batch_norm_train(x[0], x[1], x[2], rest(x), slope(x), p)
                                : reference::batch_norm_eval(x[0], x[1], x[2], rest(x), slope(x), x[3], x[4], p);
              },
          .order = 1};
}

}  // namespace

OpCases batch_norm_cases() {
  OpCases cases;
  for (const bool training : {true, false}) {
    for (const NormActivation act : {NormActivation::none, NormActivation::relu, NormActivation::relu6,
                                     NormActivation::leaky_relu, NormActivation::prelu})
      for (const bool residual : {false, true}) {
        cases.push_back(batch_norm_case({2, 3, 4, 5}, training, act, residual));
        cases.push_back(batch_norm_case({2, 5, 3, 1}, training, act, residual));
        cases.push_back(batch_norm_case({1, 2, 3, 33}, training, act, residual));
      }
    for (const bool residual : {false, true})
      cases.push_back(batch_norm_case({1, 2, 3, 33}, training, NormActivation::prelu, residual, 1e-5f, 33));
    cases.push_back(batch_norm_case({3, 7, 5, 31}, training, NormActivation::none, false));
    cases.push_back(batch_norm_case({2, 33, 31, 3}, training, NormActivation::none, true));
    cases.push_back(batch_norm_case({2, 3, 4, 5}, training, NormActivation::relu, true, 1e-3f));
  }
  cases.push_back(batch_norm_case({1, 1, 1, 5}, false, NormActivation::relu, false));
  return cases;
}

namespace {

OpCase max_pool_case(const Shape& s, const PoolShape& p) {
  return {.op = "max_pool",
          .variant = text(s) + ", kernel " + std::to_string(p.kernel) + ", stride " + std::to_string(p.stride) +
                     ", pad " + std::to_string(p.pad),
          .inputs = {in(s, spaced(0.02))},
          .run = [=](const Tensors& x) { return max_pool(x[0], p); },
          .reference = [=](const Arrays& x) { return reference::max_pool(x[0], p); },
          .order = 1};
}

// Values of their own go to the places of another map's maxima.
OpCase max_unpool_case(const Shape& s, const PoolShape& p) {
  return {.op = "max_unpool",
          .variant = text(s) + ", kernel " + std::to_string(p.kernel),
          .inputs = {in(max_pool_output(s, p)), fixed(s, spaced(0.02))},
          .run = [=](const Tensors& x) { return max_unpool(x[0], max_pool_with_index(x[1], p).index, p, s); },
          .reference = [=](const Arrays& x) { return reference::max_unpool(x[0], x[1], p); },
          .order = 1};
}

// A map is pooled and comes back: nothing but the maxima is left.
OpCase pool_and_unpool_case(const Shape& s, const PoolShape& p) {
  return {.op = "max_unpool",
          .variant = text(s) + ", kernel " + std::to_string(p.kernel) + ", behind max_pool",
          .inputs = {in(s, spaced(0.02))},
          .run =
              [=](const Tensors& x) {
                const MaxPooled pooled = max_pool_with_index(x[0], p);
                return max_unpool(pooled.values, pooled.index, p, s);
              },
          .reference = [=](const Arrays& x) { return reference::max_unpool(reference::max_pool(x[0], p), x[0], p); },
          .order = 1};
}

OpCase adaptive_max_case(const Shape& s, std::int64_t height, std::int64_t width) {
  return {.op = "adaptive_max_pool",
          .variant = text(s) + " to " + std::to_string(height) + "x" + std::to_string(width),
          .inputs = {in(s, spaced(0.02))},
          .run = [=](const Tensors& x) { return adaptive_max_pool(x[0], height, width); },
          .reference = [=](const Arrays& x) { return reference::adaptive_max_pool(x[0], height, width); },
          .order = 1};
}

OpCase average_case(const Shape& s, std::int64_t height, std::int64_t width) {
  return {.op = "adaptive_avg_pool",
          .variant = text(s) + " to " + std::to_string(height) + "x" + std::to_string(width),
          .inputs = {in(s)},
          .run = [=](const Tensors& x) { return adaptive_avg_pool(x[0], height, width); },
          .reference = [=](const Arrays& x) { return reference::adaptive_avg_pool(x[0], height, width); },
          .order = 1};
}

}  // namespace

OpCases pooling_cases() {
  OpCases cases;
  for (const PoolShape& p : {PoolShape{2, 2, 0}, PoolShape{3, 2, 1}, PoolShape{3, 1, 1}, PoolShape{1, 1, 0}})
    for (const Shape& s : {Shape{2, 6, 8, 3}, Shape{1, 5, 7, 33}, Shape{2, 3, 3, 31}, Shape{1, 31, 33, 1}})
      cases.push_back(max_pool_case(s, p));
  cases.push_back(max_pool_case({1, 1, 1, 1}, {1, 1, 0}));
  cases.push_back(max_pool_case({1, 1, 1, 4}, {3, 2, 1}));
  for (const PoolShape& p : {PoolShape{2, 2, 0}, PoolShape{3, 3, 0}, PoolShape{1, 1, 0}})
    for (const Shape& s : {Shape{2, 6, 8, 3}, Shape{1, 5, 7, 33}, Shape{2, 3, 3, 31}, Shape{1, 31, 33, 1}}) {
      cases.push_back(max_unpool_case(s, p));
      cases.push_back(pool_and_unpool_case(s, p));
    }
  const std::pair<std::int64_t, std::int64_t> targets[] = {{1, 1}, {2, 3}, {5, 7}, {6, 6}, {8, 9}};
  for (const auto& [height, width] : targets) {
    cases.push_back(adaptive_max_case({2, 5, 7, 3}, height, width));
    cases.push_back(adaptive_max_case({1, 6, 6, 33}, height, width));
    cases.push_back(average_case({2, 5, 7, 3}, height, width));
    cases.push_back(average_case({1, 6, 6, 33}, height, width));
  }
  cases.push_back(average_case({1, 31, 33, 1}, 4, 4));
  cases.push_back(average_case({1, 1, 1, 1}, 1, 1));
  cases.push_back(adaptive_max_case({1, 31, 33, 1}, 2, 2));
  cases.push_back(adaptive_max_case({1, 1, 1, 1}, 1, 1));
  return cases;
}

namespace {

void add_resize(OpCases& cases, const Shape& s, std::int64_t height, std::int64_t width) {
  const std::pair<ResizeMode, const char*> modes[] = {
      {ResizeMode::nearest, "nearest"}, {ResizeMode::bilinear, "bilinear"}, {ResizeMode::bilinear_corners, "corners"}};
  for (const auto& [mode, name] : modes) {
    const std::string variant =
        std::string(name) + " " + text(s) + " to " + std::to_string(height) + "x" + std::to_string(width);
    cases.push_back(
        {.op = "resize",
         .variant = variant,
         .inputs = {in(s)},
         .run = [=, mode = mode](const Tensors& x) { return resize(x[0], height, width, mode); },
         .reference = [=, mode = mode](const Arrays& x) { return reference::resize(x[0], height, width, mode); }});
    cases.push_back(
        {.op = "resize_adjoint",
         .variant = variant,
         .inputs = {in({s.n, height, width, s.c})},
         .run =
             [=, mode = mode](const Tensors& x) {
               const Tensor leaf = Tensor::zeros(s, device_under_test(), x[0].dtype()).require_grad();
               return gradients(resize(leaf, height, width, mode), {leaf}, x[0], true)[0];
             },
         .reference = [=, mode = mode](const Arrays& x) { return reference::resize_adjoint(x[0], s, mode); },
         .differentiates = true});
  }
}

}  // namespace

OpCases resize_cases() {
  OpCases cases;
  add_resize(cases, {2, 3, 4, 5}, 6, 8);
  add_resize(cases, {1, 5, 3, 33}, 7, 8);
  add_resize(cases, {2, 7, 6, 3}, 3, 4);
  add_resize(cases, {1, 1, 1, 31}, 4, 3);
  add_resize(cases, {1, 4, 5, 2}, 1, 1);
  add_resize(cases, {1, 4, 5, 1}, 4, 9);
  add_resize(cases, {1, 31, 33, 1}, 33, 31);
  return cases;
}

}  // namespace gf::test
