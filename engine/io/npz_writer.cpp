#include "engine/io/npz_writer.h"

#include <fmt/format.h>
#include <zlib.h>

#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::uint16_t kVersion = 20, kDeflated = 8, kFirstDate = 0x21;  // 1980-01-01: no clock in the bytes
constexpr std::size_t kLargest = 0xf0000000;                              // beyond it zip64 would be needed

class Bytes {
 public:
  template <class T>
  void number(T v) {
    append(&v, sizeof v);  // little-endian, as this machine is (npz.cpp asserts it)
  }
  void append(const void* data, std::size_t n) { bytes_.append(static_cast<const char*>(data), n); }
  void append(const std::string& s) { append(s.data(), s.size()); }
  std::size_t size() const { return bytes_.size(); }
  const char* data() const { return bytes_.data(); }

 private:
  std::string bytes_;
};

// The array's .npy file: magic, version 1.0, header padded to 64 bytes.
Bytes npy_file(const NpzArray& a) {
  std::string shape;
  for (const std::int64_t n : a.shape) shape += fmt::format("{}, ", n);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", a.descr, shape);
  constexpr std::size_t before = 10, unit = 64;
  header.append(unit - (before + header.size() + 1) % unit, ' ');
  header += '\n';
  Bytes b;
  b.append(std::string("\x93NUMPY\x01\x00", 8));
  b.number(static_cast<std::uint16_t>(header.size()));
  b.append(header);
  b.append(a.bytes.data(), a.bytes.size());
  return b;
}

std::vector<Bytef> deflated(const Bytes& from, const std::string& path) {
  z_stream z{};
  if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  std::vector<Bytef> out(deflateBound(&z, from.size()));
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
  z.avail_in = static_cast<uInt>(from.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  if (status != Z_STREAM_END) fail("cannot pack array", path);
  return out;
}

}  // namespace

void write_npz(const std::string& path, const std::vector<NpzArray>& arrays) {
  Bytes archive, directory;
  for (const NpzArray& a : arrays) {
    if (a.bytes.size() > kLargest || archive.size() > kLargest)
      fail("array too large for an npz file", path + ", " + a.name, fmt::format("{} bytes at most", kLargest),
           std::to_string(a.bytes.size()));
    const Bytes file = npy_file(a);
    const std::vector<Bytef> packed = deflated(file, path);
    const std::string name = a.name + ".npy";
    const auto crc = static_cast<std::uint32_t>(
        crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(file.data()), file.size()));
    const auto offset = static_cast<std::uint32_t>(archive.size());
    // What the local header and the directory's entry have in common.
    const auto common = [&](Bytes& b) {
      b.number(kVersion);
      b.number(std::uint16_t{0});  // flags
      b.number(kDeflated);
      b.number(std::uint16_t{0});  // time
      b.number(kFirstDate);
      b.number(crc);
      b.number(static_cast<std::uint32_t>(packed.size()));
      b.number(static_cast<std::uint32_t>(file.size()));
      b.number(static_cast<std::uint16_t>(name.size()));
      b.number(std::uint16_t{0});  // extra fields
    };
    archive.number(std::uint32_t{0x04034b50});
    common(archive);
    archive.append(name);
    archive.append(packed.data(), packed.size());
    directory.number(std::uint32_t{0x02014b50});
    directory.number(kVersion);
    common(directory);
    directory.number(std::uint16_t{0});  // comment
    directory.number(std::uint16_t{0});  // disk
    directory.number(std::uint16_t{0});  // internal attributes
    directory.number(std::uint32_t{0});  // external attributes
    directory.number(offset);
    directory.append(name);
  }
  const auto begin = static_cast<std::uint32_t>(archive.size());
  const auto count = static_cast<std::uint16_t>(arrays.size());
  archive.append(directory.data(), directory.size());
  archive.number(std::uint32_t{0x06054b50});
  archive.number(std::uint32_t{0});  // disks
  archive.number(count);
  archive.number(count);
  archive.number(static_cast<std::uint32_t>(directory.size()));
  archive.number(begin);
  archive.number(std::uint16_t{0});
  write_file_atomically(path, {archive.data(), archive.size()});
}

}  // namespace gf
