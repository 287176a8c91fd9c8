#pragma once
// Small files made on the fly for the tests of data/: NIfTI files byte by byte.
#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "tests/harness/temporary_folder.h"

namespace gf::fixtures {

using Bytes = std::vector<std::uint8_t>;

inline void write_bytes(const std::string& path, const Bytes& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<long>(bytes.size()));
}

inline void write_text(const std::string& path, const std::string& text) {
  write_bytes(path, Bytes(text.begin(), text.end()));
}

inline Bytes read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

inline Bytes gzip(const Bytes& bytes) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(deflateBound(&z, bytes.size()) + 64);
  z.next_in = const_cast<Bytef*>(bytes.data());
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

template <class T>
T reversed(T value) {
  std::uint8_t b[sizeof(T)];
  std::memcpy(b, &value, sizeof(T));
  std::reverse(b, b + sizeof(T));
  std::memcpy(&value, b, sizeof(T));
  return value;
}

// A NIfTI-1 file put together from the standard's table of offsets, independent of the library.
struct NiftiBytes {
  bool big_endian = false;
  Bytes header = Bytes(348);

  explicit NiftiBytes(std::vector<std::int16_t> dim, std::int16_t datatype, std::int16_t bits, bool big = false)
      : big_endian(big) {
    put<std::int32_t>(0, 348);
    put<std::int16_t>(40, static_cast<std::int16_t>(dim.size()));
    for (int i = 1; i < 8; ++i) put<std::int16_t>(40 + 2 * i, i <= int(dim.size()) ? dim[i - 1] : std::int16_t{1});
    put<std::int16_t>(70, datatype);
    put<std::int16_t>(72, bits);
    put<float>(76, 1);
    for (int i = 1; i < 8; ++i) put<float>(76 + 4 * i, 1);
    put<float>(108, 352);  // vox_offset
    put<float>(112, 1);    // scl_slope
    header[123] = 2;       // millimetres
    std::memcpy(&header[344], "n+1", 4);
  }

  template <class T>
  NiftiBytes& put(std::size_t offset, T value) {
    if (big_endian) value = reversed(value);
    std::memcpy(&header[offset], &value, sizeof(T));
    return *this;
  }
  template <class T>
  Bytes voxel_bytes(const std::vector<T>& voxels) const {
    Bytes out(voxels.size() * sizeof(T));
    for (std::size_t i = 0; i < voxels.size(); ++i) {
      const T v = big_endian ? reversed(voxels[i]) : voxels[i];
      std::memcpy(&out[i * sizeof(T)], &v, sizeof(T));
    }
    return out;
  }
  // One file: header, `gap` bytes (4 = no extensions), voxels.
  template <class T>
  Bytes file(const std::vector<T>& voxels, std::size_t gap = 4) const {
    Bytes out = header;
    out.resize(348 + gap);
    const Bytes v = voxel_bytes(voxels);
    out.insert(out.end(), v.begin(), v.end());
    return out;
  }
};

// The message of the gf::Error that `call` throws; "" and a failed check where it throws none.
template <class Call>
std::string message_of(const Call& call, ErrorKind kind = ErrorKind::bad_data) {
  try {
    call();
  } catch (const Error& e) {
    CHECK(e.kind() == kind);
    return e.what();
  }
  FAIL_CHECK("no error");
  return "";
}

inline bool holds(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE("\"", part, "\" is not in: ", text);
  return found;
}

// A folder of ../shared/data beside the source, or "" (with a line saying what is skipped).
inline std::string shared_data(const std::string& name) {
  const std::string path = std::string(GF_SOURCE_DIR) + "/../shared/data/" + name;
  if (std::filesystem::exists(path)) return path;
  MESSAGE("skipped: no data set at ", path);
  return "";
}

inline bool has_brain() {
  if (std::filesystem::exists("/usr/share/mricron/templates/ch2.nii.gz")) return true;
  MESSAGE("skipped: Debian package mricron-data is not installed");
  return false;
}

}  // namespace gf::fixtures
