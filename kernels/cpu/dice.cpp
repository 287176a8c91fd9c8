// Soft Dice loss (losses.h).
#include "kernels/cpu/chunked_sum.h"
#include "kernels/cpu/softmax_block.h"
#include "kernels/loss_checks.h"

namespace gf {

void dice_loss_forward(const Cpu& cpu, int ignore_index, float smooth, ConstView z, ConstView label, View loss,
                       View sums, View bad_labels) {
  const char* kernel = "dice_loss_forward";
  require_view(kernel, "z", z);
  require_dice(kernel, z, label, sums);
  require_scalar(kernel, "loss", loss);
  require_bad_labels(kernel, bad_labels);
  const std::int64_t c = z.c;
  const float* pz = data_as<float>(z);
  const std::int32_t* pl = data_as<std::int32_t>(label);
  // Per class: intersection, sum p^2, sum t^2; then the bad labels.
  const double* total = cpu::chunked_sum(cpu, kernel, z.pixels(), cpu::loss_grain(c), 3 * c + 1,
                                         [&](std::int64_t begin, std::int64_t end, double* sum) {
                                           cpu::SoftmaxBlock block(c);
                                           std::int64_t classes[cpu::SoftmaxBlock::kPixels];
                                           const auto finish_block = [&] {
                                             block.exponentiate(1.0f);
                                             block.normalise();
                                             for (std::int64_t i = 0; i < c; ++i) {
                                               const float* p = block.exponential(i);
                                               double squares = 0.0;
#pragma omp simd reduction(+ : squares)
                                               for (std::int64_t k = 0; k < block.count(); ++k)
                                                 squares += static_cast<double>(p[k]) * static_cast<double>(p[k]);
                                               sum[c + i] += squares;
                                             }
                                             for (std::int64_t k = 0; k < block.count(); ++k) {
                                               sum[classes[k]] += static_cast<double>(block.exponential(classes[k])[k]);
                                               sum[2 * c + classes[k]] += 1.0;
                                             }
                                             block.clear();
                                           };
                                           for (std::int64_t q = begin; q < end; ++q) {
                                             const std::int32_t id = pl[q * label.pixel_stride];
                                             sum[3 * c] += is_bad(id, ignore_index, c) ? 1.0 : 0.0;
                                             const std::int64_t y = counted_class(id, ignore_index, c);
                                             if (y < 0) continue;
                                             classes[block.count()] = y;
                                             block.add(pz + q * z.pixel_stride);
                                             if (block.full()) finish_block();
                                           }
                                           finish_block();
                                         });
  double dice = 0.0;
  for (std::int64_t i = 0; i < c; ++i) dice += (2.0 * total[i] + smooth) / (total[c + i] + total[2 * c + i] + smooth);
  *data_as<float>(loss) = static_cast<float>(1.0 - dice / static_cast<double>(c));
  for (std::int64_t i = 0; i < 3 * c; ++i) data_as<float>(sums)[i] = static_cast<float>(total[i]);
  if (bad_labels.data != nullptr) *data_as<std::int32_t>(bad_labels) = static_cast<std::int32_t>(total[3 * c]);
}

// With I, P, T the three sums of a class, D = P + T + smooth, N = 2 I + smooth:
//   dL/dp = -(2 t / D - 2 p N / D^2) / C,   dz = upstream * p (dL/dp - sum_c p dL/dp)
void dice_loss_backward(const Cpu&, int ignore_index, float smooth, ConstView z, ConstView label, ConstView sums,
                        ConstView upstream, View dz) {
  const char* kernel = "dice_loss_backward";
  require_view(kernel, "z", z);
  require_dice(kernel, z, label, sums);
  require_gradient(kernel, "z", z, "dz", dz, upstream);
  const std::int64_t c = z.c;
  const float *pz = data_as<float>(z), *ps = data_as<float>(sums);
  const std::int32_t* pl = data_as<std::int32_t>(label);
  float* pdz = data_as<float>(dz);
  float of_t[kMaxClasses], of_p[kMaxClasses];  // dL/dp = of_t * t + of_p * p
  const double scale = static_cast<double>(*data_as<float>(upstream)) / static_cast<double>(c);
  for (std::int64_t i = 0; i < c; ++i) {
    const double d = static_cast<double>(ps[c + i]) + ps[2 * c + i] + smooth, n = 2.0 * ps[i] + smooth;
    of_t[i] = static_cast<float>(-2.0 * scale / d);
    of_p[i] = static_cast<float>(2.0 * scale * n / (d * d));
  }
  parallel_for(z.pixels(), cpu::loss_grain(c), [&](std::int64_t begin, std::int64_t end) {
    cpu::SoftmaxBlock block(c);
    std::int64_t classes[cpu::SoftmaxBlock::kPixels];
    float *target[cpu::SoftmaxBlock::kPixels], dot[cpu::SoftmaxBlock::kPixels];
    const auto finish_block = [&] {
      block.exponentiate(1.0f);
      block.normalise();
      const std::int64_t count = block.count();
      for (std::int64_t k = 0; k < count; ++k) dot[k] = of_t[classes[k]] * block.exponential(classes[k])[k];
      for (std::int64_t i = 0; i < c; ++i) {
        const float *p = block.exponential(i), slope = of_p[i];
#pragma omp simd
        for (std::int64_t k = 0; k < count; ++k) dot[k] += p[k] * (slope * p[k]);
      }
      for (std::int64_t k = 0; k < count; ++k) {
        for (std::int64_t i = 0; i < c; ++i) {
          const float p = block.exponential(i)[k];
          target[k][i] = p * (of_p[i] * p - dot[k]);
        }
        target[k][classes[k]] += block.exponential(classes[k])[k] * of_t[classes[k]];
      }
      block.clear();
    };
    for (std::int64_t q = begin; q < end; ++q) {
      float* to = pdz + q * dz.pixel_stride;
      const std::int64_t y = counted_class(pl[q * label.pixel_stride], ignore_index, c);
      if (y < 0) {
        std::fill_n(to, c, 0.0f);
        continue;
      }
      classes[block.count()] = y;
      target[block.count()] = to;
      block.add(pz + q * z.pixel_stride);
      if (block.full()) finish_block();
    }
    finish_block();
  });
}

}  // namespace gf
