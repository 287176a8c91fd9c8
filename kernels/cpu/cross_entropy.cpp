// Cross entropy (losses.h).
#include "kernels/cpu/chunked_sum.h"
#include "kernels/cpu/loss_checks.h"
#include "kernels/cpu/softmax_row.h"
#include "kernels/losses.h"

namespace gf {
namespace {

void require_cross_entropy(const char* kernel, ConstView z, ConstView label, ConstView class_weights) {
  cpu::require_logits(kernel, "z", z);
  cpu::require_labels(kernel, label, z);
  if (class_weights.data != nullptr) require_vector(kernel, "class_weights", class_weights, z.c);
}

double weight_of(const float* weights, std::int64_t y) {
  return weights == nullptr ? 1.0 : static_cast<double>(weights[y]);
}

}  // namespace

void cross_entropy_forward(const Cpu& cpu, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                           View loss, std::int64_t* bad_labels) {
  const char* kernel = "cross_entropy_forward";
  require_cross_entropy(kernel, z, label, class_weights);
  require_scalar(kernel, "loss", loss);
  const float *pz = data_as<float>(z), *pw = data_as<float>(class_weights);
  const std::int32_t* pl = data_as<std::int32_t>(label);
  enum { kLoss, kWeight, kBad, kWidth };
  const double* sums = cpu::chunked_sum(
      cpu, kernel, z.pixels(), cpu::loss_grain(z.c), kWidth, [&](std::int64_t begin, std::int64_t end, double* sum) {
        for (std::int64_t p = begin; p < end; ++p) {
          const std::int32_t id = pl[p * label.pixel_stride];
          sum[kBad] += cpu::is_bad(id, ignore_index, z.c) ? 1.0 : 0.0;
          const std::int64_t y = cpu::counted_class(id, ignore_index, z.c);
          if (y < 0) continue;
          const float* row = pz + p * z.pixel_stride;
          const float top = cpu::largest(row, z.c);
          const float total = cpu::exp_sum_row(row, z.c, top);
          const double w = weight_of(pw, y);
          sum[kLoss] += w * (static_cast<double>(std::log(total)) - static_cast<double>(row[y] - top));
          sum[kWeight] += w;
        }
      });
  *data_as<float>(loss) = sums[kWeight] == 0.0 ? 0.0f : static_cast<float>(sums[kLoss] / sums[kWeight]);
  if (bad_labels != nullptr) *bad_labels = static_cast<std::int64_t>(sums[kBad]);
}

// dz = upstream * w[y] / sum w * (softmax(z) - onehot(y)), 0 where the pixel is ignored
void cross_entropy_backward(const Cpu& cpu, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                            ConstView upstream, View dz) {
  const char* kernel = "cross_entropy_backward";
  require_cross_entropy(kernel, z, label, class_weights);
  require_scalar(kernel, "upstream", upstream);
  require_view(kernel, "dz", dz);
  require_same_shape(kernel, "z", z, "dz", dz);
  const float *pz = data_as<float>(z), *pw = data_as<float>(class_weights);
  const std::int32_t* pl = data_as<std::int32_t>(label);
  float* pdz = data_as<float>(dz);
  const double weight =
      *cpu::chunked_sum(cpu, kernel, z.pixels(), 32768, 1, [&](std::int64_t begin, std::int64_t end, double* sum) {
        for (std::int64_t p = begin; p < end; ++p) {
          const std::int64_t y = cpu::counted_class(pl[p * label.pixel_stride], ignore_index, z.c);
          if (y >= 0) *sum += weight_of(pw, y);
        }
      });
  const double scale = weight == 0.0 ? 0.0 : static_cast<double>(*data_as<float>(upstream)) / weight;
  parallel_for(z.pixels(), cpu::loss_grain(z.c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      float* to = pdz + p * dz.pixel_stride;
      const std::int64_t y = cpu::counted_class(pl[p * label.pixel_stride], ignore_index, z.c);
      if (y < 0) {
        std::fill_n(to, z.c, 0.0f);
        continue;
      }
      const float* row = pz + p * z.pixel_stride;
      const float total = cpu::exp_row(row, z.c, 1.0f, cpu::largest(row, z.c), to);
      const float factor = static_cast<float>(scale * weight_of(pw, y)), share = factor / total;
      for (std::int64_t i = 0; i < z.c; ++i) to[i] *= share;
      to[y] -= factor;
    }
  });
}

}  // namespace gf
