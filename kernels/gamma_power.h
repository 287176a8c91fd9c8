#pragma once
// t^gamma for t in [0, 1], gamma > 0, as augmentation raises levels: on the host, under the executor too, by functions
// that loops are vectorised over (kernels/cpu/exp.h; 3e-6 off at most), on a GPU by its own.
#include <limits>

#include "kernels/cpu/exp.h"
#include "kernels/host_device.h"

namespace gf {

GF_HOST_DEVICE inline float gamma_power(float t, float gamma) {
#ifdef __CUDA_ARCH__
  return powf(t, gamma);
#else
  return t >= std::numeric_limits<float>::min() ? cpu::exp_f32(gamma * cpu::log_f32(t)) : 0.0f;
#endif
}

}  // namespace gf
