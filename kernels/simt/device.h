#pragma once
// CUDA's vocabulary for the host compiler: what a kernel in kernels/cuda may say besides plain C++. A .cu file gets it
// through kernels/launch.h.
//
// Left out on purpose: atomics on floating-point numbers (their sums depend on the order), raw shared memory (it must
// be GF_SHARED), and what an executor on the host cannot check: cooperative grids, clusters, inline PTX, textures.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>

#include "kernels/simt/block.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

// A shared array of n elements of T; n is a constant.
#define GF_SHARED(T, name, n) const ::gf::simt::Shared<T> name = ::gf::simt::declare_shared<T>(#name, n)
// The launch's shared_bytes as an array of T, 16-byte aligned. One declaration a kernel.
#define GF_DYN_SHARED(T, name) const ::gf::simt::Shared<T> name = ::gf::simt::declare_dynamic_shared<T>(#name)

namespace gf::simt {

using std::max;
using std::min;
using std::source_location;

// ---- barriers of the block

inline std::uint64_t meet(Meeting meeting, unsigned mask, std::uint64_t value, unsigned source_lane,
                          const source_location& at) {
  return Block::running("a barrier, shuffle or vote", at).meet({meeting, at, mask, source_lane, value, 0});
}

inline void __syncthreads(source_location at = source_location::current()) { meet(Meeting::sync, 0, 0, 0, at); }
inline int __syncthreads_or(int predicate, source_location at = source_location::current()) {
  return static_cast<int>(meet(Meeting::sync_or, 0, predicate != 0, 0, at));
}
inline int __syncthreads_and(int predicate, source_location at = source_location::current()) {
  return static_cast<int>(meet(Meeting::sync_and, 0, predicate != 0, 0, at));
}
inline int __syncthreads_count(int predicate, source_location at = source_location::current()) {
  return static_cast<int>(meet(Meeting::sync_count, 0, predicate != 0, 0, at));
}

// ---- warps: barriers, votes, shuffles

constexpr unsigned kFullMask = 0xffffffffu;

inline void __syncwarp(unsigned mask = kFullMask, source_location at = source_location::current()) {
  meet(Meeting::warp_sync, mask, 0, 0, at);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, source_location at = source_location::current()) {
  return static_cast<unsigned>(meet(Meeting::ballot, mask, predicate != 0, 0, at));
}
inline int __any_sync(unsigned mask, int predicate, source_location at = source_location::current()) {
  return meet(Meeting::ballot, mask, predicate != 0, 0, at) != 0;
}
inline int __all_sync(unsigned mask, int predicate, source_location at = source_location::current()) {
  return meet(Meeting::ballot, mask, predicate == 0, 0, at) == 0;
}

template <class T>
T exchange_lanes(unsigned mask, T value, unsigned source_lane, const source_location& at) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = meet(Meeting::shuffle, mask, bits, source_lane, at);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
inline unsigned this_lane(const source_location& at) { return Block::running("a shuffle", at).lane(); }

// Lanes talk within groups of `width`; whoever asks beyond the group's end gets its own value back.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, source_location at = source_location::current()) {
  const unsigned lane = this_lane(at), w = static_cast<unsigned>(width);
  return exchange_lanes(mask, value, (lane & ~(w - 1)) | (static_cast<unsigned>(source) & (w - 1)), at);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 source_location at = source_location::current()) {
  const unsigned lane = this_lane(at), w = static_cast<unsigned>(width);
  return exchange_lanes(mask, value, (lane & (w - 1)) < delta ? lane : lane - delta, at);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   source_location at = source_location::current()) {
  const unsigned lane = this_lane(at), w = static_cast<unsigned>(width);
  return exchange_lanes(mask, value, (lane & (w - 1)) + delta >= w ? lane : lane + delta, at);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  source_location at = source_location::current()) {
  const unsigned lane = this_lane(at), w = static_cast<unsigned>(width),
                 source = lane ^ static_cast<unsigned>(lane_mask);
  return exchange_lanes(mask, value, source > (lane | (w - 1)) ? lane : source, at);
}

