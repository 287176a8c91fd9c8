#pragma once
// Pictures in several files: one a channel, or several masks.
#include "data/picture.h"

namespace gf {

// Channels side by side, in the order of the parts, which are of one size.
Picture join_channels(const std::vector<Picture>& parts);

// A pixel gets the greater value of the two. `all` may be empty, else both are of one size.
void unite(Mask& all, const Mask& more);

}  // namespace gf
