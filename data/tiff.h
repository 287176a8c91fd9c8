#pragma once
// TIFF through libtiff: strips and tiles, any compression that libtiff knows, one page.
#include <cstdint>
#include <string>
#include <vector>

#include "data/picture.h"

namespace gf {

bool is_tiff(const std::vector<std::uint8_t>& file);  // by its first bytes

// Values as stored, 1 channel for gray, 3 for colour (palettes become colours, alpha is dropped, "white is zero" is
// turned round): unsigned integers of 1, 2, 4, 8 and 16 bits, 32-bit floating point.
// Errors (bad_data, naming `path`): damaged, truncated, several pages, other kinds of numbers, NaN.
Picture decode_tiff(const std::vector<std::uint8_t>& file, const std::string& path);

// Without reading a pixel.
Extent tiff_extent(const std::vector<std::uint8_t>& file, const std::string& path);

// Labels as stored: palette indices, and gray of 1 to 16 bits; RGB where the three values of every pixel are equal.
Mask decode_tiff_mask(const std::vector<std::uint8_t>& file, const std::string& path);

}  // namespace gf
