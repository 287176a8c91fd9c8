#pragma once
// Checked byte streams over plain and gzip files. Every byte asked for is delivered or an error says why not: zlib's
// own gzread and the NIfTI library turn a truncated file into zeros or a short count that is easily overlooked.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "engine/io/atomic_file.h"

namespace gf {

// Reads a file front to back; a file that starts with the gzip magic is decompressed, whatever its name.
// Errors (bad_data, with the file name): cannot open, truncated (expected and found bytes), corrupt gzip data.
class GzReader {
 public:
  explicit GzReader(std::string path);
  ~GzReader();
  GzReader(const GzReader&) = delete;
  GzReader& operator=(const GzReader&) = delete;

  // Exactly `bytes` bytes into `out`, or an error saying that `part` ("header", "voxels") is cut short.
  void read(void* out, std::size_t bytes, const char* part);
  void skip(std::uint64_t bytes, const char* part);
  // Reads to the end, so that a gzip file whose last bytes (checksum, length) are missing or wrong is an error too.
  void finish();

  const std::string& path() const { return path_; }
  std::uint64_t position() const { return position_; }      // uncompressed bytes delivered so far
  std::uint64_t file_bytes() const { return file_bytes_; }  // size of the file on disk
  bool compressed() const { return inflate_ != nullptr; }

 private:
  struct Inflate;
  std::size_t read_some(void* out, std::size_t bytes);
  std::size_t inflate_some(void* out, std::size_t bytes);
  std::size_t refill();

  std::string path_;
  std::FILE* file_ = nullptr;
  std::unique_ptr<Inflate> inflate_;
  std::uint64_t position_ = 0, file_bytes_ = 0;
};

// All bytes of a file as they lie on the disk (bad_data when it cannot be opened or read).
std::vector<std::uint8_t> read_whole_file(const std::string& path);
// Of a text that lists files or cases, which is held several times while it is taken apart: refused above 64 MiB.
std::vector<std::uint8_t> read_list_file(const std::string& path);

// Writes `path` atomically; compressed when `path` ends in ".gz".
class GzWriter {
 public:
  explicit GzWriter(const std::string& path);
  ~GzWriter();
  GzWriter(const GzWriter&) = delete;
  GzWriter& operator=(const GzWriter&) = delete;

  void write(const void* data, std::size_t bytes);
  // Ends the stream; afterwards temporary_path() holds the whole file and can be read back before commit().
  void finish();
  void commit() { file_.commit(); }
  const std::string& temporary_path() const { return file_.temporary_path(); }

 private:
  struct Deflate;
  void deflate_some(const void* data, std::size_t bytes, bool last);

  AtomicFile file_;
  std::unique_ptr<Deflate> deflate_;
};

}  // namespace gf
