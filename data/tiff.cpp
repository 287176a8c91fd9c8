#include "data/tiff.h"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include "data/image_limits.h"
#include "kernels/error.h"

namespace gf {
namespace {

// What libtiff reads from, and what it complained of first.
struct Source {
  const std::vector<std::uint8_t>& file;
  std::uint64_t at = 0;
  std::string complaint = {};
};

tmsize_t read_some(thandle_t handle, void* out, tmsize_t bytes) {
  auto* s = static_cast<Source*>(handle);
  const std::uint64_t left = s->at < s->file.size() ? s->file.size() - s->at : 0;
  const auto n = std::min<std::uint64_t>(left, static_cast<std::uint64_t>(std::max<tmsize_t>(bytes, 0)));
  if (n > 0) std::memcpy(out, s->file.data() + s->at, n);
  s->at += n;
  return static_cast<tmsize_t>(n);
}
tmsize_t write_none(thandle_t, void*, tmsize_t) { return 0; }
toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto* s = static_cast<Source*>(handle);
  s->at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? s->at + offset : s->file.size() + offset;
  return s->at;
}
int close_none(thandle_t) { return 0; }
toff_t size_of(thandle_t handle) { return static_cast<Source*>(handle)->file.size(); }
int keep_complaint(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  char text[200];
  std::vsnprintf(text, sizeof text, format, arguments);
  auto* s = static_cast<Source*>(user);
  if (s->complaint.empty()) s->complaint = text;
  return 1;
}
int ignore_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

class TiffFile {
 public:
  TiffFile(const std::vector<std::uint8_t>& file, const std::string& path) : path_(path), source_{file} {
    const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                   &TIFFOpenOptionsFree);
    if (!options) throw std::bad_alloc();
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_complaint, &source_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_warning, nullptr);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), tmsize_t{1} << 31);
    // m: no memory mapping; the bytes are in memory already.
    tiff_ = TIFFClientOpenExt("", "rm", &source_, read_some, write_none, seek, close_none, size_of, nullptr, nullptr,
                              options.get());
    if (!tiff_) damaged();
  }
  ~TiffFile() {
    if (tiff_) TIFFClose(tiff_);
  }
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  TIFF* get() const { return tiff_; }
  template <class T>
  T field(std::uint32_t tag) const {
    T value{};
    TIFFGetFieldDefaulted(tiff_, tag, &value);
    return value;
  }
  [[noreturn]] void damaged() const {
    bad_data("cannot read TIFF file", path_, "an intact file", source_.complaint.empty() ? "none" : source_.complaint,
             "copy it again, or convert it to PNG");
  }
  [[noreturn]] void refuse(const std::string& expected, const std::string& found) const {
    bad_data("TIFF file of an unknown kind", path_, expected, found, "convert it to PNG");
  }

 private:
  const std::string& path_;
  Source source_;
  TIFF* tiff_ = nullptr;
};

// One page, unpacked: `samples` interleaved numbers a pixel, before any meaning is given to them.
struct Page {
  std::int64_t h = 0, w = 0, samples = 1;
  std::uint16_t photometric = PHOTOMETRIC_MINISBLACK, bits = 1;
  std::vector<float> values;
};

// Sample number i of a packed row.
float sample_of(const std::uint8_t* row, std::int64_t i, int bits) {
  if (bits == 8) return row[i];
  if (bits == 16) {
    std::uint16_t v;
    std::memcpy(&v, row + 2 * i, sizeof v);
    return v;
  }
  if (bits == 32) {
    float v;
    std::memcpy(&v, row + 4 * i, sizeof v);
    return v;
  }
  const std::int64_t bit = i * bits;
  return static_cast<float>(row[bit / 8] >> (8 - bits - bit % 8) & ((1 << bits) - 1));
}

// A strip or tile of `rows` x `columns` pixels whose upper left one lies at (y, x); plane: of separate planes, else -1.
void place(Page& page, const std::vector<std::uint8_t>& block, std::int64_t row_bytes, std::int64_t y, std::int64_t x,
           std::int64_t rows, std::int64_t columns, std::int64_t plane) {
  const std::int64_t in_block = plane < 0 ? page.samples : 1, first = std::max<std::int64_t>(plane, 0);
  for (std::int64_t v = 0; v < std::min(rows, page.h - y); ++v)
    for (std::int64_t u = 0; u < std::min(columns, page.w - x); ++u)
      for (std::int64_t s = 0; s < in_block; ++s)
        page.values[((y + v) * page.w + x + u) * page.samples + first + s] =
            sample_of(block.data() + v * row_bytes, u * in_block + s, page.bits);
}

