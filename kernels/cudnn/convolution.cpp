#include "kernels/cudnn/convolution.h"

#include <algorithm>

#include "kernels/captured_plans.h"
#include "kernels/check.h"
#include "kernels/cudnn/graph.h"

namespace gf::cudnn {
namespace {

enum Id : std::int64_t { id_x = 1, id_w, id_y, id_bias, id_residual };

const char* name_of(Operation o) {
  return o == Operation::forward ? "forward" : o == Operation::input_grad ? "input_grad" : "weight_grad";
}

void build(Graph& g, const ConvolutionProblem& q) {
  const Descriptor& x = g.tensor(id_x, "x", activation_layout(q.x, q.x_stride), q.dtype, q.x_alignment);
  const Descriptor& w = g.tensor(id_w, "w", weight_layout(q.w), q.dtype, q.w_alignment);
  const Descriptor& y = g.tensor(id_y, "y", activation_layout(q.y, q.y_stride), q.dtype, q.y_alignment);
  if (q.operation == Operation::weight_grad) return g.convolution_weight_grad(q.shape, x, y, w);
  if (q.operation == Operation::input_grad) return g.convolution_input_grad(q.shape, y, w, x);

  // Each step but the last writes to a tensor that never is in memory. The order is the one that cuDNN has engines for.
  const Layout inside = activation_layout(q.y, q.y.c);
  int left = q.residual + q.bias + (q.act != ConvolutionActivation::none);
  const auto next = [&]() -> const Descriptor& { return left-- > 0 ? g.virtual_tensor(inside) : y; };
  const Descriptor* last = &next();
  g.convolution_forward(q.shape, x, w, *last);
  const auto add = [&](const Descriptor& term) {
    const Descriptor& sum = next();
    g.add(*last, term, sum);
    last = &sum;
  };
  if (q.residual)
    add(g.tensor(id_residual, "residual", activation_layout(q.y, q.residual_stride), q.dtype, q.residual_alignment));
  if (q.bias) add(g.tensor(id_bias, "bias", channel_layout(q.y.c), q.dtype, q.bias_alignment));
  if (q.act == ConvolutionActivation::relu) g.relu(*last, y, {});
  if (q.act == ConvolutionActivation::relu6) g.relu(*last, y, 6.0);
}

int alignment_of(const ConstView& v) {
  const auto address = reinterpret_cast<std::uintptr_t>(v.data);
  return address ? static_cast<int>(std::min<std::uintptr_t>(16, address & -address)) : 16;
}

// Of a single pixel the stride means nothing; one value for it keeps the keys few.
std::int64_t stride_of(const ConstView& v) { return v.pixels() <= 1 ? v.c : v.pixel_stride; }

ConvolutionProblem problem_of(const char* kernel, Operation operation, const ConvolutionShape& p, const ConstView& x,
                              const ConstView& w, const ConstView& y) {
  if (x.dtype != DType::bf16) require_view(kernel, "x", x, DType::f32);
  require_view(kernel, "x", x, x.dtype);
  require_view(kernel, "w", w, x.dtype);
  require_view(kernel, "y", y, x.dtype);
  require_dense(kernel, "w", w);
  ConvolutionProblem q;
  q.operation = operation;
  q.x = x.shape();
  q.w = w.shape();
  q.y = y.shape();
  q.x_stride = stride_of(x);
  q.y_stride = stride_of(y);
  q.shape = p;
  q.dtype = x.dtype;
  q.x_alignment = alignment_of(x);
  q.w_alignment = alignment_of(w);
  q.y_alignment = alignment_of(y);
  return q;
}

std::shared_ptr<Plan> plan_of(const ConvolutionProblem& q, const PlanFlags& flags) {
  thread_handle();  // made first, so that it outlives the plans
  // A network has a few hundred distinct problems; the bound only matters where image sizes keep changing.
  thread_local ConvolutionPlans plans(1024);
  const std::shared_ptr<Plan> plan = plans.get(q, flags);
  keep_if_capturing(plan);
  return plan;
}

}  // namespace

std::string describe(const ConvolutionProblem& q) {
  std::string s = std::string(name_of(q.operation)) + " " + gf::name_of(q.dtype) + ", " +
                  gf::describe(q.x, q.w, q.shape) + ", y " + q.y.str() + ", pixel strides " +
                  std::to_string(q.x_stride) + " and " + std::to_string(q.y_stride);
  if (q.residual) s += ", residual of pixel stride " + std::to_string(q.residual_stride);
  if (q.bias) s += ", bias";
  if (q.act != ConvolutionActivation::none) s += q.act == ConvolutionActivation::relu ? ", relu" : ", relu6";
  return s + ", alignment " + std::to_string(q.x_alignment) + " " + std::to_string(q.w_alignment) + " " +
         std::to_string(q.y_alignment);
}

ConvolutionKey key_of(const ConvolutionProblem& q, const PlanFlags& f) {
  const auto& s = q.shape;
  return {static_cast<std::int64_t>(q.operation),
          static_cast<std::int64_t>(q.dtype),
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
          s.groups,
          q.bias,
          static_cast<std::int64_t>(q.act),
          q.x_alignment,
          q.w_alignment,
          q.y_alignment,
          q.bias ? q.bias_alignment : 0,
          q.residual,
          q.residual ? q.residual_stride : 0,
          q.residual ? q.residual_alignment : 0,
          f.compiled * 4 + f.deterministic * 2 + f.tf32,
          static_cast<std::int64_t>(f.workspace_limit)};
}

std::shared_ptr<Plan> make_convolution_plan(const ConvolutionProblem& q, const PlanFlags& flags,
                                            const DeviceProperties* device) {
  if (const Shape y = convolution_output(q.x, q.w, q.shape); y != q.y)
    fail("cuDNN convolution: wrong output shape", describe(q), y.str(), q.y.str());
  if ((q.residual || q.bias || q.act != ConvolutionActivation::none) && q.operation != Operation::forward)
    fail("cuDNN convolution: residual, bias and activation belong to forward", describe(q));
  PlanFlags safe = flags;
  safe.compiled =
      flags.compiled && q.x_stride == q.x.c && q.y_stride == q.y.c && (!q.residual || q.residual_stride == q.y.c);
  Graph graph(device ? nullptr : thread_handle());
  try {
    build(graph, q);
    return find_plan(graph, q.dtype, safe, device);
  } catch (const Error& e) {  // of a descriptor, which does not know the whole
    throw Error(e.kind(), {e.parts().what, describe(q) + (e.parts().where.empty() ? "" : "; " + e.parts().where),
                           e.parts().expected, e.parts().found, e.parts().remedy});
  }
}

void convolution_forward(const Cuda& cuda, const PlanFlags& flags, const ConvolutionShape& p, ConstView x, ConstView w,
                         ConstView bias, View y, ConvolutionActivation act, ConstView residual) {
  ConvolutionProblem q = problem_of("convolution_forward", Operation::forward, p, x, w, y);
  if (bias.data) {
    require_view("convolution_forward", "bias", bias, q.dtype);
    require_shape("convolution_forward", "bias", bias, {1, 1, 1, q.y.c});
    q.bias = true;
    q.bias_alignment = alignment_of(bias);
  }
  if (residual.data) {
    require_view("convolution_forward", "residual", residual, q.dtype);
    require_shape("convolution_forward", "residual", residual, q.y);
    q.residual = true;
    q.residual_stride = stride_of(residual);
    q.residual_alignment = alignment_of(residual);
  }
  q.act = act;
  std::vector<Binding> bindings{{id_x, x.data}, {id_w, w.data}, {id_y, y.data}};
  if (q.residual) bindings.push_back({id_residual, residual.data});
  if (q.bias) bindings.push_back({id_bias, bias.data});
  run(cuda, *plan_of(q, flags), bindings);
}

void convolution_input_grad(const Cuda& cuda, const PlanFlags& flags, const ConvolutionShape& p, ConstView dy,
                            ConstView w, View dx) {
  const ConvolutionProblem q = problem_of("convolution_input_grad", Operation::input_grad, p, dx, w, dy);
  run(cuda, *plan_of(q, flags), {{id_x, dx.data}, {id_w, w.data}, {id_y, dy.data}});
}

void convolution_weight_grad(const Cuda& cuda, const PlanFlags& flags, const ConvolutionShape& p, ConstView x,
                             ConstView dy, View dw) {
  const ConvolutionProblem q = problem_of("convolution_weight_grad", Operation::weight_grad, p, x, dw, dy);
  run(cuda, *plan_of(q, flags), {{id_x, x.data}, {id_w, dw.data}, {id_y, dy.data}});
}

}  // namespace gf::cudnn
