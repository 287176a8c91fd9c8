// What a plan depends on, which plans are kept, and what a refusal says.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "kernels/cudnn/layout.h"
#include "kernels/error.h"
#include "tests/cudnn/device.h"

using namespace gf;
using namespace gf::cudnn;

TEST_CASE("the cache drops what has not been asked for the longest") {
  LruCache<int, int> cache(2);
  const auto get = [&](int key) { return cache.get(key, [&] { return 10 * key; }); };
  CHECK(get(1) == 10);
  CHECK(get(2) == 20);
  CHECK(get(1) == 10);  // now 2 is the oldest
  CHECK(get(3) == 30);
  CHECK(cache.size() == 2);
  CHECK(cache.hits() == 1);
  CHECK(get(1) == 10);
  CHECK(cache.hits() == 2);
  CHECK(get(2) == 20);  // made again
  CHECK(cache.misses() == 4);

  CHECK_THROWS(cache.get(4, []() -> int { throw std::runtime_error("no plan"); }));
  CHECK(cache.size() == 2);
  CHECK(get(2) == 20);
  CHECK(cache.misses() == 5);
}

TEST_CASE("everything a plan depends on is in its key") {
  const std::vector<std::function<void(ConvolutionProblem&, PlanFlags&)>> changes = {
      [](auto& q, auto&) { q.operation = Operation::input_grad; },
      [](auto& q, auto&) { q.operation = Operation::weight_grad; },
      [](auto& q, auto&) { q.dtype = DType::bf16; },
      [](auto& q, auto&) { q.x.n = 7; },
      [](auto& q, auto&) { q.x.h = 7; },
      [](auto& q, auto&) { q.x.w = 7; },
      [](auto& q, auto&) { q.x.c = 7; },
      [](auto& q, auto&) { q.w.n = 7; },
      [](auto& q, auto&) { q.w.h = 7; },
      [](auto& q, auto&) { q.w.w = 7; },
      [](auto& q, auto&) { q.w.c = 7; },
      [](auto& q, auto&) { q.y.n = 7; },
      [](auto& q, auto&) { q.y.h = 7; },
      [](auto& q, auto&) { q.y.w = 7; },
      [](auto& q, auto&) { q.y.c = 7; },
      [](auto& q, auto&) { q.x_stride = 7; },
      [](auto& q, auto&) { q.y_stride = 7; },
      [](auto& q, auto&) { q.shape.stride_h = 7; },
      [](auto& q, auto&) { q.shape.stride_w = 7; },
      [](auto& q, auto&) { q.shape.pad_h = 7; },
      [](auto& q, auto&) { q.shape.pad_w = 7; },
      [](auto& q, auto&) { q.shape.dilation_h = 7; },
      [](auto& q, auto&) { q.shape.dilation_w = 7; },
      [](auto& q, auto&) { q.shape.groups = 7; },
      [](auto& q, auto&) { q.bias = true; },
      [](auto& q, auto&) { q.bias = true, q.bias_alignment = 4; },
      [](auto& q, auto&) { q.act = ConvolutionActivation::relu; },
      [](auto& q, auto&) { q.act = ConvolutionActivation::relu6; },
      [](auto& q, auto&) { q.residual = true; },
      [](auto& q, auto&) { q.residual = true, q.residual_stride = 7; },
      [](auto& q, auto&) { q.residual = true, q.residual_alignment = 4; },
      [](auto& q, auto&) { q.x_alignment = 4; },
      [](auto& q, auto&) { q.w_alignment = 4; },
      [](auto& q, auto&) { q.y_alignment = 4; },
      [](auto&, auto& f) { f.deterministic = false; },
      [](auto&, auto& f) { f.tf32 = true; },
      [](auto&, auto& f) { f.workspace_limit = 7; },
      [](auto&, auto& f) { f.compiled = false; },
  };
  std::set<ConvolutionKey> keys{key_of(test::small_problem(), {})};
  for (const auto& change : changes) {
    ConvolutionProblem q = test::small_problem();
    PlanFlags f;
    change(q, f);
    keys.insert(key_of(q, f));
  }
  CHECK(keys.size() == changes.size() + 1);
}

TEST_CASE("plans are kept by problem and flags") {
  if (!test::have_cudnn()) return;
  ConvolutionPlans plans(2, &test::described_device());
  ConvolutionProblem wide = test::small_problem();
  wide.x_stride = 128;
  const auto first = plans.get(test::small_problem(), {});
  CHECK(plans.get(test::small_problem(), {}) == first);
  CHECK(plans.get(wide, {}) != first);
  CHECK(plans.get(test::small_problem(), {.tf32 = true}) != first);
  CHECK(plans.cache().size() == 2);
  CHECK(plans.get(test::small_problem(), {}) != first);  // dropped, made again
  CHECK(info(*first).engine >= 0);                       // but alive while it is held
}

TEST_CASE("flags choose among engines") {
  if (!test::have_cudnn()) return;
  const auto plan = [](DType dtype, const PlanFlags& flags, Operation operation = Operation::forward) {
    ConvolutionProblem q = test::small_problem();
    q.operation = operation;
    q.dtype = dtype;
    return info(*make_convolution_plan(q, flags, &test::described_device()));
  };
  const auto has = [](const PlanInfo& i, const char* note) {
    return std::find(i.notes.begin(), i.notes.end(), note) != i.notes.end();
  };
  CHECK(has(plan(DType::bf16, {}), "tensor core"));
  CHECK(has(plan(DType::f32, {.tf32 = true}), "tensor core"));
  CHECK(!has(plan(DType::f32, {}), "tensor core"));
  CHECK(has(plan(DType::f32, {.deterministic = false}, Operation::weight_grad), "nondeterministic"));
  CHECK(!has(plan(DType::f32, {}, Operation::weight_grad), "nondeterministic"));
  CHECK(plan(DType::f32, {}).workspace > 0);
  CHECK(plan(DType::f32, {.workspace_limit = 0}).workspace == 0);
}

TEST_CASE("extents and strides are those of the memory") {
  const auto at = [](const Layout& l, std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
    return a * l.strides[0] + b * l.strides[1] + c * l.strides[2] + d * l.strides[3];
  };
  const Shape s{2, 5, 7, 3};
  const std::int64_t pixel_stride = 11;
  const Layout x = activation_layout(s, pixel_stride), w = weight_layout(s);
  CHECK(x.extents == std::array<std::int64_t, 4>{2, 3, 5, 7});
  CHECK(w.extents == std::array<std::int64_t, 4>{2, 3, 5, 7});
  std::int64_t pixel = 0, i = 0;  // walks the memory in its own order
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t h = 0; h < s.h; ++h)
      for (std::int64_t k = 0; k < s.w; ++k, ++pixel)
        for (std::int64_t c = 0; c < s.c; ++c, ++i) {
          REQUIRE(at(x, n, c, h, k) == pixel * pixel_stride + c);
          REQUIRE(at(w, n, c, h, k) == i);
        }
}

TEST_CASE("activations inside a wider buffer, at any alignment") {
  if (!test::have_cudnn()) return;
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const Operation operation : {Operation::forward, Operation::input_grad, Operation::weight_grad})
      for (int alignment = static_cast<int>(size_of(dtype)); alignment <= 16; alignment *= 2) {
        ConvolutionProblem q = test::small_problem();
        q.operation = operation;
        q.dtype = dtype;
        q.x_stride = 64 + 3 * alignment;
        q.y_stride = 128;
        q.x_alignment = q.y_alignment = alignment;
        CAPTURE(describe(q));
        CHECK_NOTHROW(make_convolution_plan(q, {}, &test::described_device()));
      }
}
