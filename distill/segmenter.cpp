#include "distill/segmenter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/autograd.h"
#include "engine/memory.h"
#include "engine/ops/softmax.h"
#include "kernels/error.h"

namespace gf {
namespace {

// A picture of a dense host batch.
const float* picture(const Tensor& t, std::int64_t n) {
  const Shape& s = t.shape();
  return t.data() + n * s.h * s.w * s.c;
}
float* picture(Tensor& t, std::int64_t n) {
  const Shape& s = t.shape();
  return t.mutable_data() + n * s.h * s.w * s.c;
}

Tensor mirrored(const Tensor& t, bool rows, bool columns) {
  const Shape s = t.shape();
  Tensor out = Tensor::empty(s);
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t y = 0; y < s.h; ++y)
      for (std::int64_t x = 0; x < s.w; ++x) {
        const std::int64_t from_y = rows ? s.h - 1 - y : y, from_x = columns ? s.w - 1 - x : x;
        std::copy_n(picture(t, n) + (from_y * s.w + from_x) * s.c, s.c, picture(out, n) + (y * s.w + x) * s.c);
      }
  return out;
}

void add(Tensor& to, const Tensor& t) {
  float* a = to.mutable_data();
  const float* b = t.data();
  for (std::int64_t i = 0; i < to.count(); ++i) a[i] += b[i];
}

void scale(Tensor& t, float factor) {
  for (std::int64_t i = 0; i < t.count(); ++i) t.mutable_data()[i] *= factor;
}

std::vector<float> gaussian(std::int64_t side) {
  std::vector<float> weights;
  const double middle = (static_cast<double>(side) - 1) / 2, sigma = static_cast<double>(side) / 8;
  for (std::int64_t i = 0; i < side; ++i)
    weights.push_back(static_cast<float>(std::exp(-std::pow((static_cast<double>(i) - middle) / sigma, 2) / 2)));
  return weights;
}

struct Tile {
  std::int64_t picture, y, x;
};

}  // namespace

std::vector<std::int64_t> tile_starts(std::int64_t length, std::int64_t tile, double overlap) {
  if (tile >= length) return {0};
  const double step = std::max(1.0, static_cast<double>(tile) * (1 - overlap));
  const auto count = static_cast<std::int64_t>(std::ceil(static_cast<double>(length - tile) / step)) + 1;
  std::vector<std::int64_t> starts;
  for (std::int64_t i = 0; i < count; ++i)
    starts.push_back(std::llround(static_cast<double>(i * (length - tile)) / static_cast<double>(count - 1)));
  return starts;
}

Segmenter::Segmenter(const Network& network, const SegmenterOptions& options) : network_(network), options_(options) {
  if (!(options.overlap >= 0 && options.overlap < 1))
    throw Error(ErrorKind::usage,
                {"bad overlap of tiles", "--overlap", "0 or more and below 1", fmt::format("{}", options.overlap), ""});
  const ImageSize only = network.image_size(), tile = options.tile;
  if (tile == ImageSize{}) return;
  const auto text = [](const ImageSize& s) { return fmt::format("{}x{}", s.h, s.w); };
  if (only != ImageSize{} && tile != only)
    throw Error(ErrorKind::usage, {"a tile that the network does not take", "--tile", text(only), text(tile), ""});
  if (tile.h < 1 || tile.w < 1 || tile.h % network.stride() != 0 || tile.w % network.stride() != 0)
    throw Error(ErrorKind::usage, {"a tile that the network does not take", "--tile",
                                   fmt::format("multiples of {}", network.stride()), text(tile), ""});
}

int Segmenter::batch_size(std::int64_t height, std::int64_t width) const {
  if (options_.batch_size > 0) return options_.batch_size;
  constexpr std::int64_t kPixels = 8 * 256 * 256;
  return static_cast<int>(std::clamp<std::int64_t>(kPixels / (height * width), 1, 64));
}

Tensor Segmenter::forward(const Tensor& images) const {
  const NoGrad off;
  Random unused;  // evaluation mode drops nothing
  const auto once = [&](const Tensor& x) {
    return softmax(network_.forward(x.to(network_.device()), unused).logits).to(cpu_device());
  };
  Tensor sum = once(images);
  if (!options_.mirrors) return sum;
  for (const auto& [rows, columns] : {std::pair(true, false), std::pair(false, true), std::pair(true, true)})
    add(sum, mirrored(once(mirrored(images, rows, columns)), rows, columns));
  scale(sum, 0.25f);
  return sum;
}

Tensor Segmenter::probabilities(const Tensor& images) const {
  const MemoryTag tag("inference");
  const Shape s = images.shape();
  const ImageSize tile{options_.tile.h > 0 ? std::min(options_.tile.h, s.h) : s.h,
                       options_.tile.w > 0 ? std::min(options_.tile.w, s.w) : s.w};
  std::vector<Tile> tiles;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (const std::int64_t y : tile_starts(s.h, tile.h, options_.overlap))
      for (const std::int64_t x : tile_starts(s.w, tile.w, options_.overlap)) tiles.push_back({n, y, x});
  const auto together = static_cast<std::size_t>(batch_size(tile.h, tile.w));
  if (tiles.size() == static_cast<std::size_t>(s.n) && tiles.size() <= together) return forward(images);

  const std::vector<float> rows = gaussian(tile.h), columns = gaussian(tile.w);
  Tensor sum, weight = Tensor::zeros({s.n, s.h, s.w, 1});
  for (std::size_t begin = 0; begin < tiles.size(); begin += together) {
    const std::size_t count = std::min(together, tiles.size() - begin);
    Tensor batch = Tensor::empty({static_cast<std::int64_t>(count), tile.h, tile.w, s.c});
    for (std::size_t i = 0; i < count; ++i) {
      const Tile& t = tiles[begin + i];
      for (std::int64_t y = 0; y < tile.h; ++y)
        std::copy_n(picture(images, t.picture) + ((t.y + y) * s.w + t.x) * s.c, tile.w * s.c,
                    picture(batch, static_cast<std::int64_t>(i)) + y * tile.w * s.c);
    }
    const Tensor p = forward(batch);
    const std::int64_t classes = p.shape().c;
    if (!sum) sum = Tensor::zeros({s.n, s.h, s.w, classes});
    for (std::size_t i = 0; i < count; ++i) {
      const Tile& t = tiles[begin + i];
      for (std::int64_t y = 0; y < tile.h; ++y)
        for (std::int64_t x = 0; x < tile.w; ++x) {
          const float w = rows[static_cast<std::size_t>(y)] * columns[static_cast<std::size_t>(x)];
          const std::int64_t pixel = (t.y + y) * s.w + t.x + x;
          picture(weight, t.picture)[pixel] += w;
          const float* from = picture(p, static_cast<std::int64_t>(i)) + (y * tile.w + x) * classes;
          float* to = picture(sum, t.picture) + pixel * classes;
          for (std::int64_t k = 0; k < classes; ++k) to[k] += w * from[k];
        }
    }
  }
  const std::int64_t classes = sum.shape().c;
  for (std::int64_t i = 0; i < weight.count(); ++i)
    for (std::int64_t k = 0; k < classes; ++k) sum.mutable_data()[i * classes + k] /= weight.data()[i];
  return sum;
}

Tensor Segmenter::classes(const Tensor& images) const {
  if (!plain()) return argmax_channels(probabilities(images));
  const NoGrad off;
  const MemoryTag tag("inference");
  Random unused;
  return argmax_channels(network_.forward(images.to(network_.device()), unused).logits).to(cpu_device());
}

}  // namespace gf
