#include "kernels/optimizer.h"

#include "kernels/check.h"
#include "kernels/cpu/chunked_sum.h"

#include <cmath>

namespace gf {
namespace {

constexpr std::int64_t kGrain = 65536;  // elements per parallel piece

void require_flat(const char* kernel, const char* name, const ConstView& v, const ConstView& gradient) {
  require_view(kernel, name, v);
  require_dense(kernel, name, v);
  require_same_shape(kernel, name, v, "gradient", gradient);
}

double squares(const float* x, std::int64_t count) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

}  // namespace

// g = gradient + weight_decay * p;   buffer = first ? g : momentum * buffer + g
// p -= lr * (nesterov ? g + momentum * buffer : buffer);  without momentum p -= lr * g
void sgd_step(const Cpu&, const SgdShape& s, ConstView gradient, View parameter, View momentum_buffer) {
  const char* kernel = "sgd_step";
  require_flat(kernel, "gradient", gradient, gradient);
  require_flat(kernel, "parameter", parameter, gradient);
  const float lr = static_cast<float>(s.lr), momentum = static_cast<float>(s.momentum);
  const float decay = static_cast<float>(s.weight_decay);
  const float* g = data_as<float>(gradient);
  float* p = data_as<float>(parameter);
  if (s.momentum == 0.0) {
    parallel_for(gradient.count(), kGrain, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) p[i] -= lr * (g[i] + decay * p[i]);
    });
    return;
  }
  require_flat(kernel, "momentum_buffer", momentum_buffer, gradient);
  float* buffer = data_as<float>(momentum_buffer);
  const bool first = s.first_step, nesterov = s.nesterov;
  parallel_for(gradient.count(), kGrain, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      const float step = g[i] + decay * p[i];
      const float m = first ? step : momentum * buffer[i] + step;
      buffer[i] = m;
      p[i] -= lr * (nesterov ? step + momentum * m : m);
    }
  });
}

// m += (1 - beta1) (g - m);   v = beta2 v + (1 - beta2) g^2
// p -= lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + eps)
void adam_step(const Cpu&, const AdamShape& s, ConstView gradient, View parameter, View first_moment,
               View second_moment) {
  const char* kernel = "adam_step";
  require_flat(kernel, "gradient", gradient, gradient);
  require_flat(kernel, "parameter", parameter, gradient);
  require_flat(kernel, "first_moment", first_moment, gradient);
  require_flat(kernel, "second_moment", second_moment, gradient);
  if (s.step < 1) fail("adam_step: step", describe("parameter", parameter), "a count from 1", std::to_string(s.step));
  // Scalars are worked out in double, as in PyTorch: 1 - 0.999 in float32 is off by 1e-5 of itself.
  const double correction1 = 1.0 - std::pow(s.beta1, static_cast<double>(s.step));
  const double correction2 = 1.0 - std::pow(s.beta2, static_cast<double>(s.step));
  const float step_size = static_cast<float>(s.lr / correction1), root2 = static_cast<float>(std::sqrt(correction2));
  const float blend1 = static_cast<float>(1.0 - s.beta1), beta2 = static_cast<float>(s.beta2);
  const float blend2 = static_cast<float>(1.0 - s.beta2), eps = static_cast<float>(s.eps);
  const float decay = s.decoupled ? 0.0f : static_cast<float>(s.weight_decay);
  const float shrink = s.decoupled ? static_cast<float>(1.0 - s.lr * s.weight_decay) : 1.0f;
  const float* gr = data_as<float>(gradient);
  float *p = data_as<float>(parameter), *m = data_as<float>(first_moment), *v = data_as<float>(second_moment);
  parallel_for(gradient.count(), kGrain, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      const float old = p[i] * shrink, g = gr[i] + decay * old;
      const float mi = m[i] + blend1 * (g - m[i]);
      const float vi = beta2 * v[i] + blend2 * (g * g);
      m[i] = mi;
      v[i] = vi;
      p[i] = old - step_size * (mi / (std::sqrt(vi) / root2 + eps));
    }
  });
}

double sum_of_squares(const Cpu& cpu, ConstView x) {
  require_view("sum_of_squares", "x", x);
  require_dense("sum_of_squares", "x", x);
  const float* px = data_as<float>(x);
  return *cpu::chunked_sum(
      cpu, "sum_of_squares", x.count(), kGrain, 1,
      [px](std::int64_t begin, std::int64_t end, double* sum) { *sum = squares(px + begin, end - begin); });
}

}  // namespace gf
