#include "engine/ops/paraphraser.h"

#include <type_traits>

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/ops/cast.h"
#include "kernels/error.h"

namespace gf {
namespace {

// The family has no body for the CPU.
template <class Call>
void on_tensor_cores(const Device& device, const Call& call) {
  on(device, [&](const auto& d) {
    if constexpr (std::is_same_v<std::decay_t<decltype(d)>, Cpu>)
      fail("the paraphraser's kernels do not run on the CPU", device_name(device), "simt or cuda", "cpu");
    else
      call(d);
  });
}

Tensor half(const Tensor& w) { return weights_as(w, DType::bf16); }

}  // namespace

bool paraphraser_kernels_take(const Tensor& x) {
  return x.dtype() == DType::bf16 && !recording() && !std::holds_alternative<Cpu>(x.device());
}

Tensor paraphraser_layer_inference(const Tensor& x, const Tensor& w, const Tensor& bias, float slope) {
  const OpScope scope("paraphraser_layer_inference");
  const Shape& s = x.shape();
  const Tensor y = Tensor::empty({s.n, s.h, s.w, w.shape().n}, DType::bf16, x.device());
  const Tensor weight = half(w);
  on_tensor_cores(x.device(), [&](const auto& d) {
    paraphraser_layer(d, slope, x.view(), weight.view(), bias.view(), y.mutable_view());
  });
  return y;
}

Tensor paraphraser_narrow_layers_inference(const Tensor& x, const Tensor& w1, const Tensor& bias1, const Tensor& w2,
                                           const Tensor& bias2, float slope) {
  const OpScope scope("paraphraser_narrow_layers_inference");
  const Shape& s = x.shape();
  const Tensor y = Tensor::empty({s.n, s.h, s.w, w2.shape().n}, DType::bf16, x.device());
  const Tensor first = half(w1), second = half(w2);
  on_tensor_cores(x.device(), [&](const auto& d) {
    paraphraser_narrow_layers(d, slope, x.view(), first.view(), bias1.view(), second.view(), bias2.view(),
                              y.mutable_view());
  });
  return y;
}

}  // namespace gf
