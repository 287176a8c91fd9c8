#include "apps/memory_need.h"

#include <algorithm>

#include <fmt/format.h>

#include "data/array_files.h"
#include "engine/autograd.h"
#include "engine/device.h"
#include "engine/memory.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr double kFloat = sizeof(float);
constexpr double kMargin = 1.125;  // passes of large pictures took up to a tenth more than the line says
constexpr std::int64_t kSmallPixels = 8 * 256 * 256;  // what is predicted together anyway (Segmenter::batch_size)
constexpr std::int64_t kProbeSide = 256;

// Of each value: as stored, as float32, prepared, and the class map. An .npz is unpacked to float64 first, and pictures
// are held by their decoder while they become floats.
double reading_bytes(const std::string& file) { return is_nifti_name(file) || is_stack_name(file) ? 12 : 20; }

std::string gigabytes(double bytes) { return fmt::format("{:.1f} GB", bytes / 1e9); }

}  // namespace

// Blocks that are free again stay with the allocator: what a pass leaves there is what it took from the system.
double MemoryNeed::measured_bytes(const ImageSize& size) const {
  const auto held = [] {
    const MemoryStatistics s = memory_statistics();
    return static_cast<double>(s.total.now + s.cached);
  };
  release_cached_memory();
  const double before = held();
  {
    const NoGrad off;
    Random unused;
    network_.forward(Tensor::zeros({1, size.h, size.w, preprocessing_.channels}), unused);
  }
  const double taken = held() - before;
  release_cached_memory();
  return taken;
}

MemoryNeed::Line MemoryNeed::measure() const {
  if (const ImageSize only = network_.image_size(); only != ImageSize{})
    return {0, measured_bytes(only) / static_cast<double>(only.h * only.w)};
  const std::int64_t stride = network_.stride(), small = (kProbeSide + stride - 1) / stride * stride, large = 2 * small;
  const double of_small = measured_bytes({small, small}), of_large = measured_bytes({large, large});
  const double per_pixel = (of_large - of_small) / static_cast<double>(large * large - small * small);
  return {of_small - per_pixel * static_cast<double>(small * small), per_pixel};
}

double MemoryNeed::forward_bytes(const InputSize& size) {
  const Extent fitted = shrunk_extent(size.extent, preprocessing_), padded = padded_extent(fitted, preprocessing_);
  Extent one = padded;
  if (options_.tile != ImageSize{}) one = {std::min(options_.tile.h, padded.h), std::min(options_.tile.w, padded.w)};
  const std::int64_t slices = size.slices;
  const auto together = [&](const Extent& e) {
    const std::int64_t most = segmenter_.batch_size(e.h, e.w);
    return static_cast<double>(one == padded ? std::min<std::int64_t>(most, slices) : most);
  };
  // Sum, weights and quotient of the classes' probabilities at the picture's size.
  const double whole = static_cast<double>(padded.h * padded.w) * std::min<double>(together(padded), double(slices));
  const double probabilities = segmenter_.plain() ? 0 : whole * kFloat * (2 * classes_ + 1);
  const double pixels = static_cast<double>(one.h * one.w) * together(one);
  if (!on_host(network_.device()) || pixels <= kSmallPixels) return probabilities;
  if (!line_) line_ = measure();
  return probabilities + line_->fixed + line_->per_pixel * pixels;
}

void MemoryNeed::require(const std::string& file, const InputSize& size, double available) {
  const double values = static_cast<double>(size.slices) * static_cast<double>(size.extent.h) *
                        static_cast<double>(size.extent.w) * preprocessing_.channels;
  const double reading = values * reading_bytes(file), forward = forward_bytes(size);
  const double need = kMargin * std::max(reading, values * 2 * kFloat + forward);
  if (need <= available) return;
  const bool tiles_help = options_.tile == ImageSize{} && network_.image_size() == ImageSize{} &&
                          !preprocessing_.resizes() && reading < available;
  throw Error(
      ErrorKind::out_of_memory,
      {"out of memory",
       fmt::format("{}, {}x{} pixels", file, size.extent.w, size.extent.h) +
           (size.slices > 1 ? fmt::format(" in {} slices", size.slices) : ""),
       "at most the " + gigabytes(available) + " that are free", "about " + gigabytes(need),
       tiles_help ? "predict it in tiles: --tile 512" : "cut it into parts, or take a machine with more memory"});
}

}  // namespace gf
