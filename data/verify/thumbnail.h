#pragma once
// A case at a glance.
#include "data/verify/listing.h"

namespace gf {

// What to look at: the slice with most foreground (the middle one without a label), and its label as stored, made
// smaller to at most `side` pixels. False where the case cannot be read.
bool thumbnail_of(const Listing& listing, const Case& c, std::int64_t side, Picture& picture, Mask& mask);

}  // namespace gf
