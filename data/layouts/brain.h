#pragma once
// Layout brain: one T1 head (ch2, 181x217x181, 1 mm) with the 116 AAL regions, from Debian's package mricron-data.
//
// Nine classes: background, and the hundreds of the region's code: code / 1000 - 1 (2xxx frontal, 3xxx insula, ...).
// One person, so the halves of the brain are train and test, by sagittal slice i:
//   train 17..85 (left) without the validation blocks and the slice on either side of each;
//   validation 28..32, 48..52, 68..72;  test 95..162 (right).
#include "data/dataset.h"
#include "data/metrics/confusion.h"

namespace gf {

// What copying the labels of slice 181 - i scores on the test slices, pooled: a strong rival of any network here,
// because both halves belong to the same person.
ConfusionMatrix brain_mirror_reference(const Dataset& brain);

}  // namespace gf
