#include "kernels/cpu/onednn.h"

#include <omp.h>

#include <array>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "kernels/error.h"
#include "kernels/lru_cache.h"

// The library's C++ API changed between 2.x (operation descriptors, then primitive descriptors) and 3.x (primitive
// descriptors alone). Both are written here; these macros hide the difference.
#if DNNL_VERSION_MAJOR >= 3
#define GF_ONEDNN_FORWARD(type, attributes, ...) type::primitive_desc(engine(), __VA_ARGS__, attributes)
#define GF_ONEDNN_BACKWARD(type, hint, ...) type::primitive_desc(engine(), __VA_ARGS__, hint, Plan::attributes())
#else
#define GF_ONEDNN_FORWARD(type, attributes, ...) type::primitive_desc(type::desc(__VA_ARGS__), attributes, engine())
#define GF_ONEDNN_BACKWARD(type, hint, ...) \
  type::primitive_desc(type::desc(__VA_ARGS__), Plan::attributes(), engine(), hint)
#endif

namespace gf::onednn {
namespace {

using dnnl::memory;
using Dims = memory::dims;
constexpr auto f32 = memory::data_type::f32;

const dnnl::engine& engine() {
  static const dnnl::engine e(dnnl::engine::kind::cpu, 0);
  return e;
}

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

[[noreturn]] void rethrow(const dnnl::error& e, const std::string& what) {
  fail("oneDNN " + what, std::string(e.message), {}, "status " + std::to_string(static_cast<int>(e.status)));
}

}  // namespace

class Plan {
 public:
  // A memory that the caller provides at run time: the next pointer in the list.
  memory argument(const memory::desc& d) {
    memory m(d, engine(), DNNL_MEMORY_NONE);
    arguments_.push_back(m);
    return m;
  }

  // A memory in the workspace that lives through the whole plan.
  memory temporary(const memory::desc& d) {
    memory m(d, engine(), DNNL_MEMORY_NONE);
    temporaries_.push_back({m, bytes_});
    bytes_ += aligned(d.get_size());
    return m;
  }

  template <class Primitive, class Descriptor>
  void step(const Descriptor& d, std::unordered_map<int, memory> memories) {
    // One scratchpad serves all steps, because they run one after another.
    memory scratchpad(d.scratchpad_desc(), engine(), DNNL_MEMORY_NONE);
    scratchpads_.push_back(scratchpad);
    scratchpad_bytes_ = std::max(scratchpad_bytes_, aligned(d.scratchpad_desc().get_size()));
    memories.emplace(DNNL_ARG_SCRATCHPAD, scratchpad);
    steps_.push_back({Primitive(d), std::move(memories)});
  }

