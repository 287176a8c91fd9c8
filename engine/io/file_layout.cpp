#include "engine/io/file_layout.h"

#include "kernels/error.h"

namespace gf {
namespace {

// Whether some first axes of the file have `outer` elements together and the others `inner`.
bool cuts_into(const std::vector<std::int64_t>& file, std::int64_t outer, std::int64_t inner) {
  std::int64_t front = 1, all = 1;
  for (const std::int64_t extent : file) all *= extent;
  if (all != outer * inner) return false;
  for (const std::int64_t extent : file) {
    if (front == outer) return true;
    front *= extent;
  }
  return front == outer;
}

// How far apart in a file neighbours along each of our axes lie; kh and kw are one axis of pixels.
struct FileStrides {
  std::int64_t n, pixel, c;

  FileStrides(const Shape& s, FileLayout layout) {
    const std::int64_t pixels = s.h * s.w;
    switch (layout) {
      case FileLayout::vector:
      case FileLayout::flax_vector:
      case FileLayout::tokens:
        n = pixels * s.c, pixel = s.c, c = 1;
        return;
      case FileLayout::convolution:
      case FileLayout::transposed:
      case FileLayout::linear:
        n = s.c * pixels, pixel = 1, c = pixels;
        return;
      case FileLayout::flax_kernel:
        n = 1, pixel = s.c * s.n, c = s.n;
        return;
    }
  }
};

// Calls move(memory, file) with the index of each element here and there.
template <class Move>
void walk(const Tensor& tensor, FileLayout layout, std::size_t file_count, Move move) {
  const Shape& s = tensor.shape();
  if (!tensor.dense() || tensor.dtype() != DType::f32 || static_cast<std::int64_t>(file_count) != s.count())
    fail("tensor cannot go to or come from a file", s.str(),
         "dense float32, " + std::to_string(file_count) + " elements",
         std::string(name_of(tensor.dtype())) + (tensor.dense() ? ", dense, " : ", strided, ") +
             std::to_string(s.count()));
  const FileStrides file(s, layout);
  const std::int64_t pixels = s.h * s.w;
  std::int64_t memory = 0;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t p = 0; p < pixels; ++p)
      for (std::int64_t c = 0; c < s.c; ++c) move(memory++, n * file.n + p * file.pixel + c * file.c);
}

}  // namespace

std::vector<std::int64_t> file_shape(const Shape& s, FileLayout layout) {
  switch (layout) {
    case FileLayout::vector:
    case FileLayout::flax_vector:
      if (s.pixels() != 1) fail("vector with more than one row", s.str(), "[1,1,1,c]", s.str());
      return {s.c};
    case FileLayout::linear:
      if (s.h * s.w != 1) fail("linear layer with a kernel", s.str(), "[o,1,1,i]", s.str());
      return {s.n, s.c};
    case FileLayout::tokens:
      return {s.n, s.h * s.w, s.c};
    case FileLayout::flax_kernel:
      if (s.h * s.w == 1) return {s.c, s.n};
      return {s.h, s.w, s.c, s.n};
    case FileLayout::convolution:
    case FileLayout::transposed:
      break;
  }
  // (outer, kh, kw, inner) -> [outer, inner, kh, kw], for both kinds of convolution; depthwise has inner 1.
  return {s.n, s.c, s.h, s.w};
}

bool fits_layout(const std::vector<std::int64_t>& file, const Shape& s, FileLayout layout) {
  if (file == file_shape(s, layout)) return true;
  if (layout == FileLayout::flax_vector) return cuts_into(file, 1, s.c);
  return layout == FileLayout::flax_kernel && s.h * s.w == 1 && cuts_into(file, s.c, s.n);
}

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
