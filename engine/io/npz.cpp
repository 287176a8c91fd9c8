#include "engine/io/npz.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <set>

#include <fmt/format.h>
#include <zlib.h>

#include "engine/io/input_file.h"
#include "engine/io/npy_header.h"
#include "engine/io/stored_floats.h"
#include "kernels/error.h"

namespace gf {
namespace {

static_assert(std::endian::native == std::endian::little, "zip and npy files are little-endian");

// Signatures and lengths of a zip archive's fixed parts.
constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                        kEnd64Locator = 0x07064b50;
constexpr std::size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr std::size_t kLongestComment = 0xffff;
constexpr std::uint16_t kStored = 0, kDeflated = 8, kEncrypted = 1, kZip64Field = 1;
constexpr std::uint32_t kElsewhere = 0xffffffff;  // a number that the zip64 field holds
constexpr std::uint64_t kMostDirectoryBytes = 1 << 28;
constexpr std::uint64_t kMostInflation = 1032;  // deflate cannot do better
constexpr std::uint64_t kMostHeaderBytes = 1 << 16;

// Numbers of a record, read one after the other.
class Record {
 public:
  explicit Record(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <class T>
  T take() {
    T v{};
    if (bytes_.size() < sizeof(T)) {
      bytes_ = {};
      complete_ = false;
    } else {
      std::memcpy(&v, bytes_.data(), sizeof(T));
      bytes_ = bytes_.subspan(sizeof(T));
    }
    return v;
  }
  std::span<const std::byte> take_bytes(std::size_t count) {
    complete_ = complete_ && count <= bytes_.size();
    const auto part = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(part.size());
    return part;
  }
  bool empty() const { return bytes_.empty(); }
  bool complete() const { return complete_; }  // false: more was taken than there was

 private:
  std::span<const std::byte> bytes_;
  bool complete_ = true;
};

// Of zlib's inflate, raw: no header of its own.
class Inflater {
 public:
  Inflater() { ok_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK; }
  ~Inflater() {
    if (ok_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Fills `out` from input that next() gives piece by piece (an empty piece: there is no more). False where the data is
  // damaged or ends before.
  template <class Next>
  bool fill(std::span<std::byte> out, const Next& next) {
    std::size_t done = 0;
    while (ok_ && done < out.size()) {
      if (stream_.avail_in == 0) {
        const std::span<std::byte> piece = next();
        if (piece.empty()) return false;
        stream_.next_in = reinterpret_cast<Bytef*>(piece.data());
        stream_.avail_in = static_cast<uInt>(piece.size());
      }
      const std::size_t room = std::min<std::size_t>(out.size() - done, 1u << 30);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + done);
      stream_.avail_out = static_cast<uInt>(room);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      done += room - stream_.avail_out;
      if (status == Z_STREAM_END) return done == out.size();
      if (status != Z_OK) return false;
    }
    return ok_;
  }

 private:
  z_stream stream_{};
  bool ok_ = false;
};

template <class Number, class Stored, class Convert>
std::vector<Number> converted(std::span<const std::byte> bytes, Convert convert) {
  std::vector<Number> values(bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored v;
    std::memcpy(&v, bytes.data() + i * sizeof(Stored), sizeof v);
    values[i] = convert(v);
  }
  return values;
}

}  // namespace

bool is_zip(const std::string& path) {
  const InputFile file(path);
  std::uint32_t signature = 0;
  if (file.size() < sizeof signature) return false;
  file.read_at(0, &signature, sizeof signature);
  return signature == kLocal || signature == kEnd;  // kEnd: an archive of nothing
}

NpzFile::NpzFile(const std::string& path) : file_(std::make_unique<InputFile>(path)) {
  read_directory();
  std::set<std::string> names;
  for (Entry& e : entries_) {
    find_data(e);
    read_header(e);
    if (!names.insert(tensors_.back().name).second)
      damaged(tensors_.back().name, "every name once", "two arrays of this name");
  }
}

NpzFile::~NpzFile() = default;

const std::string& NpzFile::path() const { return file_->path(); }

void NpzFile::damaged(const std::string& where, const std::string& expected, const std::string& found) const {
  bad_data("damaged npz file", where.empty() ? path() : path() + ", " + where, expected, found,
           "the file may be cut off; get it again");
}

// The directory stands at the archive's end; where it begins, a record behind it says, and where numbers are too large
// for that record, another one in front of it.
void NpzFile::read_directory() {
  const std::uint64_t size = file_->size();
  const auto tail_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(size, kEndBytes + kLongestComment));
  std::vector<std::byte> tail(tail_bytes);
  file_->read_at(size - tail_bytes, tail.data(), tail_bytes);
  std::size_t at = tail_bytes < kEndBytes ? 0 : tail_bytes - kEndBytes + 1;
  const auto signature_at = [&](std::size_t i) {
    std::uint32_t v = 0;
    std::memcpy(&v, tail.data() + i, sizeof v);
    return v;
  };
  do {
    if (at == 0) damaged("", "a zip archive's end record", "none");
  } while (signature_at(--at) != kEnd);
  Record end(std::span<const std::byte>(tail).subspan(at, kEndBytes));
  end.take_bytes(4 + 2 + 2 + 2);
  std::uint64_t count = end.take<std::uint16_t>();
  std::uint64_t bytes = end.take<std::uint32_t>(), begin = end.take<std::uint32_t>();
  const std::uint64_t end_at = size - tail_bytes + at;
  if (end_at >= kLocatorBytes) {
    std::byte locator[kLocatorBytes];
    file_->read_at(end_at - kLocatorBytes, locator, kLocatorBytes);
    Record l(locator);
    if (l.take<std::uint32_t>() == kEnd64Locator) {
      l.take<std::uint32_t>();
      const auto end64_at = l.take<std::uint64_t>();
      if (end64_at > size || size - end64_at < kEnd64Bytes)
        damaged("", "a zip64 record inside the file", "one at byte " + std::to_string(end64_at));
      std::byte end64[kEnd64Bytes];
      file_->read_at(end64_at, end64, kEnd64Bytes);
      Record r(end64);
      if (r.take<std::uint32_t>() != kEnd64) damaged("", "a zip64 record", "something else");
      r.take_bytes(8 + 2 + 2 + 4 + 4 + 8);
      count = r.take<std::uint64_t>();
      bytes = r.take<std::uint64_t>();
      begin = r.take<std::uint64_t>();
    }
  }
  if (begin > size || bytes > size - begin || bytes > kMostDirectoryBytes || count > bytes / kCentralBytes)
    damaged("", "a directory inside the file",
            fmt::format("{} entries in {} bytes from byte {} of {}", count, bytes, begin, size));
  std::vector<std::byte> directory(static_cast<std::size_t>(bytes));
  file_->read_at(begin, directory.data(), directory.size());
  Record r(directory);
  for (std::uint64_t i = 0; i < count; ++i) {
    Entry e;
    if (r.take<std::uint32_t>() != kCentral) damaged("", fmt::format("{} entries", count), std::to_string(i));
    r.take_bytes(2 + 2);
    const auto flags = r.take<std::uint16_t>();
    e.method = r.take<std::uint16_t>();
    r.take_bytes(2 + 2);
    e.crc = r.take<std::uint32_t>();
    e.compressed = r.take<std::uint32_t>();
    e.size = r.take<std::uint32_t>();
    const auto name_bytes = r.take<std::uint16_t>(), extra_bytes = r.take<std::uint16_t>(),
               comment_bytes = r.take<std::uint16_t>();
    r.take_bytes(2 + 2 + 4);
    e.offset = r.take<std::uint32_t>();
    const auto name = r.take_bytes(name_bytes);
    e.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
    Record extra(r.take_bytes(extra_bytes));
    while (!extra.empty()) {
      const auto field = extra.take<std::uint16_t>(), length = extra.take<std::uint16_t>();
      Record content(extra.take_bytes(length));
      if (field != kZip64Field) continue;
      for (std::uint64_t* v : {&e.size, &e.compressed, &e.offset})
        if (*v == kElsewhere) *v = content.take<std::uint64_t>();
      if (!content.complete()) damaged(e.name, "a whole zip64 field", std::to_string(length) + " bytes");
    }
    r.take_bytes(comment_bytes);
    if (!r.complete()) damaged(e.name, "a whole directory entry", "the directory's end");
    if (!e.name.ends_with(".npy")) bad_data("not an npz file", path(), "only .npy files in the archive", e.name);
    if (flags & kEncrypted) bad_data("encrypted npz file", path() + ", " + e.name);
    if (e.method != kStored && e.method != kDeflated)
      bad_data("npz file packed in an unknown way", path() + ", " + e.name, "stored or deflated",
               "method " + std::to_string(e.method));
    entries_.push_back(std::move(e));
  }
}

// Behind the local header, which repeats the name but may have other extra fields than the directory.
void NpzFile::find_data(Entry& e) const {
  const std::uint64_t size = file_->size();
  if (e.offset > size || size - e.offset < kLocalBytes)
    damaged(e.name, "an entry inside the file", "one at byte " + std::to_string(e.offset));
  std::byte local[kLocalBytes];
  file_->read_at(e.offset, local, kLocalBytes);
  Record r(local);
  if (r.take<std::uint32_t>() != kLocal) damaged(e.name, "a local header", "something else");
  r.take_bytes(kLocalBytes - 8);
  const auto name_bytes = r.take<std::uint16_t>(), extra_bytes = r.take<std::uint16_t>();
  e.offset += kLocalBytes + name_bytes + extra_bytes;
  if (e.offset > size || e.compressed > size - e.offset)
    damaged(e.name, fmt::format("{} bytes from byte {}", e.compressed, e.offset), fmt::format("a file of {}", size));
  const bool possible =
      e.method == kStored ? e.size == e.compressed : e.size <= kMostInflation * e.compressed + kMostInflation;
  if (!possible)
    damaged(e.name, "an array that its packed data can hold", fmt::format("{} bytes in {}", e.size, e.compressed));
}

// The first `bytes` of an entry's contents, at most its size.
std::vector<std::byte> NpzFile::unpack(const Entry& e, std::uint64_t bytes) const {
  std::vector<std::byte> out(static_cast<std::size_t>(std::min(bytes, e.size)));
  if (e.method == kStored) {
    file_->read_at(e.offset, out.data(), out.size());
    return out;
  }
  constexpr std::uint64_t kPiece = 1 << 16;
  std::vector<std::byte> piece(kPiece);
  std::uint64_t read = 0;
  Inflater inflater;
  const bool whole = inflater.fill(out, [&] {
    const auto n = static_cast<std::size_t>(std::min(kPiece, e.compressed - read));
    file_->read_at(e.offset + read, piece.data(), n);
    read += n;
    return std::span<std::byte>(piece).first(n);
  });
  if (!whole) damaged(e.name, fmt::format("{} bytes unpacked", out.size()), "damaged or missing data");
  return out;
}

void NpzFile::read_header(Entry& e) {
  const std::string name = e.name.substr(0, e.name.size() - std::strlen(".npy"));
  const std::vector<std::byte> bytes = unpack(e, kMostHeaderBytes);
  const NpyHeader header =
      parse_npy_header({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path() + ", " + name);
  e.header = header.bytes;
  if (e.size - e.header != header.data_bytes)
    damaged(name, fmt::format("{} bytes of {} {}", header.data_bytes, header.dtype, shape_text(header.shape)),
            std::to_string(e.size - e.header));
  tensors_.push_back({name, header.dtype, header.shape, e.offset, e.offset + e.compressed});
}

std::size_t NpzFile::find(const std::string& name) const {
  const auto it = std::find_if(tensors_.begin(), tensors_.end(), [&](const FileTensor& t) { return t.name == name; });
  if (it == tensors_.end())
    bad_data("file lacks an array", path(), "array " + name, fmt::format("{} other arrays", tensors_.size()));
  return static_cast<std::size_t>(it - tensors_.begin());
}

std::vector<std::byte> NpzFile::checked_bytes(std::size_t index) const {
  const Entry& e = entries_[index];
  std::vector<std::byte> all = unpack(e, e.size);
  const auto crc = static_cast<std::uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(all.data()), all.size()));
  if (crc != e.crc) damaged(tensors_[index].name, fmt::format("checksum {:08x}", e.crc), fmt::format("{:08x}", crc));
  return all;
}

std::vector<float> NpzFile::floats(const std::string& name) const {
  const std::size_t i = find(name);
  const FileTensor& t = tensors_[i];
  if (t.dtype != "F32" && t.dtype != "F16" && t.dtype != "F64")
    bad_data("array is not of floating point", path() + ", " + name, "F32, F16 or F64", t.str());
  const std::vector<std::byte> all = checked_bytes(i);
  const auto data = std::span<const std::byte>(all).subspan(static_cast<std::size_t>(entries_[i].header));
  if (t.dtype == "F16") return converted<float, std::uint16_t>(data, from_f16);
  if (t.dtype == "F64") return converted<float, double>(data, from_f64);
  return converted<float, float>(data, [](float v) { return v; });
}

std::vector<double> NpzFile::numbers(const std::string& name) const {
  const std::size_t i = find(name);
  const std::string& dtype = tensors_[i].dtype;
  const std::vector<std::byte> all = checked_bytes(i);
  const auto data = std::span<const std::byte>(all).subspan(static_cast<std::size_t>(entries_[i].header));
  const auto as_stored = []<class T>(T v) { return static_cast<double>(v); };
  if (dtype == "F16") return converted<double, std::uint16_t>(data, from_f16);
  if (dtype == "F32") return converted<double, float>(data, as_stored);
  if (dtype == "F64") return converted<double, double>(data, as_stored);
  if (dtype == "I64") return converted<double, std::int64_t>(data, as_stored);
  if (dtype == "I32") return converted<double, std::int32_t>(data, as_stored);
  if (dtype == "I16") return converted<double, std::int16_t>(data, as_stored);
  if (dtype == "I8") return converted<double, std::int8_t>(data, as_stored);
  if (dtype == "U64") return converted<double, std::uint64_t>(data, as_stored);
  if (dtype == "U32") return converted<double, std::uint32_t>(data, as_stored);
  if (dtype == "U16") return converted<double, std::uint16_t>(data, as_stored);
  return converted<double, std::uint8_t>(data, as_stored);  // U8 and BOOL: the header knows no others
}

}  // namespace gf
