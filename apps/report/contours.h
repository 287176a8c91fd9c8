#pragma once
// Prediction and reference outlined over one picture, to see where they part.
#include <array>
#include <cstdint>

#include "data/picture.h"
#include "data/png.h"

namespace gf {

// Told apart by every kind of colour vision, on gray and on stained tissue.
constexpr std::array<std::uint8_t, 3> kReferenceColor = {0, 200, 255}, kPredictionColor = {255, 140, 0},
                                      kAgreedColor = {255, 255, 255};

// Pixels of a class that touch another class, in an RGB picture of any size: the masks are taken to it by their nearest
// pixels. Where both have the same class and end there, the agreed colour; where both end and the classes differ, the
// prediction's. The picture's own border is no contour. Class ids <= 0 are background.
void draw_contours(Bytes8& picture, const Mask& reference, const Mask& prediction);

}  // namespace gf
