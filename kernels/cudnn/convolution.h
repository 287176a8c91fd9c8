#pragma once
// The three convolutions of kernels/convolution.h through cuDNN's graph API, with residual, bias and ReLU in the same
// kernel. A transposed convolution is input_grad run forwards, grouped and depthwise ones are told by the weights'
// channels.
//
// Dtypes: all float32 or all bfloat16, the bias too (sums in float32; the weight gradient of bfloat16 is bfloat16).
// Layouts: activations NHWC with any pixel stride, weights dense as in kernels/view.h. Outputs are assigned. Where
// bfloat16 pointers are not multiples of 16 bytes cuDNN often proposes engines without tensor cores.
//
// Not here: the gradient of a bias, which is a sum over pixels; the bias of a transposed convolution, because for an
// addition behind an input gradient cuDNN has only engines that it compiles at run time, and not for every alignment.
//
// Nor pooling, although cuDNN's resample operation knows it: kernels/pooling.h serves, because there the rules and the
// index are part of the contract. A NaN wins, of equal values the first; the index is h * width + w, which unpooling
// and the other devices read too, while cuDNN's index is meant for its own backward pass and cuDNN does not unpool.
// Pooling is bound by memory: a library has nothing to win on kernels that read and write every element once.
#include <array>
#include <memory>

#include "kernels/convolution.h"
#include "kernels/cudnn/plan.h"
#include "kernels/lru_cache.h"

namespace gf::cudnn {

enum class Operation { forward, input_grad, weight_grad };

// What a plan depends on beside flags and device.
struct ConvolutionProblem {
  Operation operation = Operation::forward;
  Shape x, w, y;  // of the forward convolution, whatever the operation: w (out, kh, kw, in/groups)
  std::int64_t x_stride = 0, y_stride = 0, residual_stride = 0;  // pixel strides in elements
  ConvolutionShape shape;
  DType dtype = DType::f32;
  bool residual = false, bias = false;                      // forward only, in this order; the residual has y's shape
  ConvolutionActivation act = ConvolutionActivation::none;  // behind them
  // Bytes that the pointers are multiples of, 16 at most.
  int x_alignment = 16, w_alignment = 16, y_alignment = 16, bias_alignment = 16, residual_alignment = 16;
};

// "input_grad f32, x [8,64,64,24], w ..., pixel strides 24 and 48", for messages.
std::string describe(const ConvolutionProblem&);

// Everything a plan depends on but the device, as numbers.
using ConvolutionKey = std::array<std::int64_t, 34>;
ConvolutionKey key_of(const ConvolutionProblem&, const PlanFlags&);

// A plan made afresh. device: a described one, or null for the GPU that is current at the thread's first use. Throws
// with the shapes and cuDNN's reason where no engine takes the graph.
std::shared_ptr<Plan> make_convolution_plan(const ConvolutionProblem&, const PlanFlags&,
                                            const DeviceProperties* device = nullptr);

// The plans of one thread for one device.
class ConvolutionPlans {
 public:
  explicit ConvolutionPlans(std::size_t capacity, const DeviceProperties* device = nullptr)
      : cache_(capacity), device_(device) {}

  std::shared_ptr<Plan> get(const ConvolutionProblem& q, const PlanFlags& flags) {
    return cache_.get(key_of(q, flags), [&] { return make_convolution_plan(q, flags, device_); });
  }
  const LruCache<ConvolutionKey, std::shared_ptr<Plan>>& cache() const { return cache_; }

 private:
  LruCache<ConvolutionKey, std::shared_ptr<Plan>> cache_;
  const DeviceProperties* device_;
};

// The kernels, with the arguments of kernels/convolution.h. Plans are kept per thread.
void convolution_forward(const Cuda&, const PlanFlags&, const ConvolutionShape&, ConstView x, ConstView w,
                         ConstView bias, View y, ConvolutionActivation act = ConvolutionActivation::none,
                         ConstView residual = {});
void convolution_input_grad(const Cuda&, const PlanFlags&, const ConvolutionShape&, ConstView dy, ConstView w, View dx);
void convolution_weight_grad(const Cuda&, const PlanFlags&, const ConvolutionShape&, ConstView x, ConstView dy,
                             View dw);

}  // namespace gf::cudnn
