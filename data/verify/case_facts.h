#pragma once
// One case, read through: what it holds, and what is wrong with it.
#include <array>
#include <cstdint>
#include <map>

#include "data/verify/listing.h"

namespace gf {

struct CaseFacts {
  bool readable = false;                         // the image; the numbers below are filled then
  std::array<std::int64_t, 3> size = {0, 0, 0};  // slices (1 of a picture), height, width as stored
  std::array<double, 3> spacing_mm = {1, 1, 1};  // alike; 1 of a picture
  std::int64_t channels = 1;
  double least = 0, most = 0, mean = 0, deviation = 0;  // of all channels as stored
  std::uint64_t content = 0;                     // a hash of size and values: the same picture, whatever the file
  std::vector<std::uint64_t> slices;             // of a volume: a hash each; 0 of one or two values, or not read
  std::map<std::int32_t, std::int64_t> labels;   // stored value -> pixels; empty without a readable label
  std::map<std::int32_t, std::int64_t> classes;  // class id -> pixels, of the files whose values all have one
  std::vector<Finding> findings;
};

// Never throws for what is in the files.
CaseFacts examine_case(const Listing& listing, const Case& c);

}  // namespace gf
