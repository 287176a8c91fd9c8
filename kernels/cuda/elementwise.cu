// Elementwise arithmetic on the GPU (contract: kernels/elementwise.h; sum_to is in sum_to.cu).
//
//   y[n,h,w,c] = f(a[n,h,w,c], b[n,h,w,c]), an operand's extent of 1 being read again and again
//
// Memory traffic: every input is read once and y written once, b bytes an element each (4 in float32, 2 in bf16); what
// is broadcast stays in the caches. The arithmetic is hidden behind it, so the floor is (inputs + 1) * b * n*h*w*c
// bytes over the memory's bandwidth: 3 * 4 bytes an element for a + b in float32.
//
// One kernel serves all: a thread takes one channel, or 16 bytes of neighbouring channels where alignment and strides
// allow, of one pixel; threads of a warp lie along the channels, so that their accesses join. Tensors without gaps are
// walked as one long row. Which function f is does not depend on the thread: the switch inside it costs no divergence.
#include "kernels/elementwise.h"

#include <algorithm>

#include "kernels/cuda/element.h"

namespace gf {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxGridY = 65535;

struct BinaryOp {
  static constexpr int kInputs = 2;
  Binary op;

  __device__ float operator()(float a, float b) const {
    switch (op) {
      case Binary::add:
        return a + b;
      case Binary::sub:
        return a - b;
      case Binary::mul:
        return a * b;
      case Binary::div:
        return a / b;
    }
    return 0;
  }
};

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
__device__ inline float normal_cdf(float x) { return 0.5f * erfcf(-0.707106781f * x); }

// The comparisons let a NaN through.
struct UnaryOp {
  static constexpr int kInputs = 1;
  Unary op;
  float p;

  __device__ float operator()(float x, float) const {
    switch (op) {
      case Unary::relu:
        return x < 0.0f ? 0.0f : x;
      case Unary::leaky_relu:
        return x > 0.0f ? x : p * x;
      case Unary::relu6:
        return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
      case Unary::tanh:
        return tanhf(x);
      case Unary::exp:
        return expf(x);
      case Unary::log:
        return logf(x);
      case Unary::sqrt:
        return sqrtf(x);
      case Unary::square:
        return x * x;
      case Unary::abs:
        return fabsf(x);
      case Unary::scale:
        return p * x;
      case Unary::shift:
        return x + p;
      case Unary::sigmoid:
        return sigmoid(x);
      case Unary::gelu:
        return x * normal_cdf(x);
    }
    return 0;
  }
};

struct UnaryBackwardOp {
  static constexpr int kInputs = 2;
  Unary op;
  float p;

  __device__ float operator()(float x, float dy) const {
    switch (op) {
      case Unary::relu:
        return x > 0.0f ? dy : 0.0f;
      case Unary::leaky_relu:
        return x > 0.0f ? dy : p * dy;
      case Unary::relu6:
        return x > 0.0f && x < 6.0f ? dy : 0.0f;
      case Unary::tanh: {
        const float t = tanhf(x);
        return dy * (1.0f - t * t);
      }
      case Unary::exp:
        return dy * expf(x);
      case Unary::log:
        return dy / x;
      case Unary::sqrt:
        return dy * 0.5f / sqrtf(x);
      case Unary::square:
        return 2.0f * dy * x;
      case Unary::abs:
        return x > 0.0f ? dy : x < 0.0f ? -dy : 0.0f * x;
      case Unary::scale:
        return p * dy;
      case Unary::shift:
        return dy;
      case Unary::sigmoid: {
        const float s = sigmoid(x);
        return dy * s * (1.0f - s);
      }
      case Unary::gelu:
        return dy * (normal_cdf(x) + x * 0.398942280f * expf(-0.5f * x * x));
    }
    return 0;
  }
};

struct AxpyOp {
  static constexpr int kInputs = 2;
  float alpha;
  __device__ float operator()(float x, float y) const { return y + alpha * x; }
};

struct FillOp {
  static constexpr int kInputs = 0;
  float value;
  __device__ float operator()(float, float) const { return value; }
};

// An input; the stride of a broadcast axis is 0.
template <class T>
struct Operand {
  const T* data = nullptr;
  std::int64_t n_stride = 0, h_stride = 0, w_stride = 0;
  int c_stride = 0;

