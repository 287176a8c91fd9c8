// Mean squared error (losses.h).
#include "kernels/cpu/chunked_sum.h"
#include "kernels/cpu/loop_nest.h"
#include "kernels/loss_checks.h"

namespace gf {
namespace {

double squared_distance(const float* a, const float* b, std::int64_t count) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(a[i] - b[i]);
    sum += d * d;
  }
  return sum;
}

}  // namespace

void mse_forward(const Cpu& cpu, ConstView a, ConstView b, View loss) {
  const char* kernel = "mse_forward";
  require_view(kernel, "a", a);
  require_mse(kernel, a, b);
  require_scalar(kernel, "loss", loss);
  const float *pa = data_as<float>(a), *pb = data_as<float>(b);
  const bool flat = a.dense() && b.dense();
  const std::int64_t length = flat ? 1 : a.c, count = flat ? a.count() : a.pixels();
  const double total =
      *cpu::chunked_sum(cpu, kernel, count, cpu::kElementGrain / std::max<std::int64_t>(length, 1), 1,
                        [&](std::int64_t begin, std::int64_t end, double* sum) {
                          if (flat) {
                            *sum = squared_distance(pa + begin, pb + begin, end - begin);
                            return;
                          }
                          for (std::int64_t p = begin; p < end; ++p)
                            *sum += squared_distance(pa + p * a.pixel_stride, pb + p * b.pixel_stride, a.c);
                        });
  *data_as<float>(loss) = static_cast<float>(total / static_cast<double>(std::max<std::int64_t>(1, a.count())));
}

void mse_backward(const Cpu&, ConstView a, ConstView b, ConstView upstream, View da) {
  const char* kernel = "mse_backward";
  require_view(kernel, "a", a);
  require_mse(kernel, a, b);
  require_gradient(kernel, "a", a, "da", da, upstream);
  if (a.count() == 0) return;
  const float *pa = data_as<float>(a), *pb = data_as<float>(b);
  float* pd = data_as<float>(da);
  const float factor =
      static_cast<float>(2.0 * static_cast<double>(*data_as<float>(upstream)) / static_cast<double>(a.count()));
  using Nest = cpu::LoopNest<3>;
  Nest(da.shape(), {da, a, b})
      .run([&](const Nest::Offsets& at, std::int64_t rows, const Nest::Offsets& step, std::int64_t length) {
        for (std::int64_t r = 0; r < rows; ++r) {
          const float *ra = pa + at[1] + r * step[1], *rb = pb + at[2] + r * step[2];
          float* to = pd + at[0] + r * step[0];
#pragma omp simd
          for (std::int64_t i = 0; i < length; ++i) to[i] = factor * (ra[i] - rb[i]);
        }
      });
}

}  // namespace gf
