#pragma once
// A warp's 16 x 16 x 16 matrix product played on the host (the words are kernels/cuda/mma.h's). A lane holds half a row
// of each tile; to multiply, the lanes show each other theirs.
#include "kernels/bf16.h"
#include "kernels/simt/device.h"

namespace gf::mma {

using simt::Shared;
using std::source_location;

constexpr int kTile = 16, kHalf = 8;

// Row r of lanes 2r and 2r + 1: columns 0..7 and 8..15.
template <class T>
struct HalfRow {
  T e[kHalf];
};
struct FragmentA : HalfRow<bf16> {};     // row m, columns k
struct FragmentB : HalfRow<bf16> {};     // row n, columns k
struct Accumulator : HalfRow<float> {};  // row m, columns n

inline unsigned warp_lane(const source_location& at) { return simt::Block::running("a matrix tile", at).lane(); }

// All lanes meet, each bringing 64 bits for the others to see.
inline void gather(std::uint64_t bits, const source_location& at) {
  simt::meet(simt::Meeting::gather, simt::kFullMask, bits, 0, at);
}

inline void check_tile(std::int64_t byte_offset, std::int64_t row_bytes, const source_location& at) {
  if (byte_offset % 32 != 0)
    simt::kernel_error("misaligned matrix tile", at, "a multiple of 32 bytes",
                       std::to_string(byte_offset % 32) + " over");
  if (row_bytes % 16 != 0)
    simt::kernel_error("misaligned matrix tile", at, "rows a multiple of 16 bytes apart", std::to_string(row_bytes));
}

inline void load(HalfRow<bf16>& f, const Shared<bf16>& s, int i, int ld,
                 source_location at = source_location::current()) {
  check_tile(2 * std::int64_t{i}, 2 * std::int64_t{ld}, at);
  const int lane = static_cast<int>(warp_lane(at)), first = i + lane / 2 * ld + lane % 2 * kHalf;
  for (int j = 0; j < kHalf; ++j) f.e[j] = s[{first + j, at}];
  gather(0, at);
}

inline void load(HalfRow<bf16>& f, const bf16* s, int i, int ld, source_location at = source_location::current()) {
  check_tile(std::bit_cast<std::intptr_t>(s + i), 2 * std::int64_t{ld}, at);
  const int lane = static_cast<int>(warp_lane(at));
  std::memcpy(f.e, s + i + std::int64_t{lane / 2} * ld + lane % 2 * kHalf, sizeof f.e);
  gather(0, at);
}

inline void zero(Accumulator& c) { c = {}; }

inline void multiply_add(Accumulator& c, const FragmentA& a, const FragmentB& b,
                         source_location at = source_location::current()) {
  struct Factors {
    const FragmentA* a;
    const FragmentB* b;
  } const mine{&a, &b};
  const int lane = static_cast<int>(warp_lane(at)), m = lane / 2;
  const auto bits = std::bit_cast<std::uint64_t>(&mine);
  gather(bits, at);
  const simt::Block& block = simt::Block::current();
  const auto factors = [&](int l) { return std::bit_cast<const Factors*>(block.gathered(static_cast<unsigned>(l))); };
  const FragmentA *left = factors(2 * m)->a, *right = factors(2 * m + 1)->a;
  HalfRow<float> sum = c;
  for (int j = 0; j < kHalf; ++j) {
    const int n = lane % 2 * kHalf + j;
    const FragmentB *top = factors(2 * n)->b, *bottom = factors(2 * n + 1)->b;
    for (int k = 0; k < kHalf; ++k) sum.e[j] += to_float(left->e[k]) * to_float(top->e[k]);
    for (int k = 0; k < kHalf; ++k) sum.e[j] += to_float(right->e[k]) * to_float(bottom->e[k]);
  }
  gather(bits, at);  // all have read
  static_cast<HalfRow<float>&>(c) = sum;
}

inline void store(const Shared<float>& s, int i, int ld, const Accumulator& c,
                  source_location at = source_location::current()) {
  check_tile(4 * std::int64_t{i}, 4 * std::int64_t{ld}, at);
  const int lane = static_cast<int>(warp_lane(at)), first = i + lane / 2 * ld + lane % 2 * kHalf;
  for (int j = 0; j < kHalf; ++j) s[{first + j, at}] = c.e[j];
  gather(0, at);
}

}  // namespace gf::mma
