// sum_to on the GPU (contract: kernels/elementwise.h), the adjoint of broadcasting.
//
//   y[o] = alpha * sum over r of x[o, r]     o: what y keeps of (n,h,w,c), r: what is summed over
//
// Memory traffic: x once, 4 (bf16: 2) * n*h*w*c bytes; partial sums are a few hundredths of that. Floor: those bytes
// over the memory's bandwidth.
//
// Every sum has a fixed shape of its tree, so its bits depend on nothing but the tensors' shapes. A block takes some
// outputs and one chunk of their summands: each thread adds up to 32 of them in turn, then the block's threads are
// added pairwise in shared memory. Where there are several chunks, the partial sums are summed in the same way until
// one is left. Threads lie along the channels, whether these are kept (threads of a warp work on neighbouring outputs)
// or summed over (on neighbouring summands), so that their reads join.
#include <algorithm>

#include "kernels/cuda/element.h"
#include "kernels/elementwise.h"

namespace gf {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 32;
constexpr std::int64_t kMaxCount = 0x7fffffff;

// Some of a tensor's axes n, h, w, counted through in row-major order.
struct Axes {
  unsigned h, w;
  std::int64_t n_stride, h_stride, w_stride;

  __device__ std::int64_t offset(unsigned i) const {
    return i / w / h * n_stride + i / w % h * h_stride + i % w * w_stride;
  }
};

// Output o and summand r lie at kept(o / kept_c) + o % kept_c + summed(r / summed_c) + r % summed_c: the channels
// belong to one of the two, and the other has 1.
template <class T>
struct Source {
  const T* data;
  Axes kept, summed;
  unsigned kept_c, summed_c;
  unsigned outputs, summands;

  __device__ std::int64_t kept_offset(unsigned o) const { return kept.offset(o / kept_c) + o % kept_c; }
  __device__ std::int64_t summed_offset(unsigned r) const { return summed.offset(r / summed_c) + r % summed_c; }
};

// y itself, or the partial sums of every chunk, one after the other.
template <class T>
struct Target {
  T* data;
  unsigned c;
  std::int64_t pixel_stride, chunk_stride;
  float alpha;
  bool accumulate;
};

// How a block's threads are shared out between outputs and summands.
struct Lanes {
  unsigned outputs, summands;
  bool outputs_first;  // neighbouring threads have neighbouring outputs
};

template <class In, class Out>
__global__ void gf_sum_to_kernel(Source<In> x, Lanes lanes, unsigned tiles, Target<Out> y) {
  GF_SHARED(float, partial, kThreads);
  const unsigned tile = blockIdx.x % tiles, chunk = blockIdx.x / tiles, t = threadIdx.x;
  const unsigned o_lane = lanes.outputs_first ? t % lanes.outputs : t / lanes.summands;
  const unsigned r_lane = lanes.outputs_first ? t / lanes.outputs : t % lanes.summands;
  const unsigned o = tile * lanes.outputs + o_lane;
  float sum = 0;
  if (o < x.outputs) {
    const In* from = x.data + x.kept_offset(o);
    const unsigned first = chunk * lanes.summands * kPerThread + r_lane;
    for (unsigned i = 0; i < kPerThread; ++i) {
      const unsigned r = first + i * lanes.summands;
      if (r < x.summands) sum += to_float(from[x.summed_offset(r)]);
    }
  }
  partial[r_lane * lanes.outputs + o_lane] = sum;
  for (unsigned half = lanes.summands / 2; half > 0; half /= 2) {
    __syncthreads();
    if (r_lane < half) partial[r_lane * lanes.outputs + o_lane] += partial[(r_lane + half) * lanes.outputs + o_lane];
  }
  if (r_lane != 0 || o >= x.outputs) return;
  Out* to = y.data + chunk * y.chunk_stride + o / y.c * y.pixel_stride + o % y.c;
  const float value = y.alpha * partial[o_lane];
  *to = to_element<Out>(y.accumulate ? to_float(*to) + value : value);
}

// What of a source decides how it is summed.
struct Extent {
  unsigned outputs, summands;
  bool outputs_first;
};

Lanes share_out(const Extent& x) {
  Lanes l{1, kThreads, x.outputs_first};
  const unsigned most = l.outputs_first ? 32 : 8;
  while (l.outputs < x.outputs && l.outputs < most) l.outputs *= 2;
  l.summands = kThreads / l.outputs;
  return l;
}

std::int64_t chunks_of(const Extent& x) { return blocks_for(x.summands, share_out(x).summands * kPerThread); }

// The partial sums of a stage, to be summed by the next.
Extent partial_extent(std::int64_t outputs, std::int64_t chunks) {
  return {static_cast<unsigned>(outputs), static_cast<unsigned>(chunks), true};
}
Source<float> partial_sums(const float* data, std::int64_t outputs, std::int64_t chunks) {
  const auto count = static_cast<unsigned>(outputs);
  return {data, Axes{1, 1, 0, 0, 0}, Axes{1, 1, outputs, 0, 0}, count, 1, count, static_cast<unsigned>(chunks)};
}

template <class In, class Out>
void stage(const Gpu& gpu, const Source<In>& x, const Target<Out>& y) {
  const Extent extent{x.outputs, x.summands, x.summed_c == 1};
  const Lanes lanes = share_out(extent);
  const std::int64_t chunks = std::max<std::int64_t>(chunks_of(extent), 1),
                     tiles = blocks_for(x.outputs, lanes.outputs);
  launch(gpu, gf_sum_to_kernel<In, Out>, chunks * tiles, kThreads, 0, x, lanes, static_cast<unsigned>(tiles), y);
}

// The first stage reads x, those between partial sums, the last writes y.
template <class In, class Out>
void run_stages(const Gpu& gpu, const Source<In>& x, const Target<Out>& y) {
  const std::int64_t outputs = x.outputs;
  std::int64_t scratch = 0, chunks = chunks_of({x.outputs, x.summands, x.summed_c == 1});
  if (chunks <= 1) return stage(gpu, x, y);
  for (std::int64_t c = chunks; c > 1; c = chunks_of(partial_extent(outputs, c))) scratch += c * outputs;
  float* partial = take_workspace<float>(gpu, "sum_to", scratch);
  const auto to_partial = [&] { return Target<float>{partial, x.outputs, 0, outputs, 1.0f, false}; };
  stage(gpu, x, to_partial());
  for (;;) {
    const Source<float> source = partial_sums(partial, outputs, chunks);
    partial += chunks * outputs;
    chunks = chunks_of(partial_extent(outputs, chunks));
    if (chunks <= 1) return stage(gpu, source, y);
    stage(gpu, source, to_partial());
  }
}

}  // namespace

