#pragma once
// The findings of `graphflow verify` as a self-contained page, with thumbnails of the cases they are about.
#include <string>

#include "apps/verify_report.h"

namespace gf {

// Reads the pictures it shows again.
std::string verification_page(const Verification& v);

}  // namespace gf
