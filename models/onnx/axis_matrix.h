#pragma once
// What adaptive pooling and resize do to one axis, as a matrix of (out, in), row by row. Both are linear and treat
// height and width apart, so of a map X they are  A_h X A_w^T.
#include <cstdint>
#include <vector>

#include "kernels/resize.h"

namespace gf::onnx_export {

std::vector<float> pooling_matrix(std::int64_t in, std::int64_t out);                  // kernels/pooling.h
std::vector<float> resize_matrix(ResizeMode mode, std::int64_t in, std::int64_t out);  // kernels/resize.h

// (rows, columns) -> (columns, rows)
std::vector<float> transposed(const std::vector<float>& matrix, std::int64_t rows, std::int64_t columns);

}  // namespace gf::onnx_export
