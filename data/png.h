#pragma once
// PNG through libpng. Masks are read without expansion: palette indices and 1, 2, 4, 8 and 16-bit gray values arrive as
// stored (stb would turn a palette into colours and 2-bit classes into 0, 85, 170, 255). Writers are atomic.
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/picture.h"

namespace gf {

using Palette = std::vector<std::array<std::uint8_t, 3>>;  // colour of class id 0, 1, ... (at most 256)

// Bit depth 8 bytes a row in `bytes`: h * w * c of them, c = 1 gray, 3 RGB.
struct Bytes8 {
  std::int64_t h = 0, w = 0, c = 1;
  std::vector<std::uint8_t> bytes;
};

bool is_png(const std::vector<std::uint8_t>& file);  // by its first bytes

// Stored values of a gray or palette PNG; alpha is dropped. RGB is read where the three values of every pixel are
// equal. Other colours and anything that is not PNG are refused (bad_data).
Mask read_png_mask(const std::string& path);
Mask decode_png_mask(const std::vector<std::uint8_t>& file, const std::string& path);

// The file as bytes, for a report that embeds it.
std::vector<std::uint8_t> encode_png(const Bytes8& picture);
void write_png(const std::string& path, const Bytes8& picture);

// Class ids as they are: 8-bit with `palette` as colours where one is given, 16-bit gray where ids exceed 255 (then
// without palette).
void write_png_mask(const std::string& path, const Mask& mask, const Palette& palette = {});

}  // namespace gf
