#pragma once
// Softmax of many pixels at once, for few classes. A pixel's two to twenty logits are too short a row to vectorise, so
// pixels are collected and turned over: the block holds one row of pixels per class, and every loop runs along pixels.
#include <algorithm>

#include "kernels/cpu/exp.h"
#include "kernels/losses.h"

namespace gf::cpu {

// Pixels a parallel piece takes.
inline std::int64_t loss_grain(std::int64_t classes) { return std::max<std::int64_t>(1, 8192 / classes); }

class SoftmaxBlock {
 public:
  static constexpr std::int64_t kPixels = 64;

  explicit SoftmaxBlock(std::int64_t classes)
      : classes_(classes), width_(std::min(kPixels, kValues / classes / 8 * 8)) {}

  std::int64_t count() const { return count_; }
  bool full() const { return count_ == width_; }
  void clear() { count_ = 0; }

  // Adds a pixel's logits.
  void add(const float* logits) {
    for (std::int64_t i = 0; i < classes_; ++i) logit_[i * width_ + count_] = logits[i];
    ++count_;
  }

  // Takes the largest logit off every pixel, multiplies by scale, and fills exponentials and their sums.
  void exponentiate(float scale) {
    const std::int64_t count = count_;
    std::copy_n(logit_, count, top_);
    for (std::int64_t i = 1; i < classes_; ++i) {
      const float* x = logit_ + i * width_;
#pragma omp simd
      for (std::int64_t q = 0; q < count; ++q) top_[q] = x[q] > top_[q] ? x[q] : top_[q];
    }
    std::fill_n(sum_, count, 0.0);
    for (std::int64_t i = 0; i < classes_; ++i) {
      float *x = logit_ + i * width_, *e = exponential_ + i * width_;
#pragma omp simd
      for (std::int64_t q = 0; q < count; ++q) {
        x[q] = (x[q] - top_[q]) * scale;
        e[q] = exp_f32(x[q]);
        sum_[q] += static_cast<double>(e[q]);
      }
    }
  }

  // Turns the exponentials into probabilities.
  void normalise() {
    const std::int64_t count = count_;
    float inverse[kPixels];
#pragma omp simd
    for (std::int64_t q = 0; q < count; ++q) inverse[q] = static_cast<float>(1.0 / sum_[q]);
    for (std::int64_t i = 0; i < classes_; ++i) {
      float* e = exponential_ + i * width_;
#pragma omp simd
      for (std::int64_t q = 0; q < count; ++q) e[q] *= inverse[q];
    }
  }

  // After exponentiate: the scaled logits less their largest, exponentials (after normalise: probabilities) by class,
  // count() pixels each; and the sums of exponentials by pixel.
  const float* shifted(std::int64_t i) const { return logit_ + i * width_; }
  const float* exponential(std::int64_t i) const { return exponential_ + i * width_; }
  double sum(std::int64_t q) const { return sum_[q]; }

 private:
  static constexpr std::int64_t kValues = kMaxClasses * 8;  // on the stack

  std::int64_t classes_, width_, count_ = 0;
  float logit_[kValues], exponential_[kValues], top_[kPixels];
  double sum_[kPixels];
};

}  // namespace gf::cpu
