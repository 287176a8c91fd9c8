// Cross entropy (losses.h).
#include <cmath>

#include "kernels/cpu/chunked_sum.h"
#include "kernels/cpu/softmax_block.h"
#include "kernels/loss_checks.h"

namespace gf {
namespace {

double weight_of(const float* weights, std::int64_t y) {
  return weights == nullptr ? 1.0 : static_cast<double>(weights[y]);
}

}  // namespace

void cross_entropy_forward(const Cpu& cpu, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                           View loss, View bad_labels) {
  const char* kernel = "cross_entropy_forward";
  require_view(kernel, "z", z);
  require_cross_entropy(kernel, z, label, class_weights);
  require_scalar(kernel, "loss", loss);
  require_bad_labels(kernel, bad_labels);
  const float *pz = data_as<float>(z), *pw = data_as<float>(class_weights);
  const std::int32_t* pl = data_as<std::int32_t>(label);
  enum { kLoss, kWeight, kBad, kWidth };
  const double* sums = cpu::chunked_sum(
      cpu, kernel, z.pixels(), cpu::loss_grain(z.c), kWidth, [&](std::int64_t begin, std::int64_t end, double* sum) {
        cpu::SoftmaxBlock block(z.c);
        std::int64_t classes[cpu::SoftmaxBlock::kPixels];
        const auto finish_block = [&] {
          block.exponentiate(1.0f);
          for (std::int64_t q = 0; q < block.count(); ++q) {
            const double w = weight_of(pw, classes[q]);
            const float log_sum = std::log(static_cast<float>(block.sum(q)));
            sum[kLoss] += w * (static_cast<double>(log_sum) - static_cast<double>(block.shifted(classes[q])[q]));
            sum[kWeight] += w;
          }
          block.clear();
        };
        for (std::int64_t p = begin; p < end; ++p) {
          const std::int32_t id = pl[p * label.pixel_stride];
          sum[kBad] += is_bad(id, ignore_index, z.c) ? 1.0 : 0.0;
          const std::int64_t y = counted_class(id, ignore_index, z.c);
          if (y < 0) continue;
          classes[block.count()] = y;
          block.add(pz + p * z.pixel_stride);
          if (block.full()) finish_block();
        }
        finish_block();
      });
  *data_as<float>(loss) = sums[kWeight] == 0.0 ? 0.0f : static_cast<float>(sums[kLoss] / sums[kWeight]);
  if (bad_labels.data != nullptr) *data_as<std::int32_t>(bad_labels) = static_cast<std::int32_t>(sums[kBad]);
}

// dz = upstream * w[y] / sum w * (softmax(z) - onehot(y)), 0 where the pixel is ignored
void cross_entropy_backward(const Cpu& cpu, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                            ConstView upstream, View dz) {
  const char* kernel = "cross_entropy_backward";
  require_view(kernel, "z", z);
  require_cross_entropy(kernel, z, label, class_weights);
  require_gradient(kernel, "z", z, "dz", dz, upstream);
  const float *pz = data_as<float>(z), *pw = data_as<float>(class_weights);
  const std::int32_t* pl = data_as<std::int32_t>(label);
  float* pdz = data_as<float>(dz);
  const double weight =
      *cpu::chunked_sum(cpu, kernel, z.pixels(), 32768, 1, [&](std::int64_t begin, std::int64_t end, double* sum) {
        for (std::int64_t p = begin; p < end; ++p) {
          const std::int64_t y = counted_class(pl[p * label.pixel_stride], ignore_index, z.c);
          if (y >= 0) *sum += weight_of(pw, y);
        }
      });
  const double scale = weight == 0.0 ? 0.0 : static_cast<double>(*data_as<float>(upstream)) / weight;
  parallel_for(z.pixels(), cpu::loss_grain(z.c), [&](std::int64_t begin, std::int64_t end) {
    cpu::SoftmaxBlock block(z.c);
    std::int64_t classes[cpu::SoftmaxBlock::kPixels];
    float* target[cpu::SoftmaxBlock::kPixels];
    const auto finish_block = [&] {
      block.exponentiate(1.0f);
      block.normalise();
      for (std::int64_t q = 0; q < block.count(); ++q) {
        const float factor = static_cast<float>(scale * weight_of(pw, classes[q]));
        for (std::int64_t i = 0; i < z.c; ++i) target[q][i] = factor * block.exponential(i)[q];
        target[q][classes[q]] -= factor;
      }
      block.clear();
    };
    for (std::int64_t p = begin; p < end; ++p) {
      float* to = pdz + p * dz.pixel_stride;
      const std::int64_t y = counted_class(pl[p * label.pixel_stride], ignore_index, z.c);
      if (y < 0) {
        std::fill_n(to, z.c, 0.0f);
        continue;
      }
      classes[block.count()] = y;
      target[block.count()] = to;
      block.add(pz + p * z.pixel_stride);
      if (block.full()) finish_block();
    }
    finish_block();
  });
}

}  // namespace gf
