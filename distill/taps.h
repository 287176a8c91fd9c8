#pragma once
// Choosing and measuring taps.
#include <string>
#include <utility>
#include <vector>

#include "models/network.h"

namespace gf {

// {shallow, deep} from a configuration's list of two names; the network's published pair where the list is empty.
TapPair tap_pair(const std::vector<std::string>& names, const Network& network);

// Channels of the two taps, found by running a small zero picture in evaluation mode.
std::pair<std::int64_t, std::int64_t> tap_channels(Network& network, const TapPair& taps, std::int64_t in_channels);

// The factors that paraphrasers must make for this student: the channels of its two taps, which Graph Flow subtracts
// from each other channel by channel. Throws ErrorKind::usage where they differ.
std::int64_t graph_flow_factors(Network& student, const TapPair& taps, std::int64_t in_channels);

}  // namespace gf