  __device__ const T* at(unsigned n, unsigned h, unsigned w, std::int64_t c) const {
    return data + n * n_stride + h * h_stride + w * w_stride + c * c_stride;
  }
};

template <class T>
struct Output {
  T* data;
  std::int64_t pixel_stride, c;
  unsigned h, w, pixels;
};

template <int kWidth, class T>
__device__ void load(const Operand<T>& o, const T* p, float (&v)[kWidth]) {
  if (o.c_stride == 1) return load_elements<kWidth>(p, v);
  for (float& x : v) x = to_float(*p);  // one for all
}

template <class T, int kWidth, class Op>
__global__ void gf_map_kernel(Op op, Operand<T> a, Operand<T> b, Output<T> y) {
  const std::int64_t c = (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kWidth;
  if (c >= y.c) return;
  for (unsigned pixel = blockIdx.y * blockDim.y + threadIdx.y; pixel < y.pixels; pixel += gridDim.y * blockDim.y) {
    const unsigned w = pixel % y.w, h = pixel / y.w % y.h, n = pixel / y.w / y.h;
    float va[kWidth] = {}, vb[kWidth] = {}, out[kWidth];
    if (Op::kInputs > 0) load<kWidth>(a, a.at(n, h, w, c), va);
    if (Op::kInputs > 1) load<kWidth>(b, b.at(n, h, w, c), vb);
    for (int i = 0; i < kWidth; ++i) out[i] = op(va[i], vb[i]);
    store_elements<kWidth>(y.data + pixel * y.pixel_stride + c, out);
  }
}

template <class From, class To>
__device__ To converted(From x) {
  if constexpr (std::is_same_v<From, To>) {
    return x;
  } else {
    return to_element<To>(to_float(x));
  }
}

template <class From, class To>
__global__ void gf_copy_kernel(const From* x, std::int64_t x_stride, To* y, std::int64_t y_stride,
                               std::int64_t channels, unsigned pixels) {
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  for (unsigned pixel = blockIdx.y * blockDim.y + threadIdx.y; pixel < pixels; pixel += gridDim.y * blockDim.y) {
    y[pixel * y_stride + c] = converted<From, To>(x[pixel * x_stride + c]);
  }
}

// Threads for rows of `row` items: as many along the row as it needs, up to all of them, the rest on further pixels.
struct Geometry {
  LaunchSize grid, block;
};
Geometry geometry(std::int64_t row, std::int64_t pixels) {
  std::int64_t along = 1;
  while (along < row && along < kThreads) along *= 2;
  const std::int64_t across = kThreads / along;
  return {{blocks_for(row, along), std::min<std::int64_t>(blocks_for(pixels, across), kMaxGridY)}, {along, across}};
}

void check_pixels(const char* kernel, const View& y) {
  if (y.pixels() > 0x7fffffff) fail(std::string(kernel) + ": too many pixels", describe("y", y), "at most 2^31-1");
}

template <class T>
Operand<T> operand(const ConstView& v, const Shape& out) {
  const auto stride = [](std::int64_t extent, std::int64_t out_extent, std::int64_t step) {
    return extent == 1 && out_extent != 1 ? 0 : step;
  };
  return {data_as<T>(v), stride(v.n, out.n, v.h * v.w * v.pixel_stride), stride(v.h, out.h, v.w * v.pixel_stride),
          stride(v.w, out.w, v.pixel_stride), static_cast<int>(stride(v.c, out.c, 1))};
}

// y = op(a, b), all of y's dtype
template <class Op>
void map(const Gpu& gpu, const char* kernel, Op op, ConstView a, ConstView b, View y) {
  if (y.count() == 0) return;
  check_pixels(kernel, y);
  // Without gaps and with nothing broadcast but scalars, the tensor is one long row.
  const auto is_row = [&](const ConstView& v) { return v.count() == 1 || (v.shape() == y.shape() && v.dense()); };
  if ((Op::kInputs < 1 || is_row(a)) && (Op::kInputs < 2 || is_row(b)) && y.dense()) {
    const auto as_row = [](auto v) { return decltype(v)(v.data, v.dtype, Shape{1, 1, 1, v.count()}); };
    a = as_row(a);
    b = as_row(b);
    y = as_row(y);
  }
  with_element(y.dtype, [&](auto element) {
    using T = decltype(element);
    const Operand<T> oa = Op::kInputs > 0 ? operand<T>(a, y.shape()) : Operand<T>{};
    const Operand<T> ob = Op::kInputs > 1 ? operand<T>(b, y.shape()) : Operand<T>{};
    const Output<T> out{data_as<T>(y),
                        y.pixel_stride,
                        y.c,
                        static_cast<unsigned>(y.h),
                        static_cast<unsigned>(y.w),
                        static_cast<unsigned>(y.pixels())};
    const auto in_packs = [](const Operand<T>& o, const ConstView& v) {
      return o.c_stride == 0 || starts_at_16_bytes(v);
    };
    if (takes_packs(y) && in_packs(oa, a) && in_packs(ob, b)) {
      const Geometry g = geometry(y.c / kPackWidth<T>, y.pixels());
      launch_independent(gpu, gf_map_kernel<T, kPackWidth<T>, Op>, g.grid, g.block, op, oa, ob, out);
    } else {
      const Geometry g = geometry(y.c, y.pixels());
      launch_independent(gpu, gf_map_kernel<T, 1, Op>, g.grid, g.block, op, oa, ob, out);
    }
  });
}

template <class From, class To>
void copy_as(const Gpu& gpu, const ConstView& x, const View& y) {
  const Geometry g = geometry(y.c, y.pixels());
  launch_independent(gpu, gf_copy_kernel<From, To>, g.grid, g.block, data_as<From>(x), x.pixel_stride, data_as<To>(y),
                     y.pixel_stride, y.c, static_cast<unsigned>(y.pixels()));
}

}  // namespace

void binary(const Gpu& gpu, Binary op, ConstView a, ConstView b, View y) {
  require_float("binary", "y", y);
  require_like("binary", "a", a, y);
  require_like("binary", "b", b, y);
  require_broadcast("binary", "a", a, y.shape());
  require_broadcast("binary", "b", b, y.shape());
  map(gpu, "binary", BinaryOp{op}, a, b, y);
}

void unary(const Gpu& gpu, Unary op, float p, ConstView x, View y) {
  require_float("unary", "x", x);
  require_like("unary", "y", y, x);
  require_same_shape("unary", "x", x, "y", y);
  map(gpu, "unary", UnaryOp{op, p}, x, {}, y);
}

void unary_backward(const Gpu& gpu, Unary op, float p, ConstView x, ConstView dy, View dx) {
  require_float("unary_backward", "x", x);
  require_like("unary_backward", "dy", dy, x);
  require_like("unary_backward", "dx", dx, x);
  require_same_shape("unary_backward", "x", x, "dx", dx);
  require_same_shape("unary_backward", "dy", dy, "dx", dx);
  map(gpu, "unary_backward", UnaryBackwardOp{op, p}, x, dy, dx);
}

void axpy(const Gpu& gpu, float alpha, ConstView x, View y) {
  require_float("axpy", "x", x);
  require_like("axpy", "y", y, x);
  require_same_shape("axpy", "x", x, "y", y);
  map(gpu, "axpy", AxpyOp{alpha}, x, y, y);
}

void fill(const Gpu& gpu, float value, View y) {
  require_float("fill", "y", y);
  map(gpu, "fill", FillOp{value}, {}, {}, y);
}

void copy(const Gpu& gpu, ConstView x, View y) {
  require_view("copy", "x", x, x.dtype);
  const bool rounds = x.dtype == DType::f32 && y.dtype == DType::bf16,
             widens = x.dtype == DType::bf16 && y.dtype == DType::f32;
  require_view("copy", "y", y, rounds || widens ? y.dtype : x.dtype);
  require_same_shape("copy", "x", x, "y", y);
  if (y.count() == 0) return;
  check_pixels("copy", y);
  if (rounds) return copy_as<float, bf16>(gpu, x, y);
  if (widens) return copy_as<bf16, float>(gpu, x, y);
  switch (size_of(x.dtype)) {
    case 1:
      return copy_as<std::uint8_t, std::uint8_t>(gpu, x, y);
    case 2:
      return copy_as<std::uint16_t, std::uint16_t>(gpu, x, y);
    default:
      return copy_as<std::uint32_t, std::uint32_t>(gpu, x, y);
  }
}

}  // namespace gf
