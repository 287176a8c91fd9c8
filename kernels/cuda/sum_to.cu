// sum_to on the GPU (contract: kernels/elementwise.h), the adjoint of broadcasting.
//
//   y[o] = alpha * sum over r of x[o, r]     o: what y keeps of (n,h,w,c), r: what is summed over
//
// Memory traffic: x once, 4 * n*h*w*c bytes; partial sums are a few hundredths of that. Floor: those bytes over the
// memory's bandwidth.
//
// Every sum has a fixed shape of its tree, so its bits depend on nothing but the tensors' shapes. A block takes some
// outputs and one chunk of their summands: each thread adds up to 32 of them in turn, then the block's threads are
// added pairwise in shared memory. Where there are several chunks, the partial sums are summed in the same way until
// one is left. Threads lie along the channels, whether these are kept (threads of a warp work on neighbouring outputs)
// or summed over (on neighbouring summands), so that their reads join.
#include <algorithm>

#include "kernels/check.h"
#include "kernels/elementwise.h"
#include "kernels/launch.h"

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
struct Source {
  const float* data;
  Axes kept, summed;
  unsigned kept_c, summed_c;
  unsigned outputs, summands;

  __device__ std::int64_t kept_offset(unsigned o) const { return kept.offset(o / kept_c) + o % kept_c; }
  __device__ std::int64_t summed_offset(unsigned r) const { return summed.offset(r / summed_c) + r % summed_c; }
};

// y itself, or the partial sums of every chunk, one after the other.
struct Target {
  float* data;
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

__global__ void gf_sum_to_kernel(Source x, Lanes lanes, unsigned tiles, Target y) {
  GF_SHARED(float, partial, kThreads);
  const unsigned tile = blockIdx.x % tiles, chunk = blockIdx.x / tiles, t = threadIdx.x;
  const unsigned o_lane = lanes.outputs_first ? t % lanes.outputs : t / lanes.summands;
  const unsigned r_lane = lanes.outputs_first ? t / lanes.outputs : t % lanes.summands;
  const unsigned o = tile * lanes.outputs + o_lane;
  float sum = 0;
  if (o < x.outputs) {
    const float* from = x.data + x.kept_offset(o);
    const unsigned first = chunk * lanes.summands * kPerThread + r_lane;
    for (unsigned i = 0; i < kPerThread; ++i) {
      const unsigned r = first + i * lanes.summands;
      if (r < x.summands) sum += from[x.summed_offset(r)];
    }
  }
  partial[r_lane * lanes.outputs + o_lane] = sum;
  for (unsigned half = lanes.summands / 2; half > 0; half /= 2) {
    __syncthreads();
    if (r_lane < half) partial[r_lane * lanes.outputs + o_lane] += partial[(r_lane + half) * lanes.outputs + o_lane];
  }
  if (r_lane != 0 || o >= x.outputs) return;
  float* to = y.data + chunk * y.chunk_stride + o / y.c * y.pixel_stride + o % y.c;
  const float value = y.alpha * partial[o_lane];
  *to = y.accumulate ? *to + value : value;
}

Lanes share_out(const Source& x) {
  Lanes l{1, kThreads, x.summed_c == 1};
  const unsigned most = l.outputs_first ? 32 : 8;
  while (l.outputs < x.outputs && l.outputs < most) l.outputs *= 2;
  l.summands = kThreads / l.outputs;
  return l;
}

std::int64_t chunks_of(const Source& x, const Lanes& l) { return blocks_for(x.summands, l.summands * kPerThread); }

// The partial sums of a stage, to be summed by the next.
Source partial_sums(const float* data, std::int64_t outputs, std::int64_t chunks) {
  const auto count = static_cast<unsigned>(outputs);
  return {data, Axes{1, 1, 0, 0, 0}, Axes{1, 1, outputs, 0, 0}, count, 1, count, static_cast<unsigned>(chunks)};
}

}  // namespace

void sum_to(const Gpu& gpu, float alpha, ConstView x, View y, bool accumulate) {
  require_view("sum_to", "x", x);
  require_view("sum_to", "y", y);
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
  Source source{data_as<float>(x),
                axes(true),
                axes(false),
                static_cast<unsigned>(y.c),
                static_cast<unsigned>(summed_c),
                static_cast<unsigned>(y.count()),
                static_cast<unsigned>(summed_pixels * summed_c)};

  std::int64_t scratch = 0;
  for (Source s = source;;) {
    const std::int64_t chunks = chunks_of(s, share_out(s));
    if (chunks <= 1) break;
    scratch += chunks * y.count();
    s = partial_sums(nullptr, y.count(), chunks);
  }
  float* partial = scratch == 0 ? nullptr : take_workspace<float>(gpu, "sum_to", scratch);
  for (;;) {
    const Lanes lanes = share_out(source);
    const std::int64_t chunks = chunks_of(source, lanes), tiles = blocks_for(y.count(), lanes.outputs);
    const bool last = chunks <= 1;
    const Target target =
        last ? Target{data_as<float>(y), static_cast<unsigned>(y.c), y.pixel_stride, 0, alpha, accumulate}
             : Target{partial, source.outputs, 0, y.count(), 1.0f, false};
    launch(gpu, gf_sum_to_kernel, std::max<std::int64_t>(chunks, 1) * tiles, kThreads, 0, source, lanes,
           static_cast<unsigned>(tiles), target);
    if (last) return;
    source = partial_sums(partial, y.count(), chunks);
    partial += chunks * y.count();
  }
}

}  // namespace gf