  void reorder(const memory& from, const memory& to) {
    step<dnnl::reorder>(dnnl::reorder::primitive_desc(from, to, attributes()),
                        {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  }

  // The memory an operation reads where it wants layout `wanted`: the argument itself or a reordered copy.
  memory input(const memory::desc& given, const memory::desc& wanted) {
    const memory from = argument(given);
    if (given == wanted) return from;
    const memory to = temporary(wanted);
    reorder(from, to);
    return to;
  }

  static dnnl::primitive_attr attributes() {
    dnnl::primitive_attr a;
    a.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return a;
  }

  std::size_t bytes() const { return bytes_ + scratchpad_bytes_; }

  void run(std::initializer_list<const void*> pointers, void* workspace) {
    std::size_t given = 0;
    for (const void* p : pointers)
      if (p && given++ < arguments_.size()) arguments_[given - 1].set_data_handle(const_cast<void*>(p));
    if (given != arguments_.size())
      fail("oneDNN plan", "arguments", std::to_string(arguments_.size()), std::to_string(given));
    auto* base = static_cast<std::byte*>(workspace);
    for (auto& [m, offset] : temporaries_) m.set_data_handle(base + offset);
    for (auto& m : scratchpads_) m.set_data_handle(base + bytes_);
    thread_local dnnl::stream stream(engine());
    for (auto& s : steps_) s.primitive.execute(stream, s.memories);
    stream.wait();
  }

 private:
  struct Temporary {
    memory m;
    std::size_t offset;
  };
  struct Step {
    dnnl::primitive primitive;
    std::unordered_map<int, memory> memories;
  };

  std::vector<memory> arguments_, scratchpads_;
  std::vector<Temporary> temporaries_;
  std::vector<Step> steps_;
  std::size_t bytes_ = 0, scratchpad_bytes_ = 0;
};

namespace {

// A network has a few hundred distinct problems; the bound only matters where image sizes keep changing.
constexpr std::size_t kMaxPlans = 1024;

// The calling thread's plans. They are made for a number of OpenMP threads, so it is part of the key.
template <class Key, class Make>
Plan& cached_plan(const Key& key, const Make& make) {
  thread_local LruCache<std::pair<Key, int>, std::shared_ptr<Plan>> plans(kMaxPlans);
  return *plans.get({key, omp_get_max_threads()}, [&] { return std::make_shared<Plan>(make()); });
}

using ConvolutionKey = std::array<std::int64_t, 22>;

ConvolutionKey key_of(const ConvolutionProblem& q) {
  const auto& s = q.shape;
  return {static_cast<int>(q.operation) * 16 + static_cast<int>(q.layout) * 8 + q.bias * 4 + static_cast<int>(q.act),
          q.x.n,
          q.x.h,
          q.x.w,
          q.x.c,
          q.w.n,
          q.w.h,
          q.w.w,
          q.w.c,
          q.y.n,
          q.y.h,
          q.y.w,
          q.y.c,
          q.x_stride,
          q.y_stride,
          s.stride_h,
          s.stride_w,
          s.pad_h,
          s.pad_w,
          s.dilation_h,
          s.dilation_w,
          s.groups};
}

memory::desc activation(const Shape& s, std::int64_t stride) {
  return {{s.n, s.c, s.h, s.w}, f32, Dims{s.h * s.w * stride, 1, s.w * stride, stride}};
}

// The descriptors of one convolution: how the caller holds each tensor, and what the library is asked for.
struct Descriptors {
  explicit Descriptors(const ConvolutionProblem& q) {
    const Shape& v = q.w;
    const std::int64_t g = q.shape.groups, filter = v.h * v.w * v.c;
    Dims wd{v.n, v.c, v.h, v.w}, ws{filter, 1, v.w * v.c, v.c};
    if (g > 1) {
      wd = {g, v.n / g, v.c, v.h, v.w};
      ws = {v.n / g * filter, filter, 1, v.w * v.c, v.c};
    }
    x = activation(q.x, q.x_stride);
    y = activation(q.y, q.y_stride);
    w = {wd, f32, ws};
    b = {{v.n}, f32, memory::format_tag::x};
    if (!q.bias) b = memory::desc();
    // Weights are small beside activations: the library may always have them in its own order.
    any_w = {wd, f32, memory::format_tag::any};
    const bool plain = q.layout == Layout::plain;
    any_x = plain ? x : memory::desc({q.x.n, q.x.c, q.x.h, q.x.w}, f32, memory::format_tag::any);
    any_y = plain ? y : memory::desc({q.y.n, q.y.c, q.y.h, q.y.w}, f32, memory::format_tag::any);
    const auto& s = q.shape;
    strides = {s.stride_h, s.stride_w};
    dilation = {s.dilation_h - 1, s.dilation_w - 1};  // the library counts the pixels left out
    pad = {s.pad_h, s.pad_w};
  }

  auto forward(const dnnl::primitive_attr& attributes) const {
    return GF_ONEDNN_FORWARD(dnnl::convolution_forward, attributes, dnnl::prop_kind::forward_training,
                             dnnl::algorithm::convolution_direct, any_x, any_w, b, any_y, strides, dilation, pad, pad);
  }

  memory::desc x, y, w, b, any_x, any_y, any_w;
  Dims strides, dilation, pad;
};

dnnl::primitive_attr attributes_with(ConvolutionActivation act) {
  auto attributes = Plan::attributes();
  if (act == ConvolutionActivation::none) return attributes;
  const bool relu = act == ConvolutionActivation::relu;
  const dnnl::algorithm algorithm = relu ? dnnl::algorithm::eltwise_relu : dnnl::algorithm::eltwise_clip;
  const float low = 0, high = relu ? 0 : 6;
  dnnl::post_ops ops;
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, low, high);
#else
  ops.append_eltwise(1, algorithm, low, high);
#endif
  attributes.set_post_ops(ops);
  return attributes;
}

Plan make_forward(const ConvolutionProblem& q) {
  const Descriptors d(q);
  const auto pd = d.forward(attributes_with(q.act));
  Plan plan;
  std::unordered_map<int, memory> m;
  m.emplace(DNNL_ARG_SRC, plan.input(d.x, pd.src_desc()));
  m.emplace(DNNL_ARG_WEIGHTS, plan.input(d.w, pd.weights_desc()));
  if (q.bias) m.emplace(DNNL_ARG_BIAS, plan.argument(d.b));
  const memory y = plan.argument(d.y);
  const memory inner = d.y == pd.dst_desc() ? y : plan.temporary(pd.dst_desc());
  m.emplace(DNNL_ARG_DST, inner);
  plan.step<dnnl::convolution_forward>(pd, std::move(m));
  if (inner != y) plan.reorder(inner, y);
  return plan;
}

Plan make_input_grad(const ConvolutionProblem& q) {
  const Descriptors d(q);
  const auto pd = GF_ONEDNN_BACKWARD(dnnl::convolution_backward_data, d.forward(Plan::attributes()),
                                     dnnl::algorithm::convolution_direct, d.any_x, d.any_w, d.any_y, d.strides,
                                     d.dilation, d.pad, d.pad);
  Plan plan;
  std::unordered_map<int, memory> m;
  m.emplace(DNNL_ARG_DIFF_DST, plan.input(d.y, pd.diff_dst_desc()));
  m.emplace(DNNL_ARG_WEIGHTS, plan.input(d.w, pd.weights_desc()));
  const memory dx = plan.argument(d.x);
  const memory inner = d.x == pd.diff_src_desc() ? dx : plan.temporary(pd.diff_src_desc());
  m.emplace(DNNL_ARG_DIFF_SRC, inner);
  plan.step<dnnl::convolution_backward_data>(pd, std::move(m));
  if (inner != dx) plan.reorder(inner, dx);
  return plan;
}

Plan make_weight_grad(const ConvolutionProblem& q) {
  const Descriptors d(q);
  const auto pd = GF_ONEDNN_BACKWARD(dnnl::convolution_backward_weights, d.forward(Plan::attributes()),
                                     dnnl::algorithm::convolution_direct, d.any_x, d.any_w, d.b, d.any_y, d.strides,
                                     d.dilation, d.pad, d.pad);
  Plan plan;
  std::unordered_map<int, memory> m;
  m.emplace(DNNL_ARG_SRC, plan.input(d.x, pd.src_desc()));
  m.emplace(DNNL_ARG_DIFF_DST, plan.input(d.y, pd.diff_dst_desc()));
  const memory dw = plan.argument(d.w);
  const memory inner = d.w == pd.diff_weights_desc() ? dw : plan.temporary(pd.diff_weights_desc());
  m.emplace(DNNL_ARG_DIFF_WEIGHTS, inner);
  if (q.bias) m.emplace(DNNL_ARG_DIFF_BIAS, plan.argument(d.b));
  plan.step<dnnl::convolution_backward_weights>(pd, std::move(m));
  if (inner != dw) plan.reorder(inner, dw);
  return plan;
}

}  // namespace

Plan& convolution_plan(const ConvolutionProblem& q) {
  try {
    return cached_plan(key_of(q), [&] {
      switch (q.operation) {
        case Operation::forward:
          return make_forward(q);
        case Operation::input_grad:
          return make_input_grad(q);
        default:
          return make_weight_grad(q);
      }
    });
  } catch (const dnnl::error& e) {
    rethrow(e, "convolution x" + q.x.str() + " w" + q.w.str() + " y" + q.y.str());
  }
}

Plan& matmul_plan(const MatmulProblem& q, const MatmulEnd& end) {
  try {
    return cached_plan(std::pair(q, end), [&] {
      const auto matrix = [](std::int64_t batch, std::int64_t rows, std::int64_t columns, Dims strides) {
        return memory::desc({batch, rows, columns}, f32, strides);
      };
      // A broadcast matrix is one batch entry for the library.
      const memory::desc a = matrix(q.a_batch ? q.batch : 1, q.rows, q.inner,
                                    {q.a_batch ? q.a_batch : q.rows * q.inner, q.a_row, q.a_column});
      const memory::desc b = matrix(q.b_batch ? q.batch : 1, q.inner, q.columns,
                                    {q.b_batch ? q.b_batch : q.inner * q.columns, q.b_row, q.b_column});
      const memory::desc y = matrix(q.batch, q.rows, q.columns, {q.y_batch, q.y_row, 1});
      const memory::desc bias = end.bias ? matrix(1, 1, q.columns, {q.columns, q.columns, 1}) : memory::desc();
      const auto pd = GF_ONEDNN_FORWARD(dnnl::matmul, attributes_with(end.act), a, b, bias, y);
      Plan plan;
      std::unordered_map<int, memory> m;
      m.emplace(DNNL_ARG_SRC, plan.argument(a));
      m.emplace(DNNL_ARG_WEIGHTS, plan.argument(b));
      if (end.bias) m.emplace(DNNL_ARG_BIAS, plan.argument(bias));
      m.emplace(DNNL_ARG_DST, plan.argument(y));
      plan.step<dnnl::matmul>(pd, std::move(m));
      return plan;
    });
  } catch (const dnnl::error& e) {
    rethrow(e, "matmul of " + std::to_string(q.batch) + " x " + std::to_string(q.rows) + " x " +
                   std::to_string(q.inner) + " x " + std::to_string(q.columns));
  }
}

bool wide_vectors() {
  static const bool wide =
      (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & static_cast<unsigned>(dnnl::cpu_isa::avx512_core)) ==
      static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return wide;
}

std::size_t workspace_bytes(const Plan& plan) { return plan.bytes(); }

void run(Plan& plan, std::initializer_list<const void*> pointers, void* workspace) {
  try {
    plan.run(pointers, workspace);
  } catch (const dnnl::error& e) {
    rethrow(e, "execution");
  }
}

}  // namespace gf::onednn
