#pragma once
// Connected components of a set of classes in a class map: objects of a picture or a volume. Memory follows the outline
// of the objects, not the size of the map: a component is a list of runs, each a stretch of one row.
#include <cstdint>
#include <vector>

#include "data/picture.h"

namespace gf {

// What counts as touching: pixels or voxels that share a face (4 neighbours in a picture, 6 in a volume), or also an
// edge or a corner (8, 26). SciPy's generate_binary_structure(ndim, 1) and (ndim, ndim).
enum class Touching { faces, corners };

struct Components {
  struct Run {
    std::int64_t slice, row;
    std::int64_t begin, end;  // columns, end is one past
    std::int32_t component;   // counted from 0 in the order of first pixels, slice by slice, row by row
  };
  std::vector<Run> runs;             // in that order too
  std::vector<std::int64_t> voxels;  // of each component

  std::size_t count() const { return voxels.size(); }
  std::size_t largest() const;  // the first of the largest; only where there is one
};

// `slices` are maps of one size that lie on each other; a single one is a picture. Pixels whose value v has members[v]
// true belong; values beyond the list do not.
Components connected_components(const std::vector<Mask>& slices, const std::vector<bool>& members, Touching touching);

}  // namespace gf
