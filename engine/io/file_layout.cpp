#include "engine/io/file_layout.h"

#include "kernels/error.h"

namespace gf {

std::vector<std::int64_t> file_shape(const Shape& s, FileLayout layout) {
  if (layout == FileLayout::vector) {
    if (s.pixels() != 1) fail("vector with more than one row", s.str(), "[1,1,1,c]", s.str());
    return {s.c};
  }
  // (outer, kh, kw, inner) -> [outer, inner, kh, kw], for both kinds of convolution; depthwise has inner 1.
  return {s.n, s.c, s.h, s.w};
}

namespace {

// Calls move(memory, file) with the index of each element here and there.
template <class Move>
void walk(const Tensor& tensor, FileLayout layout, std::size_t file_count, Move move) {
  const Shape& s = tensor.shape();
  if (!tensor.dense() || tensor.dtype() != DType::f32 || static_cast<std::int64_t>(file_count) != s.count())
    fail("tensor cannot go to or come from a file", s.str(),
         "dense float32, " + std::to_string(file_count) + " elements",
         std::string(name_of(tensor.dtype())) + (tensor.dense() ? ", dense, " : ", strided, ") +
             std::to_string(s.count()));
  const std::int64_t pixels = layout == FileLayout::vector ? 1 : s.h * s.w;
  const std::int64_t channels = s.c;
  std::int64_t file = 0;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t p = 0; p < pixels; ++p) move((n * pixels + p) * channels + c, file++);
}

}  // namespace

void to_file_order(const Tensor& tensor, FileLayout layout, std::span<float> file) {
  const Tensor here = tensor.to(cpu_device());
  walk(here, layout, file.size(),
       [from = here.data(), to = file.data()](std::int64_t m, std::int64_t f) { to[f] = from[m]; });
}

void from_file_order(std::span<const float> file, FileLayout layout, const Tensor& tensor) {
  const Tensor here = on_host(tensor.device()) ? tensor : Tensor::empty(tensor.shape());
  walk(here, layout, file.size(),
       [from = file.data(), to = here.mutable_data()](std::int64_t m, std::int64_t f) { to[m] = from[f]; });
  if (!on_host(tensor.device())) tensor.assign(here);
}

}  // namespace gf
