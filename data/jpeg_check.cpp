#include "data/jpeg_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <numeric>
#include <span>

#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::uint8_t kStartOfImage = 0xd8, kEndOfImage = 0xd9, kStartOfScan = 0xda, kHuffmanTables = 0xc4,
                       kQuantisationTables = 0xdb, kFirstFrame = 0xc0, kProgressiveFrame = 0xc2;

bool stands_alone(std::uint8_t marker) { return (marker >= 0xd0 && marker <= kEndOfImage) || marker == 0x01; }

class Markers {
 public:
  Markers(const std::vector<std::uint8_t>& file, const std::string& path) : file_(file), path_(path) {}

  // The next marker; whatever lies before it is padding.
  std::uint8_t next() {
    while (at_ < file_.size() && file_[at_] != 0xff) ++at_;
    while (at_ < file_.size() && file_[at_] == 0xff) ++at_;
    if (at_ >= file_.size()) truncated();
    return file_[at_++];
  }

  // What the marker carries, without its length.
  std::span<const std::uint8_t> segment() {
    if (at_ + 2 > file_.size()) truncated();
    const std::size_t length = (std::size_t(file_[at_]) << 8) | file_[at_ + 1];
    if (length < 2) corrupt("a segment of at least 2 bytes", fmt::format("{}", length));
    if (at_ + length > file_.size()) truncated();
    const std::span<const std::uint8_t> inside(file_.data() + at_ + 2, length - 2);
    at_ += length;
    return inside;
  }

  // To the marker behind coded data: there ff is data where 00 follows, and restarts (d0 to d7) belong to it.
  void skip_coded_data() {
    for (; at_ + 1 < file_.size(); ++at_)
      if (file_[at_] == 0xff && file_[at_ + 1] != 0 && file_[at_ + 1] != 0xff && (file_[at_ + 1] & 0xf8) != 0xd0)
        return;
    truncated();
  }

  [[noreturn]] void corrupt(const std::string& expected, const std::string& found) const {
    bad_data("corrupt JPEG", path_, expected, fmt::format("{}, before byte {}", found, at_),
             "copy it again, or convert it to PNG");
  }

 private:
  [[noreturn]] void truncated() const {
    bad_data("file is truncated", path_, "an end-of-image mark", "none", "copy the file again");
  }

  const std::vector<std::uint8_t>& file_;
  const std::string& path_;
  std::size_t at_ = 0;
};

// What the file has said so far that its scans build on. Ids of tables are four bits, stb takes 0 to 3.
class Tables {
 public:
  void huffman(std::span<const std::uint8_t> tables, const Markers& markers) {
    constexpr std::size_t lengths = 16, most_codes = 256;
    while (!tables.empty()) {
      if (tables.size() < 1 + lengths) markers.corrupt("a Huffman table of 17 bytes or more", "a shorter one");
      const auto counts = tables.subspan(1, lengths);
      const std::size_t codes = std::accumulate(counts.begin(), counts.end(), std::size_t{0});
      if (codes > most_codes) markers.corrupt("a Huffman table of at most 256 codes", fmt::format("one of {}", codes));
      if (tables.size() < 1 + lengths + codes) markers.corrupt("a symbol for each Huffman code", "too few");
      (tables[0] >> 4 ? ac_ : dc_).set(tables[0] & 15);
      tables = tables.subspan(1 + lengths + codes);
    }
  }

  void quantisation(std::span<const std::uint8_t> tables) {
    while (!tables.empty()) {
      quantisation_.set(tables[0] & 15);
      const std::size_t size = tables[0] >> 4 ? 129 : 65;  // 64 values of 16 or 8 bits
      tables = tables.subspan(std::min(size, tables.size()));
    }
  }

  void frame(std::span<const std::uint8_t> header, bool progressive) {
    progressive_ = progressive;
    for (std::size_t i = 8; i < header.size(); i += 3) wanted_.set(header[i] & 15);
  }

  // Every table that the scan reads must have been given: stb takes what lies in fresh memory.
  void scan(std::span<const std::uint8_t> header, const Markers& markers) const {
    const std::size_t components = header.empty() ? 0 : header[0];
    if (header.size() < 4 + 2 * components) markers.corrupt("a scan header of its components", "a shorter one");
    const int first = header[1 + 2 * components], refines = header[3 + 2 * components] >> 4;
    const bool reads_dc = !progressive_ || (first == 0 && refines == 0), reads_ac = !progressive_ || first > 0;
    for (std::size_t i = 0; i < components; ++i) {
      const int dc = header[2 + 2 * i] >> 4, ac = header[2 + 2 * i] & 15;
      if ((reads_dc && !dc_[dc]) || (reads_ac && !ac_[ac]))
        markers.corrupt("every Huffman table that a scan uses", "a scan without its own");
    }
    if (!progressive_) require_quantisation(markers);
  }

  void require_quantisation(const Markers& markers) const {
    if ((wanted_ & ~quantisation_).any())
      markers.corrupt("every quantisation table that the picture uses", "a picture without its own");
  }

 private:
  std::bitset<16> dc_, ac_, quantisation_, wanted_;
  bool progressive_ = false;
};

}  // namespace

bool is_jpeg(const std::vector<std::uint8_t>& file) {
  std::size_t at = 0;
  while (at < file.size() && file[at] == 0xff) ++at;
  return at > 0 && at < file.size() && file[at] == kStartOfImage;
}

void require_sound_jpeg(const std::vector<std::uint8_t>& file, const std::string& path) {
  Markers markers(file, path);
  Tables tables;
  for (std::uint8_t marker = markers.next(); marker != kEndOfImage; marker = markers.next()) {
    if (stands_alone(marker)) continue;
    const auto segment = markers.segment();
    if (marker == kHuffmanTables) tables.huffman(segment, markers);
    if (marker == kQuantisationTables) tables.quantisation(segment);
    if (marker >= kFirstFrame && marker <= kProgressiveFrame) tables.frame(segment, marker == kProgressiveFrame);
    if (marker != kStartOfScan) continue;
    tables.scan(segment, markers);
    markers.skip_coded_data();
  }
  tables.require_quantisation(markers);
}

}  // namespace gf
