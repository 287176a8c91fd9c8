// Soft Dice loss on the GPU (contract: kernels/losses.h).
//
//   p = softmax(z), t one-hot;   I = sum p t, P = sum p^2, T = sum t^2 of a class over the pixels that count
//   loss = 1 - mean_c N / D,   N = 2 I + smooth, D = P + T + smooth
//   g_c = -(2 t_c / D - 2 p_c N / D^2) / C,   dz_c = upstream * p_c (g_c - sum_k p_k g_k), or 0
//
// Memory traffic, b bytes a logit (4 in float32, 2 in bf16), a pixel: the loss reads b * C + 4, the gradient reads the
// same and writes b * C. Floor: those bytes over the memory's bandwidth.
//
// A group of lanes holds a pixel (cuda/pixel_row.h). A lane has the same channels of every pixel it takes, so the three
// sums of its classes lie in its registers, and so does what the gradient needs of them. Blocks add up their groups
// pairwise in shared memory and leave partial sums; then a block a sum merges these, and one block makes the loss.
#include "kernels/cuda/labels.h"

namespace gf {
namespace {

// The groups' sums of every class become sums[c * blocks + this block]. `shared`: c floats a group.
template <class R, class Shared>
__device__ void store_class_sums(const PixelCut& cut, R& row, Shared shared, float* sums) {
  const auto c = static_cast<unsigned>(cut.c), groups = static_cast<unsigned>(kRowThreads) >> cut.shift;
  const unsigned group = threadIdx.x >> cut.shift;
  row.each(cut, [&](float v, int ch) { shared[group * c + static_cast<unsigned>(ch)] = v; });
  for (unsigned half = groups / 2; half > 0; half /= 2) {
    __syncthreads();
    for (unsigned i = threadIdx.x; i < half * c; i += kRowThreads) shared[i] += shared[i + half * c];
  }
  __syncthreads();
  for (unsigned ch = threadIdx.x; ch < c; ch += kRowThreads) {
    sums[ch * std::int64_t{gridDim.x} + blockIdx.x] = shared[ch];
  }
  __syncthreads();
}

// partial[sum][block]: I, P and T of every class, then the number of bad labels.
template <class R, class T = typename R::Element>
__global__ void gf_dice_sums_kernel(PixelCut cut, Rows<const T> z, Labels labels, float* partial) {
  GF_SHARED(float, scratch, kRowWarps);
  GF_DYN_SHARED(float, shared);
  R both, squares, truth;
  float bad[1] = {};
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn), from = min(pixel, cut.pixels - 1);
    R row;
    row.load(cut, z.at(from));
    const std::int32_t label = *labels.rows.at(from);
    const int y = pixel < cut.pixels ? labels.counted(label) : -1;
    if (cut.lane() == 0 && pixel < cut.pixels && labels.bad(label)) bad[0] += 1.0f;
    row.softmax(cut);
    if (y < 0) continue;
    row.each(
        cut,
        [&](float p, float& i, float& p2, float& t, int c) {
          i += c == y ? p : 0.0f;
          p2 += p * p;
          t += c == y ? 1.0f : 0.0f;
        },
        both, squares, truth);
  }
  const std::int64_t step = std::int64_t{cut.c} * gridDim.x;
  store_class_sums(cut, both, shared, partial);
  store_class_sums(cut, squares, shared, partial + step);
  store_class_sums(cut, truth, shared, partial + 2 * step);
  store_block_sums(bad, scratch, partial + 3 * step);
}

// A block a sum; the last counts the bad labels.
__global__ void gf_dice_merge_kernel(const float* partial, unsigned count, float* sums, int* bad_labels) {
  GF_SHARED(double, scratch, kMergeThreads / 32);
  const double sum = merged_sum(partial + blockIdx.x * std::int64_t{count}, count, scratch);
  if (threadIdx.x != 0) return;
  if (blockIdx.x + 1 < gridDim.x) {
    sums[blockIdx.x] = static_cast<float>(sum);
  } else if (bad_labels != nullptr) {
    *bad_labels = static_cast<int>(sum);
  }
}

// Class c's N and D.
struct Fraction {
  double n, d;
  __device__ Fraction(const float* sums, int classes, int c, float smooth)
      : n(2.0 * static_cast<double>(sums[c]) + static_cast<double>(smooth)),
        d(static_cast<double>(sums[classes + c]) + static_cast<double>(sums[2 * classes + c]) +
          static_cast<double>(smooth)) {}
};

