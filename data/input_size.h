#pragma once
// How large an input of `graphflow predict` is, before a pixel of it is in memory.
#include <string>
#include <vector>

#include "data/preprocess.h"

namespace gf {

struct InputSize {
  std::int64_t slices = 1;  // 1 of a picture
  Extent extent;            // of a slice or picture as stored
  bool operator==(const InputSize&) const = default;
};

// Of a file, or of the first of those of the channels. Errors (bad_data): whatever the readers say of it.
InputSize input_size(const std::vector<std::string>& files, const Preprocessing& preprocessing);

}  // namespace gf
