#pragma once
// The loop nest of an elementwise kernel over N broadcast operands, operand 0 being the output. Axes that all operands
// walk with one stride are merged, so that the common cases end as one flat loop or as rows of channels:
//   same shape, all dense      one row of n*h*w*c
//   (1,1,1,c) onto dense       n*h*w rows of c, the vector's row stride is 0
//   (n,h,w,1) onto dense       n*h*w rows of c, the scalar's inner stride is 0
#include "kernels/parallel.h"
#include "kernels/view.h"

#include <array>

namespace gf::cpu {

// Elements per parallel piece: enough work to pay for waking a thread.
constexpr std::int64_t kElementGrain = 32768;

template <int N>
struct LoopNest {
  using Offsets = std::array<std::int64_t, N>;

  int axes = 0;  // outermost first; the last is the row, whose strides are 0 or 1
  std::array<std::int64_t, 5> extent{};
  std::array<Offsets, 5> stride{};

  LoopNest(const Shape& out, const std::array<ConstView, N>& views) {
    Offsets n, h, w, c;
    for (int i = 0; i < N; ++i) {
      const ConstView& v = views[i];
      c[i] = v.c == 1 && out.c != 1 ? 0 : 1;
      w[i] = v.w == 1 && out.w != 1 ? 0 : v.pixel_stride;
      h[i] = v.h == 1 && out.h != 1 ? 0 : v.pixel_stride * v.w;
      n[i] = v.n == 1 && out.n != 1 ? 0 : v.pixel_stride * v.w * v.h;
    }
    add_axis(out.n, n);
    add_axis(out.h, h);
    add_axis(out.w, w);
    add_axis(out.c, c);
    const bool unit = axes > 0 && std::all_of(stride[axes - 1].begin(), stride[axes - 1].end(),
                                              [](std::int64_t s) { return s == 0 || s == 1; });
    if (!unit) {  // one channel in wider pixels, or a single element: rows of length one
      Offsets one;
      one.fill(1);
      extent[axes] = 1;
      stride[axes++] = one;
    }
  }

  std::int64_t row_length() const { return extent[axes - 1]; }
  const Offsets& row_stride() const { return stride[axes - 1]; }

  // Calls body(offsets, rows, step, length): `rows` rows of `length` elements, operand i's first at offsets[i], each
  // further one step[i] elements on. Pieces run in parallel.
  template <class Body>
  void run(const Body& body) const {
    const std::int64_t length = row_length();
    if (axes == 1) {
      parallel_for(length, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
        Offsets at;
        for (int i = 0; i < N; ++i) at[i] = begin * row_stride()[i];
        body(at, std::int64_t{1}, Offsets{}, end - begin);
      });
      return;
    }
    std::int64_t rows = 1;
    for (int a = 0; a + 1 < axes; ++a) rows *= extent[a];
    const int inner = axes - 2;
    parallel_for(rows, kElementGrain / std::max<std::int64_t>(length, 1), [&](std::int64_t begin, std::int64_t end) {
      while (begin < end) {
        const std::int64_t count = std::min(end - begin, extent[inner] - begin % extent[inner]);
        Offsets at{};
        std::int64_t rest = begin;
        for (int a = inner; a >= 0; --a) {
          for (int i = 0; i < N; ++i) at[i] += rest % extent[a] * stride[a][i];
          rest /= extent[a];
        }
        body(at, count, stride[inner], length);
        begin += count;
      }
    });
  }

 private:
  // Adds an axis inside the ones so far, merging it with its neighbour where every operand's strides allow.
  void add_axis(std::int64_t count, const Offsets& step) {
    if (count == 1) return;
    if (axes > 0) {
      bool merges = true;
      for (int i = 0; i < N; ++i) merges = merges && stride[axes - 1][i] == step[i] * count;
      if (merges) {
        extent[axes - 1] *= count;
        stride[axes - 1] = step;
        return;
      }
    }
    extent[axes] = count;
    stride[axes++] = step;
  }
};

}  // namespace gf::cpu
