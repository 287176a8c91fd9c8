#pragma once
// How [eval] has cases scored: by which protocol, and in whose millimetres.
#include <array>
#include <optional>

#include "apps/config.h"
#include "data/dataset.h"
#include "data/metrics/protocol.h"

namespace gf {

struct Scoring {
  Protocol protocol;
  std::optional<std::array<double, 3>> spacing;  // (slices, height, width) in mm; nothing: as the files say
};

// What holds the masks. NIfTI volumes know their voxels' size, pictures never do, slices as arrays (.npz, .h5) where
// graphflow convert wrote them.
enum class MaskSource { volumes, pictures, arrays };

// Usage errors, so that a mistake shows before anything is trained or scored: a number of tolerances that fits no class
// list; millimetres of pictures without eval.spacing; eval.spacing with another number of values, or where the files
// say it themselves.
Scoring configured_scoring(const EvalConfig& eval, MaskSource source, int classes);
Scoring configured_scoring(const EvalConfig& eval, const Dataset& dataset);

}  // namespace gf
