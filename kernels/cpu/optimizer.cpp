#include "kernels/optimizer.h"

#include "kernels/bf16.h"
#include "kernels/cpu/chunked_sum.h"
#include "kernels/optimizer_step.h"

#include <cmath>

namespace gf {
namespace {

constexpr std::int64_t kGrain = 65536;  // elements per parallel piece

// update(i) for every element; a piece's shadow follows while its parameters are in the cache.
template <class Update>
void for_each_element(const View& parameter, const View& shadow, const Update& update) {
  const float* p = data_as<float>(parameter);
  bf16* rounded = data_as<bf16>(shadow);
  parallel_for(parameter.count(), kGrain, [=](std::int64_t begin, std::int64_t end) {
    const Update local = update;  // its numbers stay in registers: no store can change them
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) local(i);
    if (rounded == nullptr) return;
    for (std::int64_t i = begin; i < end; ++i) rounded[i] = to_bf16(p[i]);
  });
}

double squares(const float* x, std::int64_t count) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

double sum_of_squares(const Cpu& cpu, const char* kernel, const ConstView& x) {
  require_view(kernel, "x", x);
  require_dense(kernel, "x", x);
  const float* px = data_as<float>(x);
  return *cpu::chunked_sum(cpu, kernel, x.count(), kGrain, 1, [px](std::int64_t begin, std::int64_t end, double* sum) {
    *sum = squares(px + begin, end - begin);
  });
}

}  // namespace

void sgd_step(const Cpu&, const SgdShape& s, ConstView gradient, View parameter, View momentum_buffer,
              const StepScalars& scalars, View shadow) {
  optim::require_sgd(s, gradient, parameter, momentum_buffer, scalars, shadow);
  const optim::SgdFactors f(s, optim::ScalarPointers(scalars));
  if (f.skip) return;
  const float* g = data_as<float>(gradient);
  float *p = data_as<float>(parameter), *buffer = data_as<float>(momentum_buffer);
  if (s.momentum == 0.0) return for_each_element(parameter, shadow, [=](std::int64_t i) { f.plain(g[i], p[i]); });
  for_each_element(parameter, shadow, [=](std::int64_t i) { f.with_momentum(g[i], p[i], buffer[i]); });
}

void adam_step(const Cpu&, const AdamShape& s, ConstView gradient, View parameter, View first_moment,
               View second_moment, const StepScalars& scalars, View shadow) {
  optim::require_adam(s, gradient, parameter, first_moment, second_moment, scalars, shadow);
  const optim::AdamFactors f(s, optim::ScalarPointers(scalars));
  if (f.skip) return;
  const float* g = data_as<float>(gradient);
  float *p = data_as<float>(parameter), *m = data_as<float>(first_moment), *v = data_as<float>(second_moment);
  for_each_element(parameter, shadow, [=](std::int64_t i) { f.update(g[i], p[i], m[i], v[i]); });
}

void advance_step(const Cpu&, View step) {
  optim::require_step("advance_step", step);
  ++*data_as<std::int32_t>(step);
}

void ema_step(const Cpu&, float decay, ConstView parameter, View average, ConstView on_device) {
  optim::require_ema(parameter, average, on_device);
  if (on_device.data != nullptr) decay = *data_as<float>(on_device);
  const float* p = data_as<float>(parameter);
  float* a = data_as<float>(average);
  for_each_element(average, {}, [=](std::int64_t i) { a[i] = optim::averaged(decay, p[i], a[i]); });
}

double sum_of_squares(const Cpu& cpu, ConstView x) { return sum_of_squares(cpu, "sum_of_squares", x); }

void gradient_norm(const Cpu& cpu, ConstView x, View norm) {
  require_scalar("gradient_norm", "norm", norm);
  *data_as<float>(norm) = static_cast<float>(std::sqrt(sum_of_squares(cpu, "gradient_norm", x)));
}

}  // namespace gf
