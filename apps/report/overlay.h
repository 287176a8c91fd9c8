#pragma once
// A picture with its class map drawn over it, as bytes for a PNG file or a data URI inside a page.
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "data/picture.h"
#include "data/png.h"

namespace gf {

// Colour of a class. Background is black; 1 to 8 can be told apart with every kind of colour vision and on gray; more
// go round the colour wheel.
std::array<std::uint8_t, 3> class_color(int id);
// class_color of 0 .. classes-1, for palette PNGs.
Palette class_palette(int classes);

struct OverlayStyle {
  int scale = 2;       // pixels of the result a pixel of the picture; contours stay one pixel thin
  double fill = 0.35;  // opacity of the class colours inside the contours
  bool contours = true;
  // What is black and what white; else the picture's own extremes. Pictures that are to be compared need one for all.
  std::optional<std::array<double, 2>> range = {};
  int quarter_turns = 0;  // counter-clockwise: 1 shows a sagittal or coronal slice (y or x, z) with the head upright
};

Mask turned(Mask mask, int quarter_turns);  // counter-clockwise

// Values from which to which a picture is stretched: its least and largest, 0.5 % at both ends cut off.
std::array<double, 2> display_range(std::span<const float> values);

// Gray or RGB, stretched by style.range or its display_range(). Only the first channel of
// pictures that are neither. Class 0 and negative ids (ignored pixels) are left as they are. RGB, 8 bits.
// Error where the mask has another size; an empty mask (0 x 0) gives the bare picture.
Bytes8 draw_overlay(const Picture& picture, const Mask& mask, const OverlayStyle& style = {});

// "data:image/png;base64,...."
std::string png_data_uri(const Bytes8& picture);
std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace gf
