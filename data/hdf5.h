#pragma once
// Datasets of numbers in HDF5 files, through the HDF5 C library, which is not safe against malicious files: what can be
// checked is (sizes before memory is asked for; no links out of the file, no external or virtual storage, no plug-in
// filters), the rest is trusted. Safe to call from several threads; the library is used by one at a time.
//
// Errors are bad_data, naming file and dataset.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gf {

class Hdf5File {
 public:
  explicit Hdf5File(const std::string& path);
  ~Hdf5File();
  Hdf5File(const Hdf5File&) = delete;
  Hdf5File& operator=(const Hdf5File&) = delete;

  const std::string& path() const { return path_; }
  bool has(const std::string& name) const;
  std::vector<std::int64_t> shape(const std::string& name) const;
  // What the file holds for a dataset, and what it is once unpacked.
  struct Storage {
    std::uint64_t packed = 0;
    double unpacked = 0;
  };
  Storage storage(const std::string& name) const;
  // Integers or floating point of any size as float32: entries first .. first+count-1 along the first axis.
  std::vector<float> floats(const std::string& name, std::int64_t first, std::int64_t count) const;

 private:
  std::string path_;
  std::int64_t file_bytes_ = 0;
  std::int64_t id_ = -1;
};

// One of `floats` and `bytes` is filled and is stored as float32 or uint8.
struct Hdf5Dataset {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> floats = {};
  std::span<const std::uint8_t> bytes = {};
};

// Atomic; packed by gzip, one piece per entry of the first axis. The same values give the same bytes.
void write_hdf5(const std::string& path, const std::vector<Hdf5Dataset>& datasets);

}  // namespace gf
