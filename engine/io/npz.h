#pragma once
// NumPy's npz files, as numpy.savez and savez_compressed write them: a zip archive with one .npy file per array.
// Stored and deflated entries, archives and entries beyond 4 GB (zip64), little-endian arrays in C order, .npy format
// 1.0 to 3.0. Nothing is taken on trust: sizes are checked against the file before memory is asked for, and every
// array's CRC-32 when it is read.
//
// Errors: ErrorKind::bad_data for a file that is not as it must be, ErrorKind::failure for one that cannot be opened;
// both name file and array.
#include <span>

#include "engine/io/tensor_file.h"

namespace gf {

class InputFile;

// Whether the file begins as a zip archive does. Throws where it cannot be opened.
bool is_zip(const std::string& path);

class NpzFile : public TensorFile {
 public:
  explicit NpzFile(const std::string& path);
  ~NpzFile() override;
  NpzFile(const NpzFile&) = delete;
  NpzFile& operator=(const NpzFile&) = delete;

  const std::string& path() const override;
  // Names without ".npy", in the archive's order; dtypes as safetensors names them (F32, F16, F64, I64, U8, BOOL, ...).
  const std::vector<FileTensor>& tensors() const override { return tensors_; }
  std::vector<float> floats(const std::string& name) const override;
  // Integers and truth values too. bad_data where there is no such array.
  std::vector<double> numbers(const std::string& name) const;

 private:
  // An entry of the archive, and behind it the .npy header's length.
  struct Entry {
    std::string name;
    std::uint16_t method = 0;
    std::uint32_t crc = 0;
    std::uint64_t compressed = 0, size = 0, offset = 0;  // offset: of the local header, then of the data
    std::uint64_t header = 0;
  };

  void read_directory();
  void find_data(Entry& entry) const;
  void read_header(Entry& entry);
  std::size_t find(const std::string& name) const;
  std::vector<std::byte> checked_bytes(std::size_t index) const;  // .npy header included
  std::vector<std::byte> unpack(const Entry& entry, std::uint64_t bytes) const;
  [[noreturn]] void damaged(const std::string& where, const std::string& expected, const std::string& found) const;

  std::unique_ptr<InputFile> file_;
  std::vector<Entry> entries_;
  std::vector<FileTensor> tensors_;  // beside entries_
};

}  // namespace gf
