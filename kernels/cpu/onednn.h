#pragma once
// The one wall around oneDNN: no type of the library leaves onednn.cpp. A plan is a short list of library primitives
// (reorders in, the operation, reorders out) made once per problem and kept; running it costs no allocation.
//
// Plans belong to the calling thread (each thread has its own bounded cache), so kernels may be called from several
// threads. A plan reference is valid until the same thread asks for another plan.
#include <cstddef>
#include <initializer_list>

#include "kernels/convolution.h"
#include "kernels/matmul_problem.h"

namespace gf::onednn {

enum class Operation { forward, input_grad, weight_grad };

// How activations are held inside a plan: `plain` works on NHWC in place (pixel strides must equal the channels);
// `blocked` lets the library choose (nChw16c or nChw8c) and reorders in and out, from any pixel stride.
enum class Layout { plain, blocked };

struct ConvolutionProblem {
  Operation operation = Operation::forward;
  Layout layout = Layout::plain;
  Shape x, w, y;  // w: (out, kh, kw, in/groups)
  std::int64_t x_stride = 0, y_stride = 0;
  ConvolutionShape shape;
  bool bias = false;                                        // forward: added; weight_grad: its gradient is computed
  ConvolutionActivation act = ConvolutionActivation::none;  // forward only
};

class Plan;

Plan& convolution_plan(const ConvolutionProblem&);
// What follows on a product: y = act(a b + bias), the bias a value a column.
struct MatmulEnd {
  bool bias = false;
  ConvolutionActivation act = ConvolutionActivation::none;
  auto operator<=>(const MatmulEnd&) const = default;
};

// Its pointers are a, b, the bias where there is one, y.
Plan& matmul_plan(const MatmulProblem&, const MatmulEnd& = {});

// True where the library uses 512-bit vectors here.
bool wide_vectors();

// Scratch memory that run() needs, in bytes.
std::size_t workspace_bytes(const Plan&);

// Pointers in the order of the operation: forward x, w, bias, y; input_grad dy, w, dx; weight_grad x, dy, dw, db;
// matmul a, b, y. Null pointers are left out: that of a bias the problem does not have.
void run(Plan&, std::initializer_list<const void*> pointers, void* workspace);

}  // namespace gf::onednn
