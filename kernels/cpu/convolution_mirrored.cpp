#include "kernels/cpu/convolution_parts.h"
#include "kernels/cpu/scratch.h"
#include "kernels/parallel.h"

namespace gf::cpu {
namespace {

using onednn::Operation;

// turned[i][kh][kw][o] = w[o][KH-1-kh][KW-1-kw][i], both dense.
void turn(const View& w, float* turned) {
  const std::int64_t taps = w.h * w.w, in = w.c, out = w.n;
  constexpr std::int64_t kBlock = 16;  // floats in a cache line: each line of w is read once per block
  parallel_for(in, kBlock, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t tap = 0; tap < taps; ++tap)
      for (std::int64_t i = begin; i < end; ++i) {
        const float* from = data_as<float>(w) + (taps - 1 - tap) * in + i;
        float* to = turned + (i * taps + tap) * out;
        for (std::int64_t o = 0; o < out; ++o) to[o] = from[o * taps * in];
      }
  });
}

// The same call seen from the other side; its weights are filled in when it runs.
ConvolutionCall mirror_of(const ConvolutionCall& c) {
  ConvolutionCall m = c;
  m.operation = c.operation == Operation::forward ? Operation::input_grad : Operation::forward;
  m.x = c.y, m.y = c.x;
  m.w = View(nullptr, DType::f32, {c.w.c, c.w.h, c.w.w, c.w.n});
  m.shape.pad_h = c.shape.dilation_h * static_cast<int>(c.w.h - 1) - c.shape.pad_h;
  m.shape.pad_w = c.shape.dilation_w * static_cast<int>(c.w.w - 1) - c.shape.pad_w;
  return m;
}

}  // namespace

MirroredConvolution::MirroredConvolution(const ConvolutionCall& call)
    : call_(call),
      weight_bytes_(Scratch::bytes<float>(call.w.count())),
      direct_(mirror_of(call), onednn::Layout::plain) {}

void MirroredConvolution::run(std::byte* scratch) {
  turn(call_.w, reinterpret_cast<float*>(scratch));
  direct_.use_weights(scratch);
  direct_.run(scratch + weight_bytes_);
}

}  // namespace gf::cpu
