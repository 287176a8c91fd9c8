#include "data/gz_stream.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::size_t chunk_bytes = 1 << 16;
constexpr int gzip_window_bits = 15 + 16;  // zlib: the largest window, gzip framing

std::string count(std::uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

uInt zlib_size(std::size_t bytes) {
  return static_cast<uInt>(std::min<std::size_t>(bytes, std::numeric_limits<uInt>::max()));
}

bool ends_with(const std::string& s, const char* ending) {
  const std::size_t n = std::strlen(ending);
  return s.size() >= n && s.compare(s.size() - n, n, ending) == 0;
}

}  // namespace

struct GzReader::Inflate {
  z_stream stream{};
  std::array<unsigned char, chunk_bytes> input{};
  bool inside_member = true;  // a gzip file may hold several members one after the other

  Inflate() {
    if (inflateInit2(&stream, gzip_window_bits) != Z_OK) throw std::bad_alloc();
  }
  ~Inflate() { inflateEnd(&stream); }
};

GzReader::GzReader(std::string path) : path_(std::move(path)) {
  std::error_code error;
  if (std::filesystem::is_directory(path_, error)) bad_data("cannot read file", path_, "a file", "a directory");
  file_ = std::fopen(path_.c_str(), "rb");
  if (!file_) bad_data("cannot open file", path_, {}, std::strerror(errno), "check the path and its permissions");
  file_bytes_ = std::filesystem::file_size(path_, error);
  unsigned char magic[2] = {0, 0};
  const bool gzip = std::fread(magic, 1, 2, file_) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
  std::rewind(file_);
  if (gzip) inflate_ = std::make_unique<Inflate>();
}

GzReader::~GzReader() {
  if (file_) std::fclose(file_);
}

void GzReader::read(void* out, std::size_t bytes, const char* part) {
  char* next = static_cast<char*>(out);
  std::size_t got = 0;
  while (got < bytes) {
    const std::size_t n = read_some(next + got, bytes - got);
    if (n == 0)
      bad_data("file is truncated", path_, count(bytes) + " of " + part, count(got), "copy or download the file again");
    got += n;
  }
}

void GzReader::skip(std::uint64_t bytes, const char* part) {
  std::array<char, 4096> scratch;
  while (bytes > 0) {
    const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, scratch.size()));
    read(scratch.data(), n, part);
    bytes -= n;
  }
}

void GzReader::finish() {
  std::array<char, 4096> scratch;
  while (read_some(scratch.data(), scratch.size()) > 0) {
  }
}

std::size_t GzReader::read_some(void* out, std::size_t bytes) {
  const std::size_t n = inflate_ ? inflate_some(out, bytes) : std::fread(out, 1, bytes, file_);
  if (std::ferror(file_)) bad_data("cannot read file", path_, {}, std::strerror(errno));
  position_ += n;
  return n;
}

std::size_t GzReader::inflate_some(void* out, std::size_t bytes) {
  z_stream& z = inflate_->stream;
  z.next_out = static_cast<Bytef*>(out);
  z.avail_out = zlib_size(bytes);
  const uInt room = z.avail_out;
  while (z.avail_out == room) {
    if (z.avail_in == 0 && refill() == 0) {
      if (!inflate_->inside_member) return 0;  // the regular end
      bad_data("gzip file is truncated", path_, "the end-of-stream mark",
               "the end of the file after " + count(file_bytes_) + " (" + count(position_) + " uncompressed)",
               "copy or download the file again");
    }
    if (!inflate_->inside_member) {
      // gzip itself ignores zero padding after the last member; anything else must be another member.
      while (z.avail_in > 0 && *z.next_in == 0) ++z.next_in, --z.avail_in;
      if (z.avail_in == 0) continue;
      inflateReset(&z);
      inflate_->inside_member = true;
    }
    const int status = inflate(&z, Z_NO_FLUSH);
    if (status == Z_STREAM_END) inflate_->inside_member = false;
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
      bad_data("gzip file is corrupt", path_, "valid compressed data",
               std::string(z.msg ? z.msg : "a bad stream") + " after " + count(position_ + room - z.avail_out) +
                   " uncompressed",
               "copy or download the file again");
  }
  return room - z.avail_out;
}

std::size_t GzReader::refill() {
  inflate_->stream.next_in = inflate_->input.data();
  inflate_->stream.avail_in = static_cast<uInt>(std::fread(inflate_->input.data(), 1, inflate_->input.size(), file_));
  return inflate_->stream.avail_in;
}

std::vector<std::uint8_t> read_whole_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) bad_data("cannot read file", path, "a file", "a directory");
  std::ifstream in(path, std::ios::binary);
  if (!in) bad_data("cannot open file", path, {}, std::strerror(errno), "check the path and its permissions");
  std::vector<std::uint8_t> bytes(std::filesystem::file_size(path));
  if (!in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
    bad_data("cannot read file", path, count(bytes.size()), count(static_cast<std::uint64_t>(in.gcount())));
  return bytes;
}

std::vector<std::uint8_t> read_list_file(const std::string& path) {
  constexpr std::uint64_t kMost = std::uint64_t{64} << 20;
  std::error_code error;  // what cannot be measured is refused by the reader
  if (const std::uintmax_t size = std::filesystem::file_size(path, error); !error && size > kMost)
    bad_data("list is too large", path, "at most " + count(kMost), count(size));
  return read_whole_file(path);
}

struct GzWriter::Deflate {
  z_stream stream{};
  std::array<unsigned char, chunk_bytes> output{};

  Deflate() {
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~Deflate() { deflateEnd(&stream); }
};

GzWriter::GzWriter(const std::string& path) : file_(path) {
  if (ends_with(path, ".gz")) deflate_ = std::make_unique<Deflate>();
}

GzWriter::~GzWriter() = default;

void GzWriter::write(const void* data, std::size_t bytes) {
  if (deflate_)
    deflate_some(data, bytes, false);
  else
    file_.write(data, bytes);
}

void GzWriter::finish() {
  if (deflate_) deflate_some(nullptr, 0, true);
  file_.flush();
}

void GzWriter::deflate_some(const void* data, std::size_t bytes, bool last) {
  z_stream& z = deflate_->stream;
  const unsigned char* next = static_cast<const unsigned char*>(data);
  do {
    const uInt n = zlib_size(bytes);
    z.next_in = const_cast<Bytef*>(next);
    z.avail_in = n;
    next += n;
    bytes -= n;
    do {
      z.next_out = deflate_->output.data();
      z.avail_out = static_cast<uInt>(deflate_->output.size());
      deflate(&z, last && bytes == 0 ? Z_FINISH : Z_NO_FLUSH);
      file_.write(deflate_->output.data(), deflate_->output.size() - z.avail_out);
    } while (z.avail_out == 0);
  } while (bytes > 0);
}

}  // namespace gf