void sum_to(const Gpu& gpu, float alpha, ConstView x, View y, bool accumulate) {
  require_float("sum_to", "x", x);
  require_float("sum_to", "y", y);
  const bool fits =
      (y.n == x.n || y.n == 1) && (y.h == x.h || y.h == 1) && (y.w == x.w || y.w == 1) && (y.c == x.c || y.c == 1);
  if (!fits)
    fail("sum_to: cannot reduce", describe("x", x) + " to " + describe("y", y), "each extent of y 1 or that of x");
  if (y.count() == 0) return;
  const std::int64_t summed_pixels = x.pixels() / y.pixels(), summed_c = y.c == x.c ? 1 : x.c;
  if (y.count() > kMaxCount || summed_pixels * summed_c > kMaxCount) {
    fail("sum_to: too many elements", describe("x", x) + " to " + describe("y", y), "at most 2^31-1 sums and summands");
  }
  // An axis belongs to the outputs or to the summands; to the other it has extent 1.
  const auto axes = [&](bool kept) {
    const auto extent = [&](std::int64_t in_x, std::int64_t in_y) {
      return static_cast<unsigned>((in_x == in_y) == kept ? in_x : 1);
    };
    return Axes{extent(x.h, y.h), extent(x.w, y.w), x.h * x.w * x.pixel_stride, x.w * x.pixel_stride, x.pixel_stride};
  };
  with_element(x.dtype, [&](auto in) {
    with_element(y.dtype, [&](auto out) {
      const Source<decltype(in)> source{data_as<decltype(in)>(x),
                                        axes(true),
                                        axes(false),
                                        static_cast<unsigned>(y.c),
                                        static_cast<unsigned>(summed_c),
                                        static_cast<unsigned>(y.count()),
                                        static_cast<unsigned>(summed_pixels * summed_c)};
      run_stages(gpu, source,
                 Target<decltype(out)>{data_as<decltype(out)>(y), static_cast<unsigned>(y.c), y.pixel_stride, 0, alpha,
                                       accumulate});
    });
  });
}

}  // namespace gf