void read_blocks(const TiffFile& file, std::uint64_t file_bytes, const std::string& path, Page& page) {
  TIFF* t = file.get();
  const bool tiled = TIFFIsTiled(t) != 0,
             planes = file.field<std::uint16_t>(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
  std::int64_t rows = page.h, columns = page.w;
  if (tiled) {
    rows = file.field<std::uint32_t>(TIFFTAG_TILELENGTH);
    columns = file.field<std::uint32_t>(TIFFTAG_TILEWIDTH);
  } else {
    rows = std::min<std::int64_t>(page.h, file.field<std::uint32_t>(TIFFTAG_ROWSPERSTRIP));
  }
  const std::int64_t row_bytes = tiled ? TIFFTileRowSize64(t) : TIFFScanlineSize64(t);
  const std::int64_t wanted = (columns * (planes ? 1 : page.samples) * page.bits + 7) / 8;
  if (rows < 1 || columns < 1 || row_bytes < wanted) file.damaged();
  require_plausible_size(static_cast<double>(rows) * static_cast<double>(row_bytes), file_bytes, path);
  std::vector<std::uint8_t> block(static_cast<std::size_t>(rows * row_bytes));
  for (std::int64_t plane = planes ? 0 : -1; plane < (planes ? page.samples : 0); ++plane)
    for (std::int64_t y = 0; y < page.h; y += rows)
      for (std::int64_t x = 0; x < page.w; x += columns) {
        const auto sample = static_cast<std::uint16_t>(std::max<std::int64_t>(plane, 0));
        const auto bytes = static_cast<tmsize_t>(block.size());
        // The last strip is shorter: libtiff says how much it holds.
        const tmsize_t got = tiled ? TIFFReadTile(t, block.data(), static_cast<std::uint32_t>(x),
                                                  static_cast<std::uint32_t>(y), 0, sample)
                                   : TIFFReadEncodedStrip(t, TIFFComputeStrip(t, static_cast<std::uint32_t>(y), sample),
                                                          block.data(), bytes);
        const std::int64_t needed = tiled ? bytes : std::min(rows, page.h - y) * row_bytes;
        if (got < needed) file.damaged();
        place(page, block, row_bytes, y, x, rows, columns, plane);
      }
}

// Photographs in other colour spaces (YCbCr of JPEG-compressed TIFF, CMYK, CIELab): libtiff's own conversion, 8 bits.
void read_as_rgb(const TiffFile& file, Page& page) {
  std::vector<std::uint32_t> rgba(static_cast<std::size_t>(page.h * page.w));
  if (TIFFReadRGBAImageOriented(file.get(), static_cast<std::uint32_t>(page.w), static_cast<std::uint32_t>(page.h),
                                rgba.data(), ORIENTATION_TOPLEFT, 1) == 0)
    file.damaged();
  page.samples = 3;
  page.bits = 8;
  page.photometric = PHOTOMETRIC_RGB;
  page.values.clear();
  for (const std::uint32_t v : rgba)
    for (const std::uint32_t s : {TIFFGetR(v), TIFFGetG(v), TIFFGetB(v)}) page.values.push_back(static_cast<float>(s));
}

enum class Content { image, mask };

Page read_page(const TiffFile& file, std::uint64_t file_bytes, const std::string& path, Content content) {
  Page page;
  page.h = file.field<std::uint32_t>(TIFFTAG_IMAGELENGTH);
  page.w = file.field<std::uint32_t>(TIFFTAG_IMAGEWIDTH);
  page.samples = file.field<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL);
  page.bits = file.field<std::uint16_t>(TIFFTAG_BITSPERSAMPLE);
  if (TIFFGetField(file.get(), TIFFTAG_PHOTOMETRIC, &page.photometric) == 0) page.photometric = PHOTOMETRIC_MINISBLACK;
  const auto format = file.field<std::uint16_t>(TIFFTAG_SAMPLEFORMAT);
  require_plausible_extent(page.h, page.w, path);
  if (page.samples < 1 || page.samples > 16) file.refuse("1 to 16 samples a pixel", std::to_string(page.samples));
  const double unpacked = double(page.h) * double(page.w) * double(page.samples) * page.bits / 8;
  require_plausible_size(unpacked, file_bytes, path);
  if (content == Content::image) require_image_content(unpacked, file_bytes, path);
  if (TIFFNumberOfDirectories(file.get()) > 1) file.refuse("one page", "several");
  page.values.resize(static_cast<std::size_t>(page.h * page.w * page.samples));
  const bool simple = page.photometric == PHOTOMETRIC_MINISBLACK || page.photometric == PHOTOMETRIC_MINISWHITE ||
                      page.photometric == PHOTOMETRIC_PALETTE || page.photometric == PHOTOMETRIC_RGB;
  if (!simple) {
    read_as_rgb(file, page);
    return page;
  }
  const bool whole = format == SAMPLEFORMAT_UINT || format == SAMPLEFORMAT_VOID;
  const bool known = whole ? page.bits == 1 || page.bits == 2 || page.bits == 4 || page.bits == 8 || page.bits == 16
                           : format == SAMPLEFORMAT_IEEEFP && page.bits == 32;
  if (!known)
    file.refuse("unsigned integers of 1, 2, 4, 8 or 16 bits, or 32-bit floating point",
                fmt::format("{} bits of sample format {}", page.bits, format));
  read_blocks(file, file_bytes, path, page);
  if (const auto bad = std::find_if(page.values.begin(), page.values.end(), [](float v) { return !std::isfinite(v); });
      bad != page.values.end()) {
    const std::int64_t pixel = (bad - page.values.begin()) / page.samples;
    bad_data("image holds NaN or infinite pixels", path, "finite values",
             fmt::format("one at ({}, {})", pixel % page.w, pixel / page.w), "replace them in the file");
  }
  return page;
}