// ---- atomics on integers, in global and in shared memory; each returns the old value

template <std::integral T, class Change>
T atomic_update(T* address, const Change& change) {
  std::atomic_ref<T> value(*address);
  T old = value.load();
  while (!value.compare_exchange_weak(old, change(old))) {
  }
  return old;
}
template <std::integral T, class Change>
T atomic_update(const SharedAddress<T>& address, const Change& change) {
  // The block's other threads do not run meanwhile.
  T* value = static_cast<T*>(address.array->update(address.index.value, address.index.at));
  const T old = *value;
  *value = change(old);
  return old;
}

template <class Address, class T>
T atomicAdd(const Address& a, T v) {
  return atomic_update(a, [v](T old) { return static_cast<T>(old + v); });
}
template <class Address, class T>
T atomicMax(const Address& a, T v) {
  return atomic_update(a, [v](T old) { return old < v ? v : old; });
}
template <class Address, class T>
T atomicMin(const Address& a, T v) {
  return atomic_update(a, [v](T old) { return v < old ? v : old; });
}
template <class Address, class T>
T atomicExch(const Address& a, T v) {
  return atomic_update(a, [v](T) { return v; });
}
template <class Address, class T>
T atomicCAS(const Address& a, T expected, T v) {
  return atomic_update(a, [expected, v](T old) { return old == expected ? v : old; });
}

inline float multiply_then_add(float a, float b, float c) { return a * b + c; }  // the host fuses nothing
inline double multiply_then_add(double a, double b, double c) { return a * b + c; }

// ---- 16 bytes at once

struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline void check_aligned(const void* p, const source_location& at) {
  const auto over = std::bit_cast<std::uintptr_t>(p) % alignof(float4);
  if (over != 0)
    kernel_error("misaligned 16-byte access", at, "a multiple of 16", std::to_string(over) + " bytes over");
}
inline float4 load4(const float* p, source_location at = source_location::current()) {
  check_aligned(p, at);
  float4 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store4(float* p, float4 v, source_location at = source_location::current()) {
  check_aligned(p, at);
  std::memcpy(p, &v, sizeof v);
}
template <class T>
T load16(const void* p, source_location at = source_location::current()) {
  static_assert(sizeof(T) == 16 && std::is_trivially_copyable_v<T>);
  check_aligned(p, at);
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
void store16(void* p, const T& v, source_location at = source_location::current()) {
  static_assert(sizeof(T) == 16 && std::is_trivially_copyable_v<T>);
  check_aligned(p, at);
  std::memcpy(p, &v, sizeof v);
}
// A struct of 16 bytes of T to shared[index] and on.
template <class T, class Elements>
void store16(const Shared<T>& shared, int index, const Elements& v, source_location at = source_location::current()) {
  constexpr int kCount = 16 / sizeof(T);
  static_assert(sizeof(Elements) == 16 && std::is_trivially_copyable_v<Elements>);
  if (index % kCount != 0)
    kernel_error("misaligned 16-byte access", at, "an index that " + std::to_string(kCount) + " divides",
                 std::to_string(index));
  T elements[kCount];
  std::memcpy(elements, &v, sizeof v);
  for (int i = 0; i < kCount; ++i) shared[{index + i, at}] = elements[i];
}
inline float4 load4(const SharedAddress<float>& p) {
  const Shared<float> s(p.array, p.index.value);
  if (p.index.value % 4 != 0) kernel_error("misaligned 16-byte access", p.index.at, "an index that 4 divides");
  return {s[{0, p.index.at}], s[{1, p.index.at}], s[{2, p.index.at}], s[{3, p.index.at}]};
}

}  // namespace gf::simt

namespace gf {
using namespace simt;  // kernels say threadIdx and __syncthreads() without a prefix, as under nvcc
}  // namespace gf
