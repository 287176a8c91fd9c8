// Optimiser steps on the GPU (contract: kernels/optimizer.h; the formulas, element by element: optimizer_step.h).
//
//   SGD: p -= lr * buffer, buffer = momentum * buffer + g       Adam: p -= lr * m^ / (sqrt(v^) + eps)
//   average = decay * average + (1 - decay) * parameter
//
// Memory traffic an element: gradient and parameter read, parameter written, every state read and written, 4 bytes
// each; 2 more for a bf16 shadow. 12 bytes for SGD, 20 with momentum, 28 for Adam, 12 for the average. The arithmetic
// is hidden behind it. Floor: those bytes over the memory's bandwidth.
//
// One kernel serves all: a thread takes four neighbouring elements, 16 bytes of every buffer and 8 of the shadow, or
// single elements where a buffer does not start at a multiple of 16 bytes. The numbers of the step come from the host,
// or, where some live on the device, from one thread of a kernel before: Adam's powers of beta are worked out once, in
// double, not by every thread.
#include "kernels/optimizer.h"

#include "kernels/cuda/element.h"
#include "kernels/optimizer_step.h"

namespace gf {
namespace {

constexpr int kThreads = 256;

using optim::AdamFactors;
using optim::ScalarPointers;
using optim::SgdFactors;

struct PlainSgd {
  static constexpr int kStates = 0;
  using Factors = SgdFactors;
  __device__ static void update(const Factors& f, float g, float& p, float&, float&) { f.plain(g, p); }
};

struct MomentumSgd {
  static constexpr int kStates = 1;
  using Factors = SgdFactors;
  __device__ static void update(const Factors& f, float g, float& p, float& buffer, float&) {
    f.with_momentum(g, p, buffer);
  }
};

struct Adam {
  static constexpr int kStates = 2;
  using Factors = AdamFactors;
  __device__ static void update(const Factors& f, float g, float& p, float& m, float& v) { f.update(g, p, m, v); }
};

// The average takes the parameter's place, the parameter the gradient's.
struct Average {
  static constexpr int kStates = 0;
  using Factors = float;  // the decay
  __device__ static void update(const Factors& decay, float parameter, float& average, float&, float&) {
    average = optim::averaged(decay, parameter, average);
  }
};

struct Buffers {
  const float* gradient;
  float *parameter, *state0, *state1;
  bf16* shadow;  // null: none
  std::int64_t count;
};

template <class Shape, class Factors>
__global__ void gf_step_factors_kernel(Shape shape, ScalarPointers read, Factors* factors) {
  *factors = Factors(shape, read);
}

// Rounded to bf16; a pack of float32 becomes 8 bytes.
template <int kWidth>
__device__ void store_shadow(bf16* to, const float (&p)[kWidth]) {
  struct alignas(kWidth * sizeof(bf16)) Rounded {
    bf16 e[kWidth];
  };
  Rounded rounded;
  for (int i = 0; i < kWidth; ++i) rounded.e[i] = to_bf16(p[i]);
  *reinterpret_cast<Rounded*>(to) = rounded;
}

// kWidth elements from `at` on.
template <class Rule, int kWidth>
__device__ void update(const typename Rule::Factors& f, const Buffers& b, std::int64_t at) {
  float g[kWidth], p[kWidth], s[kWidth] = {}, t[kWidth] = {};
  load_elements<kWidth>(b.gradient + at, g);
  load_elements<kWidth>(b.parameter + at, p);
  if constexpr (Rule::kStates > 0) load_elements<kWidth>(b.state0 + at, s);
  if constexpr (Rule::kStates > 1) load_elements<kWidth>(b.state1 + at, t);
  for (int i = 0; i < kWidth; ++i) Rule::update(f, g[i], p[i], s[i], t[i]);
  store_elements<kWidth>(b.parameter + at, p);
  if constexpr (Rule::kStates > 0) store_elements<kWidth>(b.state0 + at, s);
  if constexpr (Rule::kStates > 1) store_elements<kWidth>(b.state1 + at, t);
  if (b.shadow != nullptr) store_shadow(b.shadow + at, p);
}

// `read` has the factors where they were worked out on the device.
template <class Rule, int kWidth>
__global__ void gf_optimizer_kernel(typename Rule::Factors given, const typename Rule::Factors* read, Buffers b) {
  const std::int64_t at = (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kWidth;
  if (at >= b.count) return;
  const typename Rule::Factors f = read != nullptr ? *read : given;
  if constexpr (requires { f.skip; })
    if (f.skip) return;
  if (at + kWidth <= b.count) return update<Rule, kWidth>(f, b, at);
  for (std::int64_t i = at; i < b.count; ++i) update<Rule, 1>(f, b, i);
}

__global__ void gf_advance_step_kernel(std::int32_t* step) { ++*step; }

template <class Rule>
void run(const Gpu& gpu, const typename Rule::Factors& given, const typename Rule::Factors* read, const Buffers& b) {
  if (b.count == 0) return;
  bool aligned = true;
  for (const void* p :
       {static_cast<const void*>(b.gradient), static_cast<const void*>(b.parameter), static_cast<const void*>(b.state0),
        static_cast<const void*>(b.state1), static_cast<const void*>(b.shadow)})
    aligned = aligned && reinterpret_cast<std::uintptr_t>(p) % 16 == 0;
  const auto start = [&](auto width) {
    launch_independent(gpu, gf_optimizer_kernel<Rule, width.value>, blocks_for(b.count, kThreads * width.value),
                       kThreads, given, read, b);
  };
  if (aligned) return start(std::integral_constant<int, kPackWidth<float>>{});
  start(std::integral_constant<int, 1>{});
}

// The factors as the host knows them, or worked out by the device where it has some of the scalars.
template <class Rule, class Shape>
void run_step(const Gpu& gpu, const char* kernel, const Shape& shape, const StepScalars& scalars, const Buffers& b) {
  using Factors = typename Rule::Factors;
  const ScalarPointers read(scalars);
  if (!read.given()) return run<Rule>(gpu, Factors(shape, read), nullptr, b);
  Factors* factors = take_workspace<Factors>(gpu, kernel, 1);
  launch_independent(gpu, gf_step_factors_kernel<Shape, Factors>, 1, 1, shape, read, factors);
  run<Rule>(gpu, Factors{}, factors, b);
}

}  // namespace

void sgd_step(const Gpu& gpu, const SgdShape& s, ConstView gradient, View parameter, View momentum_buffer,
              const StepScalars& scalars, View shadow) {
  optim::require_sgd(s, gradient, parameter, momentum_buffer, scalars, shadow);
  Buffers b{data_as<float>(gradient), data_as<float>(parameter), nullptr, nullptr,
            data_as<bf16>(shadow),    gradient.count()};
  if (s.momentum == 0.0) return run_step<PlainSgd>(gpu, "sgd_step", s, scalars, b);
  b.state0 = data_as<float>(momentum_buffer);
  run_step<MomentumSgd>(gpu, "sgd_step", s, scalars, b);
}

void adam_step(const Gpu& gpu, const AdamShape& s, ConstView gradient, View parameter, View first_moment,
               View second_moment, const StepScalars& scalars, View shadow) {
  optim::require_adam(s, gradient, parameter, first_moment, second_moment, scalars, shadow);
  run_step<Adam>(gpu, "adam_step", s, scalars,
                 {data_as<float>(gradient), data_as<float>(parameter), data_as<float>(first_moment),
                  data_as<float>(second_moment), data_as<bf16>(shadow), gradient.count()});
}

void advance_step(const Gpu& gpu, View step) {
  optim::require_step("advance_step", step);
  launch_independent(gpu, gf_advance_step_kernel, 1, 1, data_as<std::int32_t>(step));
}

void ema_step(const Gpu& gpu, float decay, ConstView parameter, View average, ConstView on_device) {
  optim::require_ema(parameter, average, on_device);
  run<Average>(gpu, decay, data_as<float>(on_device),
               {data_as<float>(parameter), data_as<float>(average), nullptr, nullptr, nullptr, average.count()});
}

}  // namespace gf
