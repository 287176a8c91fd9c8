#pragma once
// Safetensors files, as Python's safetensors reads and writes them (https://github.com/huggingface/safetensors).
// A file is checked whole when it is opened, before any data is read; tensors are read one by one when asked for.
//
// Errors: ErrorKind::bad_data for a file that is not as it must be, ErrorKind::failure for one that cannot be opened or
// written; both name the file.
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/io/tensor_file.h"

namespace gf {

class InputFile;

class SafetensorsFile : public TensorFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  ~SafetensorsFile() override;
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const override;
  const Metadata& metadata() const { return header_.metadata; }
  const std::vector<FileTensor>& tensors() const override { return header_.tensors; }
  const FileTensor* find(const std::string& name) const;  // null where there is none
  const FileTensor& at(const std::string& name) const;    // bad_data where there is none

  // F32, F16, BF16, F64 (rounded to float32; beyond its range: inf, as in PyTorch).
  void read(const FileTensor& tensor, std::span<float> out) const;
  // I32, U8, I64 (a value outside int32 is refused).
  void read(const FileTensor& tensor, std::span<std::int32_t> out) const;
  // Any dtype, as it lies in the file.
  void read_bytes(const FileTensor& tensor, std::span<std::byte> out) const;

  std::vector<float> floats(const std::string& name) const override;
  std::vector<std::int32_t> integers(const std::string& name) const;

  // Reads the whole file against the checksum written into it (Checksum::crc32 below). Throws "<what> damaged" where it
  // does not fit or the file has none.
  void verify_checksum(const std::string& what) const;

 private:
  template <class Stored, class Out, class Convert>
  void read_converted(const FileTensor& tensor, std::span<Out> out, Convert convert) const;

  std::unique_ptr<InputFile> file_;
  SafetensorsHeader header_;
  std::uint64_t data_begin_ = 0;
  std::uint64_t checksum_at_ = 0;  // offset of its digits in the file; 0: there are none
};

// A tensor to be written: `fill` puts its shape's worth of elements into the span, and is called once per pass over the
// file, so no tensor needs a second copy in memory for longer than it takes to write it.
struct TensorToWrite {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::function<void(std::span<std::byte>)> fill;
};
// `values` must live until the file is written.
TensorToWrite to_write(std::string name, std::vector<std::int64_t> shape, std::span<const float> values);
TensorToWrite to_write(std::string name, std::vector<std::int64_t> shape, std::span<const std::int32_t> values);

// crc32: the file carries a CRC-32 of all its bytes (its own digits taken as zeros) under this key of the metadata.
// Costs a second pass over the data in memory.
enum class Checksum { none, crc32 };
constexpr const char* kChecksumKey = "graphflow.crc32";

// The file appears whole or not at all (atomic_file.h).
void write_safetensors(const std::string& path, std::vector<TensorToWrite> tensors, Metadata metadata = {},
                       Checksum checksum = Checksum::none);

}  // namespace gf
