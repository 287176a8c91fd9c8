#pragma once
// The header of a safetensors file: what lies where. Text in, structure out, and back; no files here.
//
//   u64 little-endian n | n bytes of JSON, padded with spaces | data
//   {"__metadata__":{"key":"text"},"name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}
//
// Offsets count from the first byte of data. The tensors must tile the data: sorted by offset, each begins where the
// one before ends, and the last ends with the file. Anything else is refused as Python's safetensors does.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gf {

struct FileTensor {
  std::string name;
  std::string dtype;  // as in the file: F64 F32 F16 BF16 I64 I32 U8 ...
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes

  std::int64_t count() const;
  std::string str() const;  // "F32 [2,3]"
};

using Metadata = std::map<std::string, std::string>;

struct SafetensorsHeader {
  Metadata metadata;
  std::vector<FileTensor> tensors;  // in the order of their data
};

// Python refuses longer ones.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

// Bytes an element of a safetensors dtype takes; 0 where the name is unknown.
std::size_t file_dtype_bytes(std::string_view dtype);

std::string shape_text(const std::vector<std::int64_t>& shape);  // "[2,3]"

// Throws ErrorKind::bad_data naming `file`, the tensor, what was expected and found.
SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes, const std::string& file);

// Puts the tensors in the order Python writes them (wide elements first, so that all are aligned; then by name) and
// gives them their offsets. Returns the header text, padded to 8 bytes, without the length in front.
std::string lay_out_safetensors(SafetensorsHeader& header, const std::string& file);

}  // namespace gf
