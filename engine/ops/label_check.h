#pragma once
// Labels out of range. The losses count them on the device; reading the count is a wait for the device, so a training
// loop may put it off.
#include <vector>

#include "engine/tensor.h"

namespace gf {

// `count` (i32 scalar, on the device) labels outside [0, classes).
struct LabelCount {
  Tensor count;
  Shape label;
  std::int64_t classes = 0;
};

// Throws ErrorKind::bad_data where bad > 0.
void refuse_bad_labels(std::int32_t bad, const Shape& label, std::int64_t classes);

// What a loss does with its count: reads it and throws, or hands it to the LabelCounts of this thread.
void check_labels(const LabelCount& count);

// While alive, collects the counts instead.
class LabelCounts {
 public:
  LabelCounts();
  ~LabelCounts();
  LabelCounts(const LabelCounts&) = delete;
  LabelCounts& operator=(const LabelCounts&) = delete;

  const std::vector<LabelCount>& list() const { return list_; }

 private:
  friend void check_labels(const LabelCount&);
  std::vector<LabelCount> list_;
  LabelCounts* previous_;
};

}  // namespace gf
