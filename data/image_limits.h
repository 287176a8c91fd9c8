#pragma once
// What every picture reader refuses before it asks for memory. Internal to the readers. Errors are bad_data.
#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "kernels/error.h"

namespace gf {

constexpr std::int64_t kMostImageSide = 1 << 15;

inline void require_plausible_extent(std::int64_t h, std::int64_t w, const std::string& path) {
  if (h < 1 || w < 1 || h > kMostImageSide || w > kMostImageSide)
    bad_data("picture of an impossible size", path, fmt::format("sides of 1 to {} pixels", kMostImageSide),
             fmt::format("{}x{}", w, h));
}

// Deflate packs at most 1032 to 1; run lengths and fax codes pack blank pages better, but then pages are small.
inline void require_plausible_size(double bytes, std::uint64_t file_bytes, const std::string& path) {
  constexpr double always = 1 << 26;
  if (bytes > always && bytes > 1100 * (static_cast<double>(file_bytes) + 1))
    bad_data("picture larger than its file can hold", path, fmt::format("{:.0f} bytes of pixels", bytes),
             fmt::format("a file of {} bytes", file_bytes), "copy the file again");
}

// Real images are packed some 2 to 1, with wide margins of one value 20 to 1; masks and blank pages up to deflate's
// 1032 to 1. An image of much more is no image: zeros of any amount fit a small file, and once unpacked they are held
// several times while they become what a network sees. Small ones cost nothing and are let through, whatever they hold.
inline void require_image_content(double bytes, std::uint64_t packed_bytes, const std::string& where) {
  constexpr double always = 1 << 26, most = 200;
  if (bytes > always && bytes > most * (static_cast<double>(packed_bytes) + 1))
    bad_data("image holds next to nothing for its size", where,
             fmt::format("at most {:.0f} bytes unpacked from each", most),
             fmt::format("{:.0f} bytes in {}", bytes, packed_bytes), "if that is meant, store it unpacked");
}

// Masks saved as RGB are common and harmless while the three values are one.
[[noreturn]] inline void refuse_coloured_mask(const std::string& path, std::int64_t x, std::int64_t y, double r,
                                              double g, double b) {
  bad_data("mask holds colours", path, "one value per pixel (gray, palette, or RGB with equal values)",
           fmt::format("RGB ({}, {}, {}) at ({}, {})", r, g, b, x, y), "convert it to class ids");
}

}  // namespace gf
