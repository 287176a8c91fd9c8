#include "data/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <new>

#include "data/gz_stream.h"
#include "data/image_limits.h"
#include "data/jpeg_check.h"
#include "data/png.h"
#include "data/tiff.h"
#include "kernels/error.h"

namespace {

// What one block of stb's may take while a picture is decoded: its inflate would fill 4 GiB from a file of 4 MiB whose
// picture has sixteen pixels.
thread_local std::size_t most_bytes = 0;

thread_local bool out_of_memory = false;  // the system refused a block that a sound picture may need

void* decoder_block(void* old, std::size_t bytes) {
  if (bytes > most_bytes) return nullptr;
  void* const block = std::realloc(old, bytes);
  if (!block) out_of_memory = true;
  return block;
}

}  // namespace

#define STBI_MALLOC(bytes) decoder_block(nullptr, bytes)
#define STBI_REALLOC(block, bytes) decoder_block(block, bytes)
#define STBI_FREE(block) std::free(block)
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_MAX_DIMENSIONS 32768
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
#include <stb_image.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace gf {
namespace {

constexpr std::size_t kDecoderBytes = 1 << 20;  // whatever the picture's size

template <class T>
Picture without_alpha(const T* pixels, int w, int h, int channels) {
  Picture out(h, w, channels <= 2 ? 1 : 3);
  for (std::int64_t p = 0; p < out.h * out.w; ++p)
    for (std::int64_t c = 0; c < out.c; ++c) out.pixels[p * out.c + c] = static_cast<float>(pixels[p * channels + c]);
  return out;
}

}  // namespace

Picture read_image(const std::string& path) {
  const std::vector<std::uint8_t> file = read_whole_file(path);
  if (is_tiff(file)) return decode_tiff(file, path);
  if (is_jpeg(file)) require_sound_jpeg(file, path);
  const int bytes = static_cast<int>(std::min<std::size_t>(file.size(), std::numeric_limits<int>::max()));
  int w = 0, h = 0, channels = 0;
  most_bytes = kDecoderBytes;
  out_of_memory = false;
  if (stbi_info_from_memory(file.data(), bytes, &w, &h, &channels)) {
    require_plausible_extent(h, w, path);
    require_plausible_size(double(h) * w * channels, file.size(), path);
    require_image_content(double(h) * w * channels, file.size(), path);
    // 8 bytes a pixel are the widest there are; stb doubles its buffers, and a JPEG's blocks reach beyond the picture.
    most_bytes += 16 * static_cast<std::size_t>(h + 64) * static_cast<std::size_t>(w + 64);
  }
  const bool wide = stbi_is_16_bit_from_memory(file.data(), bytes);
  void* decoded = nullptr;
  if (wide)
    decoded = stbi_load_16_from_memory(file.data(), bytes, &w, &h, &channels, 0);
  else
    decoded = stbi_load_from_memory(file.data(), bytes, &w, &h, &channels, 0);
  const std::unique_ptr<void, decltype(&stbi_image_free)> pixels(decoded, &stbi_image_free);
  if (!pixels && out_of_memory) throw std::bad_alloc();
  if (!pixels)
    bad_data("cannot read image", path, "an intact PNG, JPEG, BMP or TIFF",
             fmt::format("{} bytes that do not decode ({})", file.size(), stbi_failure_reason()),
             "copy it again, or convert it to PNG");
  return wide ? without_alpha(static_cast<const stbi_us*>(pixels.get()), w, h, channels)
              : without_alpha(static_cast<const stbi_uc*>(pixels.get()), w, h, channels);
}

Picture to_channels(Picture picture, std::int64_t channels, const std::string& path) {
  if (picture.c == channels) return picture;
  Picture out(picture.h, picture.w, channels);
  const std::int64_t n = picture.h * picture.w;
  if (picture.c == 3 && channels == 1) {
    for (std::int64_t p = 0; p < n; ++p) {
      const float* rgb = picture.pixels.data() + 3 * p;
      out.pixels[p] = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
    }
  } else if (picture.c == 1 && channels == 3) {
    for (std::int64_t p = 0; p < n; ++p) std::fill_n(out.pixels.begin() + 3 * p, 3, picture.pixels[p]);
  } else {
    bad_data("image has another number of channels", path, std::to_string(channels), std::to_string(picture.c),
             "set data.channels to what the images hold");
  }
  return out;
}

Extent read_image_extent(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) bad_data("cannot open file", path, {}, std::strerror(errno), "check the path and its permissions");
  std::uint8_t first[4] = {};
  const std::size_t got = std::fread(first, 1, sizeof first, file.get());
  const std::vector<std::uint8_t> start(first, first + got);
  if (is_tiff(start)) {  // its size may stand at the end
    return tiff_extent(read_whole_file(path), path);
  }
  if (is_jpeg(start)) require_sound_jpeg(read_whole_file(path), path);
  std::rewind(file.get());
  most_bytes = kDecoderBytes;
  constexpr stbi_io_callbacks reading = {
      [](void* f, char* out, int bytes) {
        return static_cast<int>(std::fread(out, 1, static_cast<std::size_t>(bytes), static_cast<std::FILE*>(f)));
      },
      [](void* f, int bytes) { std::fseek(static_cast<std::FILE*>(f), bytes, SEEK_CUR); },
      [](void* f) { return std::feof(static_cast<std::FILE*>(f)); }};
  int w = 0, h = 0, channels = 0;
  if (!stbi_info_from_callbacks(&reading, file.get(), &w, &h, &channels))
    bad_data("cannot read image", path, "a PNG, JPEG, BMP or TIFF", "something else", "convert it to PNG");
  require_plausible_extent(h, w, path);
  std::error_code unknown;  // then any size is let through
  const auto file_bytes = std::filesystem::file_size(path, unknown);
  require_plausible_size(double(h) * w * channels, file_bytes, path);
  require_image_content(double(h) * w * channels, file_bytes, path);
  return {h, w};
}

Mask read_mask(const std::string& path) {
  const std::vector<std::uint8_t> file = read_whole_file(path);
  if (is_tiff(file)) return decode_tiff_mask(file, path);
  if (!is_png(file))
    bad_data("mask is not a PNG or TIFF file", path, "a lossless file that keeps its values", "another format",
             "convert the mask to PNG");
  return decode_png_mask(file, path);
}

static std::string lower_ending(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending;
}

bool is_mask_image_name(const std::string& path) {
  const std::string e = lower_ending(path);
  return e == ".png" || e == ".tif" || e == ".tiff";
}

bool is_image_name(const std::string& path) {
  const std::string e = lower_ending(path);
  return is_mask_image_name(path) || e == ".jpg" || e == ".jpeg" || e == ".bmp";
}

}  // namespace gf
