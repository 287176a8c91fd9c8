#include "kernels/cpu/convolution_method.h"

#include <algorithm>

#include "kernels/cpu/convolution_parts.h"
#include "kernels/cpu/scratch.h"

namespace gf::cpu {

using onednn::Operation;

bool supports(Method method, const ConvolutionCall& c) {
  const ConvolutionShape& s = c.shape;
  switch (method) {
    case Method::direct:
    case Method::blocked:
      return true;
    case Method::mirrored:
      // The turned weights' padding must not be negative.
      return c.operation != Operation::weight_grad && s.groups == 1 && s.stride_h == 1 && s.stride_w == 1 &&
             s.pad_h <= s.dilation_h * (c.w.h - 1) && s.pad_w <= s.dilation_w * (c.w.w - 1);
    case Method::gemm:
      return s.groups == 1;
  }
  return false;
}

namespace {

// Times are milliseconds, direct against the method chosen, on two cores of a Xeon with AVX-512 (and the same with
// oneDNN held to AVX2), oneDNN 2.6.3, batch 4, the smallest of many interleaved runs. `x->y @n` is channels and image
// side. Every layer of FANet (width 0.25) and Mobile U-Net was measured; what is not listed here was quickest direct.

Method pointwise_method(const ConvolutionCall& c, bool wide_vectors) {
  // A matrix product takes any row stride; oneDNN's convolution would need a dense copy.
  if (!c.x.dense() || !c.y.dense()) return Method::gemm;
  // No reordering of weights, which at few pixels are most of the data: 960->320 @4 forward .22 against .15, input
  // gradient .18 against .10, weight gradient .14 against .09; 64->384 @8 .041 against .030; 16->8 @1 .002 against
  // .0005. With 1024 pixels the weight gradient is slower (192->32 @16 .033 against .041).
  const std::int64_t pixels = c.y.pixels();
  if (pixels <= (c.operation == Operation::weight_grad ? 256 : 1024)) return Method::gemm;
  // AVX-512: the product runs on newer kernels than the input gradient: 16->16 @128 .164 against .144, 16->32 @64 .069
  // against .055, 16->3 @64 .027 against .014; not with many channels in x: 192->16 @64 .315 against .343.
  if (c.operation == Operation::input_grad && wide_vectors && c.x.c <= 160) return Method::gemm;
  // AVX2: few channels in y fill the product's tiles better: 16->9 @128 .372 against .202, 288->24 @32 .323 against
  // .281; but 16->96 @64 .280 against .358.
  if (c.operation == Operation::weight_grad && !wide_vectors && c.y.c <= 32) return Method::gemm;
  return Method::direct;
}

Method spatial_method(const ConvolutionCall& c, bool wide_vectors) {
  const std::int64_t pixels = c.y.pixels();
  const bool stride_one = supports(Method::mirrored, c);
  // Weights much larger than the image: used where they lie. Transposed 4x4 1280->96 @4: AVX-512 forward (this
  // kernel's input gradient) 1.05 against .73, its input gradient 1.81 against .72; AVX2 2.0, 1.7, 1.8
  // against 1.2, 1.2, 1.1.
  if (c.w.count() >= 4 * (c.x.count() + c.y.count())) return Method::gemm;
  if (c.operation == Operation::forward) {
    // 64->64 3x3 @6 .040 against .036; one column, 3x1 on 32 pixels, .037 against .013.
    if (pixels <= (c.x.w == 1 ? 512 : 128)) return Method::gemm;
    // AVX2: the forward kernel holds 16 output channels badly: 16->16 5x5 @128 4.70 against 3.39, 3x3 1.57 against
    // 1.26, 32->16 3x3 3.15 against 2.64.
    if (!wide_vectors && stride_one && c.y.c <= 16 && c.x.c >= 16 && pixels >= 4096) return Method::mirrored;
  }
  if (c.operation == Operation::input_grad) {
    // 1x3 64->64 on 32 pixels .025 against .012, 3x3 64->64 @3 .021 against .013.
    if (pixels <= 128) return Method::gemm;
    // AVX-512: the forward kernel is the newer one: 64->64 5x5 @32 2.41 against 2.03, 3x3 .91 against .76, 32->32 5x5
    // @64 2.32 against 2.03, 3x3 .81 against .75, 128->128 3x3 @16 .79 against .77; no gain with 16 channels.
    if (wide_vectors && stride_one && std::min(c.x.c, c.y.c) >= 32 && pixels >= 1024) return Method::mirrored;
  }
  // AVX2: on processors with small caches NHWC's power-of-two strides collide: 64->64 3x3 @64, the three kernels
  // together, 47 against 31 on two cores of an older machine; here the reorders cost up to 9 % more than they gain.
  if (!wide_vectors && std::min(c.x.c, c.y.c) >= 64 && c.x.c % 8 == 0 && c.y.c % 8 == 0) return Method::blocked;
  return Method::direct;
}

template <class Part>
void run_part(const Cpu& cpu, Part part) {
  Scratch scratch(cpu, "convolution", part.bytes());
  part.run(scratch.take<std::byte>(static_cast<std::int64_t>(part.bytes())));
}

}  // namespace

Method choose(const ConvolutionCall& c) {
  // Depthwise and grouped: oneDNN's NHWC kernels stay near the speed of copying (192 channels @64 .54, copy .42), and
  // own loops over channels were slower but for one weight gradient.
  if (c.shape.groups > 1) return Method::direct;
  return c.pointwise() ? pointwise_method(c, onednn::wide_vectors()) : spatial_method(c, onednn::wide_vectors());
}

void run(const Cpu& cpu, const ConvolutionCall& c, Method method) {
  switch (method) {
    case Method::direct:
      return run_part(cpu, DirectConvolution(c, onednn::Layout::plain));
    case Method::blocked:
      return run_part(cpu, DirectConvolution(c, onednn::Layout::blocked));
    case Method::mirrored:
      return run_part(cpu, MirroredConvolution(c));
    case Method::gemm:
      return run_part(cpu, GemmConvolution(c));
  }
}

}  // namespace gf::cpu