Picture coloured(const TiffFile& file, const Page& page) {
  std::uint16_t* map[3] = {};
  if (TIFFGetField(file.get(), TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]) == 0 || page.bits > 8) file.damaged();
  Picture out(page.h, page.w, 3);
  for (std::int64_t p = 0; p < page.h * page.w; ++p)
    for (int c = 0; c < 3; ++c) {
      const auto index = static_cast<std::size_t>(page.values[static_cast<std::size_t>(p * page.samples)]);
      out.pixels[static_cast<std::size_t>(3 * p + c)] = static_cast<float>(map[c][index] >> 8);
    }
  return out;
}

}  // namespace

bool is_tiff(const std::vector<std::uint8_t>& file) {
  if (file.size() < 4) return false;
  const bool little = file[0] == 'I' && file[1] == 'I' && (file[2] == 42 || file[2] == 43) && file[3] == 0;
  const bool big = file[0] == 'M' && file[1] == 'M' && file[2] == 0 && (file[3] == 42 || file[3] == 43);
  return little || big;
}

Picture decode_tiff(const std::vector<std::uint8_t>& bytes, const std::string& path) {
  const TiffFile file(bytes, path);
  const Page page = read_page(file, bytes.size(), path, Content::image);
  if (page.photometric == PHOTOMETRIC_PALETTE) return coloured(file, page);
  const std::int64_t c = page.photometric == PHOTOMETRIC_RGB ? 3 : 1;
  if (page.samples < c) file.damaged();
  Picture out(page.h, page.w, c);
  const bool turned = page.photometric == PHOTOMETRIC_MINISWHITE && page.bits <= 16;
  const float white = static_cast<float>((1 << page.bits % 32) - 1);
  for (std::int64_t p = 0; p < page.h * page.w; ++p)
    for (std::int64_t k = 0; k < c; ++k) {
      const float v = page.values[static_cast<std::size_t>(p * page.samples + k)];
      out.pixels[static_cast<std::size_t>(p * c + k)] = turned ? white - v : v;
    }
  return out;
}

Extent tiff_extent(const std::vector<std::uint8_t>& bytes, const std::string& path) {
  const TiffFile file(bytes, path);
  const Extent e{file.field<std::uint32_t>(TIFFTAG_IMAGELENGTH), file.field<std::uint32_t>(TIFFTAG_IMAGEWIDTH)};
  require_plausible_extent(e.h, e.w, path);
  return e;
}

Mask decode_tiff_mask(const std::vector<std::uint8_t>& bytes, const std::string& path) {
  const TiffFile file(bytes, path);
  const Page page = read_page(file, bytes.size(), path, Content::mask);
  Mask mask(page.h, page.w);
  const std::int64_t c = page.photometric == PHOTOMETRIC_RGB ? 3 : 1;
  if (page.samples < c) file.damaged();
  for (std::int64_t p = 0; p < page.h * page.w; ++p) {
    const float* v = &page.values[static_cast<std::size_t>(p * page.samples)];
    if (c == 3 && (v[0] != v[1] || v[0] != v[2])) refuse_coloured_mask(path, p % page.w, p / page.w, v[0], v[1], v[2]);
    if (*v != std::floor(*v) || *v < 0 || *v > 65535)
      bad_data("mask holds values that are no labels", path, "whole numbers from 0 to 65535",
               fmt::format("{} at ({}, {})", *v, p % page.w, p / page.w), "is this the image?");
    mask.values[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(*v);
  }
  return mask;
}

}  // namespace gf
