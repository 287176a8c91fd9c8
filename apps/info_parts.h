#pragma once
// The networks of the method that segment nothing, for `graphflow info`.
#include <string>
#include <vector>

#include "apps/commands.h"

namespace gf {

std::vector<std::string> part_names();

// Describes the part that flags.subject names; false where it names none.
bool print_part(const InfoFlags& flags);

}  // namespace gf
