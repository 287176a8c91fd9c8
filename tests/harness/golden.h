#pragma once
// Golden files (tests/golden/README.md) as tensors of ours: PyTorch's NCHW becomes NHWC.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/io/safetensors.h"
#include "engine/nn/module.h"
#include "engine/tensor.h"
#include "tests/harness/golden_folder.h"

namespace gf::test {

inline SafetensorsFile golden_file(const std::string& name) {
  return SafetensorsFile(golden_folder() + name + ".safetensors");
}

// [n,c,h,w] -> (n,h,w,c); [n,c,d] (salience patches) -> (n,1,c,d); [c] -> (1,1,1,c).
inline Tensor golden_tensor(const SafetensorsFile& file, const std::string& key) {
  const std::vector<std::int64_t> s = file.at(key).shape;
  const std::vector<float> v = file.floats(key);
  if (s.size() == 3) return Tensor::from(v, {s[0], 1, s[1], s[2]});
  if (s.size() < 3) return Tensor::from(v, {1, 1, 1, static_cast<std::int64_t>(v.size())});
  const std::int64_t n = s[0], c = s[1], h = s[2], w = s[3];
  std::vector<float> out(v.size());
  for (std::int64_t b = 0; b < n; ++b)
    for (std::int64_t k = 0; k < c; ++k)
      for (std::int64_t p = 0; p < h * w; ++p) out[(b * h * w + p) * c + k] = v[(b * c + k) * h * w + p];
  return Tensor::from(out, {n, h, w, c});
}

// Labels [n,h,w].
inline Tensor golden_labels(const SafetensorsFile& file, const std::string& key) {
  const std::vector<std::int64_t> s = file.at(key).shape;
  return Tensor::from(file.integers(key), {s[0], s[1], s[2], 1});
}

// A parameter's gradient (or running statistic) in our order of axes.
inline Tensor golden_parameter(const SafetensorsFile& file, const std::string& key, const NamedTensor& like) {
  const Shape& s = like.tensor.shape();
  const std::vector<float> v = file.floats(key);
  if (like.layout == FileLayout::vector || like.layout == FileLayout::tokens) return Tensor::from(v, s);
  std::vector<float> out(v.size());
  // File: convolution [o,i,h,w], transposed [i,o,h,w]; ours: (o,h,w,i), (i,h,w,o). Both move axis 1 to the end.
  for (std::int64_t a = 0; a < s.n; ++a)
    for (std::int64_t p = 0; p < s.h * s.w; ++p)
      for (std::int64_t b = 0; b < s.c; ++b) out[(a * s.h * s.w + p) * s.c + b] = v[(a * s.c + b) * s.h * s.w + p];
  return Tensor::from(out, s);
}

inline double max_abs(const Tensor& t) {
  double m = 0;
  for (const float v : t.to_vector()) m = std::max(m, std::isnan(v) ? INFINITY : std::abs(static_cast<double>(v)));
  return m;
}

inline double max_difference(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return INFINITY;
  const std::vector<float> x = a.to_vector(), y = b.to_vector();
  double m = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double d = std::abs(static_cast<double>(x[i]) - y[i]);
    m = std::max(m, std::isnan(d) ? INFINITY : d);
  }
  return m;
}

// max|a - b| / max|b|
inline double relative_error(const Tensor& a, const Tensor& b) {
  const double scale = max_abs(b);
  return scale > 0 ? max_difference(a, b) / scale : max_difference(a, b);
}

}  // namespace gf::test
