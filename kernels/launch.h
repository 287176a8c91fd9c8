#pragma once
// How a .cu file starts its kernels, and the words it may use. The same file is compiled twice: under nvcc `Gpu` is
// Cuda and launch() is the triple chevron; under the host compiler `Gpu` is Simt and launch() runs the kernel on host
// memory (kernels/simt). This is the only place that knows which.
//
// A kernel declares shared memory through GF_SHARED(T, name, n) or GF_DYN_SHARED(T, name), and passes it to helpers as
// a template parameter (on the host it is no pointer).
#include <cstdint>
#include <source_location>
#include <string>

#include "kernels/context.h"
#include "kernels/error.h"

#ifdef __CUDACC__
#include "kernels/cuda/cuda_check.h"
#else
#include "kernels/simt/device.h"
#include "kernels/simt/grid.h"
#include "kernels/simt/recording.h"
#endif

namespace gf {

// Extents of a grid or a block, and the line of the launch.
struct LaunchSize {
  std::int64_t x, y, z;
  std::source_location at;
  LaunchSize(std::int64_t x_, std::int64_t y_ = 1, std::int64_t z_ = 1,
             std::source_location at_ = std::source_location::current())
      : x(x_), y(y_), z(z_), at(at_) {}
};

// CUDA's own limits, checked on both sides; a grid of zero blocks is an error, not a kernel that does nothing.
inline void check_launch(const LaunchSize& grid, const LaunchSize& block) {
  const auto text = [](const LaunchSize& s) {
    std::string t = std::to_string(s.x);
    t += " x " + std::to_string(s.y) + " x " + std::to_string(s.z);
    return t;
  };
  const auto within = [](const LaunchSize& s, std::int64_t x, std::int64_t y, std::int64_t z) {
    return s.x >= 1 && s.x <= x && s.y >= 1 && s.y <= y && s.z >= 1 && s.z <= z;
  };
  const std::string where = std::string(grid.at.file_name()) + ":" + std::to_string(grid.at.line());
  if (!within(grid, 0x7fffffff, 65535, 65535)) {
    fail("kernel launch: wrong grid", where, "1 to 2147483647 x 65535 x 65535 blocks", text(grid));
  }
  if (!within(block, 1024, 1024, 64) || block.x * block.y * block.z > 1024) {
    fail("kernel launch: wrong block", where, "1 to 1024 threads", text(block));
  }
}

// Rounds up.
constexpr std::int64_t blocks_for(std::int64_t items, std::int64_t per_block) {
  return (items + per_block - 1) / per_block;
}

#ifdef __CUDACC__

using Gpu = Cuda;

#define GF_SHARED(T, name, n) __shared__ __align__(32) T name[n]
#define GF_DYN_SHARED(T, name)                                       \
  extern __shared__ __align__(16) unsigned char gf_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(gf_dynamic_shared)

__device__ inline float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
__device__ inline void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }
// a * b + c rounded twice, as the host does it; nvcc would fuse the two.
__device__ inline float multiply_then_add(float a, float b, float c) { return __fadd_rn(__fmul_rn(a, b), c); }
__device__ inline double multiply_then_add(double a, double b, double c) { return __dadd_rn(__dmul_rn(a, b), c); }
// 16 bytes of anything; T is a trivially copyable type of that size.
template <class T>
__device__ T load16(const void* p) {
  static_assert(sizeof(T) == 16);
  return *static_cast<const T*>(p);
}
template <class T>
__device__ void store16(void* p, const T& v) {
  static_assert(sizeof(T) == 16);
  *static_cast<T*>(p) = v;
}

template <class T, class Elements>
__device__ void store16(T* shared, int index, const Elements& v) {
  static_assert(sizeof(Elements) == 16);
  *reinterpret_cast<Elements*>(shared + index) = v;
}

template <class... Parameters, class... Arguments>
void launch(const Cuda& gpu, void (*kernel)(Parameters...), LaunchSize grid, LaunchSize block, std::size_t shared_bytes,
            Arguments... arguments) {
  check_launch(grid, block);
  if (shared_bytes > 48 * 1024) {  // more must be asked for
    GF_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                       cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
  }
  const auto extents = [](const LaunchSize& s) {
    return dim3(static_cast<unsigned>(s.x), static_cast<unsigned>(s.y), static_cast<unsigned>(s.z));
  };
  kernel<<<extents(grid), extents(block), shared_bytes, gpu.stream>>>(arguments...);
  GF_CUDA_CHECK(cudaGetLastError());
}

// A kernel whose threads neither meet nor share. On the GPU that makes no difference.
template <class... Parameters, class... Arguments>
void launch_independent(const Cuda& gpu, void (*kernel)(Parameters...), LaunchSize grid, LaunchSize block,
                        Arguments... arguments) {
  launch(gpu, kernel, grid, block, 0, arguments...);
}

#else

using Gpu = Simt;

namespace simt {

inline Launch make_launch(const Simt& gpu, const LaunchSize& grid, const LaunchSize& block, std::size_t shared_bytes) {
  check_launch(grid, block);
  if (shared_bytes > gpu.shared_limit) {
    fail("kernel launch: too much shared memory", place(grid.at), std::to_string(gpu.shared_limit) + " bytes at most",
         std::to_string(shared_bytes));
  }
  const auto extents = [](const LaunchSize& s) {
    return Dim3{static_cast<unsigned>(s.x), static_cast<unsigned>(s.y), static_cast<unsigned>(s.z)};
  };
  return {{}, extents(grid), extents(block), shared_bytes, gpu.shared_limit, gpu.order_seed};
}

}  // namespace simt

template <class... Parameters, class... Arguments>
void launch(const Simt& gpu, void (*kernel)(Parameters...), LaunchSize grid, LaunchSize block, std::size_t shared_bytes,
            Arguments... arguments) {
  simt::run_or_record([=, size = simt::make_launch(gpu, grid, block, shared_bytes)] {
    simt::Launch l = size;
    const auto call = [&] { kernel(arguments...); };
    l.kernel = {[](const void* closure) { (*static_cast<decltype(&call)>(closure))(); }, &call};
    simt::run_cooperative(l);
  });
}

// A kernel whose threads neither meet nor share: runs as a plain loop.
template <class... Parameters, class... Arguments>
void launch_independent(const Simt& gpu, void (*kernel)(Parameters...), LaunchSize grid, LaunchSize block,
                        Arguments... arguments) {
  simt::run_or_record([=, size = simt::make_launch(gpu, grid, block, 0)] {
    simt::run_independent(size, [&] { kernel(arguments...); });
  });
}

#endif

// The call's scratch memory, as `count` elements of T.
template <class T>
T* take_workspace(const Gpu& gpu, const char* kernel, std::int64_t count) {
  const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
  void* memory = gpu.workspace == nullptr ? nullptr : gpu.workspace(bytes);
  if (memory == nullptr) {
    fail(std::string(kernel) + ": no workspace", std::to_string(bytes) + " bytes", "a context that has memory to lend");
  }
  return static_cast<T*>(memory);
}

}  // namespace gf
