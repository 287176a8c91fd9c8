#include "models/onnx/axis_matrix.h"

#include "kernels/resize_axis.h"

namespace gf::onnx_export {

std::vector<float> pooling_matrix(std::int64_t in, std::int64_t out) {
  std::vector<float> m(static_cast<std::size_t>(in * out), 0.0f);
  for (std::int64_t o = 0; o < out; ++o) {
    const std::int64_t begin = o * in / out, end = ((o + 1) * in + out - 1) / out;
    for (std::int64_t i = begin; i < end; ++i)
      m[static_cast<std::size_t>(o * in + i)] = 1.0f / static_cast<float>(end - begin);
  }
  return m;
}

std::vector<float> resize_matrix(ResizeMode mode, std::int64_t in, std::int64_t out) {
  std::vector<float> m(static_cast<std::size_t>(in * out), 0.0f);
  const ResizeAxis axis(mode, in, out);
  for (std::int64_t o = 0; o < out; ++o) {
    const ResizeAxis::Source s = axis.source(static_cast<std::int32_t>(o));
    float* row = m.data() + o * in;
    row[s.low] = 1.0f - s.fraction;
    if (s.fraction > 0) row[s.low + 1] = s.fraction;
  }
  return m;
}

std::vector<float> transposed(const std::vector<float>& matrix, std::int64_t rows, std::int64_t columns) {
  std::vector<float> t(matrix.size());
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      t[static_cast<std::size_t>(c * rows + r)] = matrix[static_cast<std::size_t>(r * columns + c)];
  return t;
}

}  // namespace gf::onnx_export
