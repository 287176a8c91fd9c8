#include "data/png.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "data/gz_stream.h"
#include "data/image_limits.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

// libpng reports errors by a callback that must not return: the message is kept and control jumps back to the setjmp of
// the function that called libpng. Those functions hold no object with a destructor of their own, so nothing is
// skipped.
struct Complaint {
  char text[200] = "";
};

[[noreturn]] void keep_and_jump(png_structp png, png_const_charp message) {
  std::strncpy(static_cast<Complaint*>(png_get_error_ptr(png))->text, message, sizeof(Complaint::text) - 1);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

struct MaskReader {
  const std::vector<std::uint8_t>& file;
  std::size_t next = 0;
  png_structp png = nullptr;
  png_infop info = nullptr;
  Complaint complaint;
  std::uint32_t h = 0, w = 0;
  int depth = 0, colour = 0;
  std::size_t row_bytes = 0;
  std::vector<png_bytep> rows;
  std::vector<std::uint8_t> pixels;

  explicit MaskReader(const std::vector<std::uint8_t>& file_) : file(file_) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &complaint, keep_and_jump, ignore_warning);
    if (png) info = png_create_info_struct(png);
    if (!info) throw std::bad_alloc();
    png_set_read_fn(png, this, [](png_structp p, png_bytep out, std::size_t bytes) {
      auto* self = static_cast<MaskReader*>(png_get_io_ptr(p));
      if (bytes > self->file.size() - self->next) png_error(p, "the file is truncated");
      std::memcpy(out, self->file.data() + self->next, bytes);
      self->next += bytes;
    });
  }
  ~MaskReader() { png_destroy_read_struct(&png, &info, nullptr); }

  bool read_header() {
    if (setjmp(png_jmpbuf(png))) return false;
    png_read_info(png, info);
    png_get_IHDR(png, info, &w, &h, &depth, &colour, nullptr, nullptr, nullptr);
    png_set_packing(png);  // 1, 2, 4 bits: one value a byte, as stored
    if (colour & PNG_COLOR_MASK_ALPHA) png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    row_bytes = png_get_rowbytes(png, info);
    return true;
  }
  bool read_rows() {
    if (setjmp(png_jmpbuf(png))) return false;
    png_read_image(png, rows.data());
    png_read_end(png, nullptr);
    return true;
  }
};

struct Writer {
  std::vector<std::uint8_t> out;
  png_structp png = nullptr;
  png_infop info = nullptr;
  Complaint complaint;
  std::vector<png_bytep> rows;

  Writer() {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &complaint, keep_and_jump, ignore_warning);
    if (png) info = png_create_info_struct(png);
    if (!info) throw std::bad_alloc();
    png_set_write_fn(
        png, this,
        [](png_structp p, png_bytep data, std::size_t bytes) {
          auto& out = static_cast<Writer*>(png_get_io_ptr(p))->out;
          out.insert(out.end(), data, data + bytes);
        },
        nullptr);
  }
  ~Writer() { png_destroy_write_struct(&png, &info); }

  bool write(std::int64_t h, std::int64_t w, int depth, int colour, const png_color* palette, int colours) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_IHDR(png, info, static_cast<png_uint_32>(w), static_cast<png_uint_32>(h), depth, colour, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (palette) png_set_PLTE(png, info, palette, colours);
    png_write_info(png, info);
    png_write_image(png, rows.data());
    png_write_end(png, info);
    return true;
  }
};

std::vector<std::uint8_t> encode(std::uint8_t* bytes, std::int64_t h, std::int64_t w, std::int64_t row_bytes, int depth,
                                 int colour, const std::vector<png_color>& palette) {
  Writer writer;
  for (std::int64_t y = 0; y < h; ++y) writer.rows.push_back(bytes + y * row_bytes);
  if (!writer.write(h, w, depth, colour, palette.empty() ? nullptr : palette.data(), static_cast<int>(palette.size())))
    fail("cannot encode PNG", fmt::format("{}x{} pixels", w, h), {}, writer.complaint.text);
  return std::move(writer.out);
}

