#pragma once
// What the layouts of one foreground class in masks of 0 and 1, or 0 and 255, begin with.
#include <string>

#include "data/dataset.h"

namespace gf {

// At source.root, which must be a folder, with the class names and the label map that were asked for, else those.
Dataset one_class_dataset(const DatasetSource& source, const Preprocessing& preprocessing,
                          const std::string& foreground);

}  // namespace gf
