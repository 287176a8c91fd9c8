#pragma once
// NumPy's npz files, packed (as numpy.savez_compressed): what NpzFile (npz.h) and numpy.load read. The same arrays give
// the same bytes.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gf {

struct NpzArray {
  std::string name;   // without ".npy"
  std::string descr;  // NumPy's type: "<f4", "|u1"
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // C order, little-endian; below 4 GB
};

// Atomic. Errors (failure): arrays too large for a plain zip archive, and whatever AtomicFile says.
void write_npz(const std::string& path, const std::vector<NpzArray>& arrays);

}  // namespace gf
