#pragma once
// Choosing and measuring taps.
#include <string>
#include <utility>
#include <vector>

#include "models/network.h"

namespace gf {

// A network's first `layers` pairs (at most kMostTapPairs), or those of a configuration's list of 2 * layers names:
// shallow, deep, shallow, deep, ... Throws ErrorKind::usage for another number of names.
std::vector<TapPair> tap_pairs(const std::vector<std::string>& names, const Network& network, std::size_t layers = 1);

// Channels of the two taps, found by running a small zero picture in evaluation mode.
std::pair<std::int64_t, std::int64_t> tap_channels(Network& network, const TapPair& taps, std::int64_t in_channels);

// The factors that paraphrasers must make for this student, pair by pair: the channels of its two taps, which Graph
// Flow subtracts from each other channel by channel (FSP and FT take the same factors). Throws ErrorKind::usage where
// they differ.
std::vector<std::int64_t> graph_flow_factors(Network& student, const std::vector<TapPair>& taps,
                                             std::int64_t in_channels);

}  // namespace gf
