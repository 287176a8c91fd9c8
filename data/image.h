#pragma once
// Pictures and masks, the format known by the file's first bytes. Photographs: PNG (8 and 16 bits), JPEG, BMP through
// stb, TIFF (tiff.h). Values as stored: 0..255, or 0..65535 for 16 bits. Alpha is dropped.
// Errors (bad_data): missing, empty, truncated, another format, larger than 32768 pixels a side.
#include <string>

#include "data/picture.h"

namespace gf {

// As stored: 1 channel for gray, 3 for colour.
Picture read_image(const std::string& path);

// Height and width from the file's first bytes.
Extent read_image_extent(const std::string& path);

// Labels as stored: PNG (png.h) or TIFF (tiff.h).
Mask read_mask(const std::string& path);

// RGB to gray with the BT.601 weights (.299, .587, .114), gray to RGB by repetition; itself where already so.
// Error for other channel counts, naming `path`.
Picture to_channels(Picture picture, std::int64_t channels, const std::string& path);

bool is_image_name(const std::string& path);       // by its ending: png, jpg, jpeg, bmp, tif, tiff
bool is_mask_image_name(const std::string& path);  // png, tif, tiff

}  // namespace gf