__global__ void gf_dice_loss_kernel(const float* sums, int classes, float smooth, float* loss) {
  GF_SHARED(double, scratch, kMergeThreads / 32);
  double dice = 0.0;
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += kMergeThreads) {
    const Fraction f(sums, classes, c, smooth);
    dice += f.n / f.d;
  }
  dice = block_sum(dice, scratch);
  if (threadIdx.x == 0) *loss = static_cast<float>(1.0 - dice / classes);
}

template <class R, class T = typename R::Element>
__global__ void gf_dice_backward_kernel(PixelCut cut, Rows<const T> z, Labels labels, float smooth, const float* sums,
                                        const float* upstream, Rows<T> dz) {
  R of_t, of_p;  // upstream * g = of_t * t + of_p * p
  const double scale = 2.0 * static_cast<double>(*upstream) / cut.c;
  of_t.each(
      cut,
      [&](float& t, float& p, int c) {
        const Fraction f(sums, cut.c, c, smooth);
        t = static_cast<float>(-scale / f.d);
        p = static_cast<float>(scale * f.n / (f.d * f.d));
      },
      of_p);
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn), from = min(pixel, cut.pixels - 1);
    R row;
    row.load(cut, z.at(from));
    const int y = labels.counted(*labels.rows.at(from));
    row.softmax(cut);
    const auto slope = [&](float p, float t_factor, float p_factor, int c) {
      return p_factor * p + (c == y ? t_factor : 0.0f);
    };
    float dot = 0.0f;
    row.each(
        cut, [&](float p, float t, float s, int c) { dot += p * slope(p, t, s, c); }, of_t, of_p);
    dot = cut.sum(dot);
    row.each(
        cut, [&](float& p, float t, float s, int c) { p = y < 0 ? 0.0f : p * (slope(p, t, s, c) - dot); }, of_t, of_p);
    if (pixel < cut.pixels) row.store(cut, dz.at(pixel));
  }
}

}  // namespace

void dice_loss_forward(const Gpu& gpu, int ignore_index, float smooth, ConstView z, ConstView label, View loss,
                       View sums, View bad_labels) {
  const char* kernel = "dice_loss_forward";
  require_float(kernel, "z", z);
  require_dice(kernel, z, label, sums);
  require_scalar(kernel, "loss", loss);
  require_bad_labels(kernel, bad_labels);
  require_countable_pixels(kernel, "z", z);
  const auto c = static_cast<int>(z.c);
  with_row(z, takes_packs(z), [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    const std::int64_t blocks = cut.blocks();
    float* partial = take_workspace<float>(gpu, kernel, (3 * z.c + 1) * std::max<std::int64_t>(blocks, 1));
    if (blocks > 0) {
      const auto shared_bytes = static_cast<std::size_t>((kRowThreads >> cut.shift) * c) * sizeof(float);
      launch(gpu, gf_dice_sums_kernel<R>, blocks, kRowThreads, shared_bytes, cut, rows_of<const T>(z),
             labels_of(label, ignore_index, z.c), partial);
    }
    std::int64_t threads = kWarpLanes;
    while (threads < blocks && threads < kMergeThreads) threads *= 2;
    launch(gpu, gf_dice_merge_kernel, 3 * z.c + 1, threads, 0, partial, static_cast<unsigned>(blocks),
           data_as<float>(sums), data_as<int>(bad_labels));
  });
  launch(gpu, gf_dice_loss_kernel, 1, kMergeThreads, 0, data_as<float>(sums), c, smooth, data_as<float>(loss));
}

void dice_loss_backward(const Gpu& gpu, int ignore_index, float smooth, ConstView z, ConstView label, ConstView sums,
                        ConstView upstream, View dz) {
  const char* kernel = "dice_loss_backward";
  require_float(kernel, "z", z);
  require_dice(kernel, z, label, sums);
  require_gradient(kernel, "z", z, "dz", dz, upstream);
  require_countable_pixels(kernel, "z", z);
  if (z.pixels() == 0) return;
  with_row(z, takes_packs(z) && takes_packs(dz), [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    launch(gpu, gf_dice_backward_kernel<R>, cut.blocks(), kRowThreads, 0, cut, rows_of<const T>(z),
           labels_of(label, ignore_index, z.c), smooth, data_as<float>(sums), data_as<float>(upstream), rows_of<T>(dz));
  });
}

}  // namespace gf
