// Resize as weighted sums of rows of channels. Forward and backward share one inner loop: a pixel is the sum of a few
// source pixels times a weight. Forward these are the (up to) 2 x 2 neighbours, backward the output pixels that read
// this input pixel. Nothing is scattered, so no thread writes another's pixel and the order of every sum is fixed.
#include "kernels/resize.h"

#include "kernels/cpu/scratch.h"
#include "kernels/parallel.h"
#include "kernels/resize_axis.h"

namespace gf {
namespace {

using cpu::Scratch;

constexpr std::int64_t kGrain = 32768;  // elements per parallel piece

// One axis as a sparse matrix: `row(i)` lists the positions that i reads and with which weight, none of them zero.
// Forward i is an output and reads one or two sources; backward i is a source and "reads" the outputs that read it.
struct Axis {
  struct Tap {
    std::int32_t position;
    float weight;
  };
  struct Row {
    const Tap *first, *last;
    const Tap* begin() const { return first; }
    const Tap* end() const { return last; }
    std::int64_t size() const { return last - first; }
  };

  std::int32_t* start;
  Tap* taps;

  static std::size_t bytes(std::int64_t in, std::int64_t out, bool transposed) {
    return Scratch::bytes<std::int32_t>((transposed ? in : out) + 1) + Scratch::bytes<Tap>(2 * out);
  }

  Axis(ResizeMode mode, std::int64_t in, std::int64_t out, bool transposed, Scratch& scratch)
      : start(scratch.take<std::int32_t>((transposed ? in : out) + 1)), taps(scratch.take<Tap>(2 * out)) {
    std::int32_t count = 0;
    const auto add = [&](std::int32_t position, float weight) {
      if (weight != 0.0f) taps[count++] = {position, weight};
    };
    const ResizeAxis axis(mode, in, out);
    const auto inputs = static_cast<std::int32_t>(in), outputs = static_cast<std::int32_t>(out);
    if (!transposed) {
      for (std::int32_t o = 0; o < outputs; ++o) {
        start[o] = count;
        const ResizeAxis::Source s = axis.source(o);
        add(s.low, 1.0f - s.fraction);
        add(s.low + 1, s.fraction);
      }
      start[out] = count;
      return;
    }
    for (std::int32_t i = 0; i < inputs; ++i) {
      start[i] = count;
      const ResizeAxis::Readers readers = axis.readers(i);
      for (std::int32_t o = readers.first; o < readers.last; ++o) add(o, axis.weight(i, o));
    }
    start[in] = count;
  }

  Row row(std::int64_t i) const { return {taps + start[i], taps + start[i + 1]}; }
};

constexpr int kAtOnce = 4;  // sources summed before the target is stored

// to (+)= sum of weight[k] * from[k], k < kCount
template <int kCount, bool onto>
void sum_sources(float* to, std::int64_t c, const float* const* from, const float* weight) {
  const float *p0 = from[0], *p1 = from[kCount > 1 ? 1 : 0], *p2 = from[kCount > 2 ? 2 : 0],
              *p3 = from[kCount > 3 ? 3 : 0];
  const float w0 = weight[0], w1 = weight[kCount > 1 ? 1 : 0], w2 = weight[kCount > 2 ? 2 : 0],
              w3 = weight[kCount > 3 ? 3 : 0];
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    float v = w0 * p0[i];
    if constexpr (kCount > 1) v += w1 * p1[i];
    if constexpr (kCount > 2) v += w2 * p2[i];
    if constexpr (kCount > 3) v += w3 * p3[i];
    if constexpr (onto) v += to[i];
    to[i] = v;
  }
}

template <bool onto>
void sum_sources(int count, float* to, std::int64_t c, const float* const* from, const float* weight) {
  switch (count) {
    case 1:
      return sum_sources<1, onto>(to, c, from, weight);
    case 2:
      return sum_sources<2, onto>(to, c, from, weight);
    case 3:
      return sum_sources<3, onto>(to, c, from, weight);
    default:
      return sum_sources<4, onto>(to, c, from, weight);
  }
}

// One pixel: the sum over the taps of a row and a column of the image's pixels.
void sum_taps(const Axis::Row& down, const Axis::Row& across, const float* image, std::int64_t row_stride,
              std::int64_t pixel_stride, float* to, std::int64_t c) {
  const float* from[kAtOnce];
  float weight[kAtOnce];
  int count = 0;
  bool written = false;
  for (const Axis::Tap& h : down)
    for (const Axis::Tap& w : across) {
      if (count == kAtOnce) {
        written ? sum_sources<4, true>(to, c, from, weight) : sum_sources<4, false>(to, c, from, weight);
        written = true;
        count = 0;
      }
      from[count] = image + h.position * row_stride + w.position * pixel_stride;
      weight[count++] = h.weight * w.weight;
    }
  if (count == 0) {
    std::fill_n(to, c, 0.0f);
  } else {
    written ? sum_sources<true>(count, to, c, from, weight) : sum_sources<false>(count, to, c, from, weight);
  }
}

// to[h,w] = sum over the taps of row h and column w of from[h',w'], per image
void apply(const Axis& rows, const Axis& columns, const ConstView& from, const View& to) {
  const float* source = data_as<float>(from);
  float* target = data_as<float>(to);
  const std::int64_t work = std::max(from.w, to.w) * to.c, row_stride = from.w * from.pixel_stride;
  parallel_for(to.n * to.h, std::max<std::int64_t>(1, kGrain / work), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* image = source + r / to.h * from.h * from.w * from.pixel_stride;
      const Axis::Row down = rows.row(r % to.h);
      for (std::int64_t w = 0; w < to.w; ++w) {
        const Axis::Row across = columns.row(w);
        float* pixel = target + (r * to.w + w) * to.pixel_stride;
        if (down.size() == 2 && across.size() == 2) {  // bilinear forward but for the border
          const Axis::Tap *h = down.first, *v = across.first;
          const float *above = image + h[0].position * row_stride, *below = image + h[1].position * row_stride;
          const std::int64_t left = v[0].position * from.pixel_stride, right = v[1].position * from.pixel_stride;
          const float* const sources[] = {above + left, above + right, below + left, below + right};
          const float weights[] = {h[0].weight * v[0].weight, h[0].weight * v[1].weight, h[1].weight * v[0].weight,
                                   h[1].weight * v[1].weight};
          sum_sources<4, false>(pixel, to.c, sources, weights);
        } else {
          sum_taps(down, across, image, row_stride, from.pixel_stride, pixel, to.c);
        }
      }
    }
  });
}

}  // namespace

void resize_forward(const Cpu& cpu, ResizeMode mode, ConstView x, View y) {
  check_resize("resize_forward", DType::f32, "x", x, "y", y);
  if (y.count() == 0) return;
  Scratch scratch(cpu, "resize_forward", Axis::bytes(x.h, y.h, false) + Axis::bytes(x.w, y.w, false));
  const Axis rows(mode, x.h, y.h, false, scratch), columns(mode, x.w, y.w, false, scratch);
  apply(rows, columns, x, y);
}

void resize_backward(const Cpu& cpu, ResizeMode mode, ConstView dy, View dx) {
  check_resize("resize_backward", DType::f32, "dx", dx, "dy", dy);
  if (dx.count() == 0) return;
  Scratch scratch(cpu, "resize_backward", Axis::bytes(dx.h, dy.h, true) + Axis::bytes(dx.w, dy.w, true));
  const Axis rows(mode, dx.h, dy.h, true, scratch), columns(mode, dx.w, dy.w, true, scratch);
  apply(rows, columns, dy, dx);
}

}  // namespace gf
