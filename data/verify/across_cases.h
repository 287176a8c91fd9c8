#pragma once
// What no case shows by itself: leaks between the parts, classes that never occur, cases unlike the others.
#include "data/verify/case_facts.h"

namespace gf {

// `facts`: one a case of the listing, in its order. train and unlabelled count as one part.
std::vector<Finding> check_across_cases(const Listing& listing, const std::vector<CaseFacts>& facts);

}  // namespace gf
