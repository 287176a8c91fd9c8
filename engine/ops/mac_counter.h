#pragma once
// Counts the work of the forward passes run on this thread while it is alive, in two ways:
//   count()      multiply-accumulates of convolutions, transposed convolutions and matrix products: what "MACs" means
//                here (no biases, no normalisations, every product once)
//   published()  what the paper's table counts (the convention of its tool, thop): a transposed convolution as if every
//                output position saw the whole kernel (stride^2 times too many), one for every bias added, (area of the
//                window + 1) for every value of an average pooling, and two for every batch-normalised value where the
//                published code used the plain batch norm that the tool knows
#include <cstdint>
#include <map>
#include <vector>

#include "kernels/convolution.h"
#include "kernels/view.h"

namespace gf {

class MacCounter {
 public:
  // One run of a convolution or transposed convolution.
  struct Layer {
    const void* weight = nullptr;  // where its weight lies: which layer it is
    bool transposed = false;
    Shape kernel, in, out;
    ConvolutionShape shape;
    std::int64_t macs = 0, published = 0;
  };

  MacCounter() : previous_(current_) { current_ = this; }
  ~MacCounter() { current_ = previous_; }
  MacCounter(const MacCounter&) = delete;
  MacCounter& operator=(const MacCounter&) = delete;

  std::int64_t count() const { return count_; }
  std::int64_t published(bool batch_norm) const { return published_ + (batch_norm ? 2 * normalised_ : 0); }
  const std::vector<Layer>& layers() const { return layers_; }
  std::int64_t matrix_products() const { return matrix_products_; }  // the part of count() that no layer has

  // The layer that runs with the weight at `made` is that of the weight at `weight`, from which it was made.
  static void stands_for(const void* made, const void* weight) {
    if (current_) current_->made_from_[made] = weight;
  }

  static void convolution(const ConstView& w, const Shape& in, const Shape& out, const ConvolutionShape& p, bool bias) {
    if (!current_) return;
    const std::int64_t macs = out.pixels() * w.shape().count();
    current_->add({current_->weight_of(w.data), false, w.shape(), in, out, p, macs, macs + (bias ? out.count() : 0)});
  }
  static void transposed_convolution(const ConstView& w, const Shape& in, const Shape& out, const ConvolutionShape& p,
                                     bool bias) {
    if (!current_) return;
    current_->add({w.data, true, w.shape(), in, out, p, in.pixels() * w.shape().count(),
                   out.pixels() * w.shape().count() + (bias ? out.count() : 0)});
  }
  static void matrix_product(std::int64_t macs) {
    if (!current_) return;
    current_->count_ += macs;
    current_->published_ += macs;
    current_->matrix_products_ += macs;
  }
  static void batch_norm(const Shape& out) {
    if (current_) current_->normalised_ += out.count();
  }
  static void average(const Shape& in, const Shape& out) {
    if (current_) current_->published_ += ((in.h / out.h) * (in.w / out.w) + 1) * out.count();
  }

 private:
  const void* weight_of(const void* data) const {
    const auto it = made_from_.find(data);
    return it == made_from_.end() ? data : it->second;
  }
  void add(const Layer& layer) {
    count_ += layer.macs;
    published_ += layer.published;
    layers_.push_back(layer);
  }

  std::int64_t count_ = 0, published_ = 0, normalised_ = 0, matrix_products_ = 0;
  std::map<const void*, const void*> made_from_;
  std::vector<Layer> layers_;
  MacCounter* previous_;
  inline static thread_local MacCounter* current_ = nullptr;
};

}  // namespace gf
