#pragma once
// What the losses with labels do about labels that are neither a class nor the one to ignore: their kernels count them.
#include "engine/tensor.h"
#include "kernels/error.h"

namespace gf {

// Throws ErrorKind::bad_data where the count (1,1,1,1) i32 is not 0. Waits for the device.
inline void refuse_bad_labels(const Tensor& bad_labels, const Tensor& logits, const Tensor& label) {
  const std::int32_t bad = *bad_labels.to(cpu_device()).data<std::int32_t>();
  if (bad == 0) return;
  bad_data("labels out of range", "label tensor " + label.shape().str(), "0.." + std::to_string(logits.shape().c - 1),
           std::to_string(bad) + " pixels outside", "set data.label_map, data.ignore_index or model.num_classes");
}

}  // namespace gf
