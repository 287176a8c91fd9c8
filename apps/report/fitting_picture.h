#pragma once
// Pictures made small enough for a page: a page is one file, and someone will mail it.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "data/png.h"

namespace gf {

// Its longer side at most `side`, each pixel the mean over what it covers; as it is where that holds already.
Bytes8 shrunk_to(const Bytes8& picture, std::int64_t side);

// draw(side) makes a picture whose longer side is at most `side`. The data URI of the largest one that has at most
// `bytes` characters, beginning with `side`; at 16 pixels it is taken whatever it is.
std::string fitting_png(std::int64_t side, std::size_t bytes, const std::function<Bytes8(std::int64_t side)>& draw);

}  // namespace gf