void write_file(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace

bool is_png(const std::vector<std::uint8_t>& file) { return file.size() >= 8 && png_sig_cmp(file.data(), 0, 8) == 0; }

Mask read_png_mask(const std::string& path) {
  const std::vector<std::uint8_t> file = read_whole_file(path);
  if (!is_png(file))
    bad_data("mask is not a PNG file", path, "PNG (lossless, values kept)", "another format",
             "convert the mask to PNG");
  return decode_png_mask(file, path);
}

Mask decode_png_mask(const std::vector<std::uint8_t>& file, const std::string& path) {
  MaskReader reader(file);
  const char* remedy = "copy the file again";
  if (!reader.read_header()) bad_data("cannot read mask", path, "a valid PNG", reader.complaint.text, remedy);
  require_plausible_extent(reader.h, reader.w, path);
  if (reader.row_bytes * reader.h > 1100 * (file.size() + 1))  // more than deflate can pack into that many bytes
    bad_data("cannot read mask", path, fmt::format("{}x{} pixels", reader.w, reader.h),
             fmt::format("a file of {} bytes", file.size()), remedy);
  reader.pixels.resize(reader.row_bytes * reader.h);
  for (std::uint32_t y = 0; y < reader.h; ++y) reader.rows.push_back(reader.pixels.data() + y * reader.row_bytes);
  if (!reader.read_rows()) bad_data("cannot read mask", path, "a valid PNG", reader.complaint.text, remedy);
  Mask mask(reader.h, reader.w);
  const bool wide = reader.depth == 16;
  const std::int64_t samples = reader.colour == PNG_COLOR_TYPE_RGB || reader.colour == PNG_COLOR_TYPE_RGB_ALPHA ? 3 : 1;
  for (std::int64_t y = 0; y < mask.h; ++y) {
    const std::uint8_t* row = reader.rows[y];
    const auto value = [&](std::int64_t i) { return wide ? row[2 * i] << 8 | row[2 * i + 1] : row[i]; };
    for (std::int64_t x = 0; x < mask.w; ++x) {
      const std::int32_t v = value(x * samples);
      if (samples == 3 && (v != value(3 * x + 1) || v != value(3 * x + 2)))
        refuse_coloured_mask(path, x, y, v, value(3 * x + 1), value(3 * x + 2));
      mask.at(y, x) = v;
    }
  }
  return mask;
}

std::vector<std::uint8_t> encode_png(const Bytes8& p) {
  if (p.c != 1 && p.c != 3) fail("cannot encode PNG", "picture", "1 or 3 channels", std::to_string(p.c));
  std::vector<std::uint8_t> bytes = p.bytes;
  return encode(bytes.data(), p.h, p.w, p.w * p.c, 8, p.c == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, {});
}

void write_png(const std::string& path, const Bytes8& picture) { write_file(path, encode_png(picture)); }

void write_png_mask(const std::string& path, const Mask& mask, const Palette& palette) {
  const auto [least, most] = std::minmax_element(mask.values.begin(), mask.values.end());
  if (mask.values.empty() || *least < 0 || *most > 65535)
    fail("cannot write mask", path, "class ids from 0 to 65535",
         mask.values.empty() ? "no pixels" : fmt::format("{} to {}", *least, *most));
  std::vector<std::uint8_t> bytes;
  if (*most > 255) {
    for (const std::int32_t v : mask.values) {
      bytes.push_back(static_cast<std::uint8_t>(v >> 8));
      bytes.push_back(static_cast<std::uint8_t>(v));
    }
    return write_file(path, encode(bytes.data(), mask.h, mask.w, 2 * mask.w, 16, PNG_COLOR_TYPE_GRAY, {}));
  }
  bytes.assign(mask.values.begin(), mask.values.end());
  std::vector<png_color> colours;
  for (const auto& c : palette) colours.push_back({c[0], c[1], c[2]});
  // An id without a colour would make the file invalid: the palette is filled up with white.
  if (!colours.empty())
    colours.resize(std::clamp<std::size_t>(*most + 1, std::min<std::size_t>(colours.size(), 256), 256),
                   {255, 255, 255});
  write_file(path, encode(bytes.data(), mask.h, mask.w, mask.w, 8,
                          colours.empty() ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_PALETTE, colours));
}

}  // namespace gf
