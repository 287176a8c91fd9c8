#include "engine/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>
#include <zlib.h>

#include "engine/io/atomic_file.h"
#include "engine/io/input_file.h"
#include "engine/io/stored_floats.h"
#include "kernels/error.h"

namespace gf {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

constexpr std::size_t kLengthBytes = 8, kChunk = 1 << 16;
constexpr std::size_t kDigits = 8;
constexpr std::string_view kNoDigits = "00000000";

std::uint32_t add_to_crc(std::uint32_t crc, const void* data, std::size_t bytes) {
  if (bytes == 0) return crc;  // zlib takes a null pointer for "start anew"
  return static_cast<std::uint32_t>(crc32_z(crc, static_cast<const Bytef*>(data), bytes));
}

std::string digits_of(std::uint32_t crc) { return fmt::format("{:08x}", crc); }

// Where the checksum's digits begin in a header's text, or npos. A quote inside any name or value is escaped, so these
// bytes can only be that key.
std::size_t find_digits(std::string_view header) {
  const std::string key = fmt::format("\"{}\":\"", kChecksumKey);
  const std::size_t at = header.find(key);
  if (at == std::string_view::npos || header.size() < at + key.size() + kDigits) return std::string_view::npos;
  return at + key.size();
}

template <class T>
TensorToWrite plain(std::string name, const char* dtype, std::vector<std::int64_t> shape, std::span<const T> values) {
  return {std::move(name), dtype, std::move(shape), [values](std::span<std::byte> out) {
            if (values.size_bytes() != out.size())
              fail("tensor to write has another size than its shape", "", std::to_string(out.size()) + " bytes",
                   std::to_string(values.size_bytes()));
            if (!values.empty()) std::memcpy(out.data(), values.data(), out.size());
          }};
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(std::make_unique<InputFile>(path)) {
  const std::uint64_t size = file_->size();
  std::uint64_t length = 0;
  if (size < kLengthBytes)
    bad_data("not a safetensors file", path, "at least 8 bytes", std::to_string(size),
             "the file may be cut off; get it again");
  file_->read_at(0, &length, kLengthBytes);
  if (length > kMaxHeaderBytes)
    bad_data("not a safetensors file", path, fmt::format("a header of at most {} bytes", kMaxHeaderBytes),
             std::to_string(length));
  if (length > size - kLengthBytes)
    bad_data("damaged safetensors file", path, fmt::format("a header of {} bytes", length),
             fmt::format("{} bytes after its length", size - kLengthBytes), "the file may be cut off; get it again");
  std::string text(length, '\0');
  file_->read_at(kLengthBytes, text.data(), text.size());
  data_begin_ = kLengthBytes + length;
  header_ = parse_safetensors_header(text, size - data_begin_, path);
  if (const std::size_t at = find_digits(text); at != std::string::npos) checksum_at_ = kLengthBytes + at;
}

SafetensorsFile::~SafetensorsFile() = default;

const std::string& SafetensorsFile::path() const { return file_->path(); }

const FileTensor* SafetensorsFile::find(const std::string& name) const {
  const auto it = std::find_if(tensors().begin(), tensors().end(), [&](const FileTensor& t) { return t.name == name; });
  return it == tensors().end() ? nullptr : &*it;
}

const FileTensor& SafetensorsFile::at(const std::string& name) const {
  if (const FileTensor* t = find(name)) return *t;
  bad_data("file lacks a tensor", path(), "tensor " + name, fmt::format("{} other tensors", tensors().size()));
}

void SafetensorsFile::read_bytes(const FileTensor& tensor, std::span<std::byte> out) const {
  if (out.size() != tensor.end - tensor.begin)
    fail("buffer has another size than the tensor", tensor.name + " " + tensor.str(),
         std::to_string(tensor.end - tensor.begin) + " bytes", std::to_string(out.size()));
  file_->read_at(data_begin_ + tensor.begin, out.data(), out.size());
}

// Reads elements of another type a chunk at a time; convert(stored) gives what goes into `out`.
template <class Stored, class Out, class Convert>
void SafetensorsFile::read_converted(const FileTensor& tensor, std::span<Out> out, Convert convert) const {
  if (static_cast<std::int64_t>(out.size()) != tensor.count())
    fail("buffer has another size than the tensor", tensor.name + " " + tensor.str(),
         std::to_string(tensor.count()) + " elements", std::to_string(out.size()));
  std::vector<Stored> chunk(std::min(out.size(), kChunk / sizeof(Stored)));
  for (std::size_t done = 0; done < out.size(); done += chunk.size()) {
    const std::size_t n = std::min(chunk.size(), out.size() - done);
    file_->read_at(data_begin_ + tensor.begin + done * sizeof(Stored), chunk.data(), n * sizeof(Stored));
    for (std::size_t i = 0; i < n; ++i) out[done + i] = convert(chunk[i]);
  }
}

void SafetensorsFile::read(const FileTensor& t, std::span<float> out) const {
  if (t.dtype == "F32") return read_bytes(t, std::as_writable_bytes(out));
  if (t.dtype == "F16") return read_converted<std::uint16_t>(t, out, from_f16);
  if (t.dtype == "BF16") return read_converted<std::uint16_t>(t, out, from_bf16);
  if (t.dtype == "F64") return read_converted<double>(t, out, from_f64);
  bad_data("tensor is not of floating point", path() + ", " + t.name, "F32, F16, BF16 or F64", t.str());
}

void SafetensorsFile::read(const FileTensor& t, std::span<std::int32_t> out) const {
  if (t.dtype == "I32") return read_bytes(t, std::as_writable_bytes(out));
  if (t.dtype == "U8") return read_converted<std::uint8_t>(t, out, [](std::uint8_t v) { return std::int32_t{v}; });
  if (t.dtype == "I64")
    return read_converted<std::int64_t>(t, out, [&](std::int64_t v) {
      if (v != static_cast<std::int32_t>(v))
        bad_data("integer does not fit 32 bits", path() + ", " + t.name + " " + t.str(), "-2^31 .. 2^31-1",
                 std::to_string(v));
      return static_cast<std::int32_t>(v);
    });
  bad_data("tensor does not hold integers", path() + ", " + t.name, "I32, U8 or I64", t.str());
}

std::vector<float> SafetensorsFile::floats(const std::string& name) const {
  const FileTensor& t = at(name);
  std::vector<float> values(static_cast<std::size_t>(t.count()));
  read(t, std::span<float>(values));
  return values;
}

std::vector<std::int32_t> SafetensorsFile::integers(const std::string& name) const {
  const FileTensor& t = at(name);
  std::vector<std::int32_t> values(static_cast<std::size_t>(t.count()));
  read(t, std::span<std::int32_t>(values));
  return values;
}

void SafetensorsFile::verify_checksum(const std::string& what) const {
  const auto written = metadata().find(kChecksumKey);
  const char* remedy = "it cannot be used; take another file of the run";
  if (written == metadata().end() || checksum_at_ == 0 || written->second.size() != kDigits)
    bad_data(what + " damaged", path(), "a checksum", "none", remedy);
  std::uint32_t crc = 0;
  std::vector<char> chunk(1 << 20);
  for (std::uint64_t at = 0; at < file_->size(); at += chunk.size()) {
    const std::size_t n = std::min<std::uint64_t>(chunk.size(), file_->size() - at);
    file_->read_at(at, chunk.data(), n);
    for (std::uint64_t i = std::max(at, checksum_at_); i < std::min(at + n, checksum_at_ + kDigits); ++i)
      chunk[i - at] = '0';
    crc = add_to_crc(crc, chunk.data(), n);
  }
  if (digits_of(crc) != written->second)
    bad_data(what + " damaged", path(), "checksum " + written->second, digits_of(crc), remedy);
}

TensorToWrite to_write(std::string name, std::vector<std::int64_t> shape, std::span<const float> values) {
  return plain(std::move(name), "F32", std::move(shape), values);
}
TensorToWrite to_write(std::string name, std::vector<std::int64_t> shape, std::span<const std::int32_t> values) {
  return plain(std::move(name), "I32", std::move(shape), values);
}

void write_safetensors(const std::string& path, std::vector<TensorToWrite> tensors, Metadata metadata,
                       Checksum checksum) {
  if (checksum == Checksum::crc32) metadata[kChecksumKey] = kNoDigits;
  SafetensorsHeader header{std::move(metadata), {}};
  std::map<std::string, const TensorToWrite*> by_name;
  for (const TensorToWrite& t : tensors) {
    header.tensors.push_back({t.name, t.dtype, t.shape});
    by_name[t.name] = &t;
  }
  std::string text = lay_out_safetensors(header, path);
  const std::uint64_t length = text.size();
  std::vector<std::byte> bytes;
  // Hands the file to `sink` piece by piece, in its order.
  const auto produce = [&](auto sink) {
    sink(&length, kLengthBytes);
    sink(text.data(), text.size());
    for (const FileTensor& t : header.tensors) {
      bytes.resize(t.end - t.begin);
      by_name.at(t.name)->fill(bytes);
      sink(bytes.data(), bytes.size());
    }
  };
  if (checksum == Checksum::crc32) {
    std::uint32_t crc = 0;
    produce([&](const void* data, std::size_t n) { crc = add_to_crc(crc, data, n); });
    text.replace(find_digits(text), kDigits, digits_of(crc));
  }
  AtomicFile file(path);
  produce([&](const void* data, std::size_t n) { file.write(data, n); });
  file.commit();
}

}  // namespace gf
