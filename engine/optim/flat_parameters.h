#pragma once
// A module's parameters and gradients as two flat buffers (one optimiser kernel serves the whole model) with a table
// from name to offset. Offsets are multiples of 256 bytes; the padding is zero. In mixed precision there is a third
// buffer, the shadow: the values rounded to bf16, at the same offsets in elements, which the optimiser writes in the
// pass that writes the values. Each parameter's tensor knows its part (Tensor::shadow), so casting it to bf16 costs
// nothing.
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace gf {

class FlatParameters {
 public:
  // Moves the parameters' data into the buffer and points their gradient slots into the gradient buffer.
  explicit FlatParameters(const Module& module, bool with_shadow = false);

  struct Entry {
    std::string name;
    Tensor tensor;
    FileLayout layout;
    std::int64_t offset, count;  // in floats
  };
  const std::vector<Entry>& entries() const { return entries_; }
  const Tensor& values() const { return values_; }        // (1,1,1,size)
  const Tensor& gradients() const { return gradients_; }  // (1,1,1,size)
  const Tensor& shadow() const { return shadow_; }        // (1,1,1,size) bf16, or empty
  std::int64_t size() const { return values_.count(); }

  // Rounds all values anew. For whoever writes them by another way than an optimiser: a checkpoint that was loaded.
  void refresh_shadow() const;

  // Forgets all gradients: the next to arrive is assigned.
  void zero_grad();

  // Maximal ranges [begin, end) of parameters that got a gradient since zero_grad; the others are left alone by a step.
  struct Range {
    std::int64_t begin, end;
  };
  std::vector<Range> ranges_with_gradient() const;

  // Euclidean norm over the ranges above, into a float32 scalar on the parameters' device; nothing is read back.
  void gradient_norm(const Tensor& norm) const;
  double gradient_norm() const;                     // and read
  Tensor slice(const Tensor& flat, Range r) const;  // (1,1,1,end-begin) view of a buffer laid out like this one
  Tensor like() const;                              // a zeroed buffer of the same size, for moments
  // A buffer laid out like this one for a module with the same parameters that is not trained itself, such as their
  // running average: moves its parameters' data there. Throws where their number or a shape differs.
  Tensor hold_twin(const Module& twin) const;

 private:
  std::vector<Entry> entries_;
  Tensor values_, gradients_, shadow_;
};

}  // namespace gf
