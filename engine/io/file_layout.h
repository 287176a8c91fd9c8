#pragma once
// Between the order of our weights in memory and that in files (nn/module.h, FileLayout).
#include <cstdint>
#include <span>
#include <vector>

#include "engine/nn/module.h"

namespace gf {

// The shape a tensor of ours has in a file.
std::vector<std::int64_t> file_shape(const Shape& shape, FileLayout layout);

// Whether a tensor of this shape in a file is one of ours of that shape: file_shape() of it, or a cut that the layout
// allows.
bool fits_layout(const std::vector<std::int64_t>& file, const Shape& shape, FileLayout layout);

// `file` holds the tensor's elements in the file's order.
void to_file_order(const Tensor& tensor, FileLayout layout, std::span<float> file);
void from_file_order(std::span<const float> file, FileLayout layout, const Tensor& tensor);

}  // namespace gf
