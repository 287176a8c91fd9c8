#pragma once
// Many pictures on one.
#include <vector>

#include "data/png.h"

namespace gf {

// RGB pictures row by row, each in the middle of a cell as large as the largest, `gap` gray pixels between and around.
// Error for none, and for columns < 1.
Bytes8 contact_sheet(const std::vector<Bytes8>& pictures, int columns, int gap = 6);

// Columns for about as much width as height.
int sheet_columns(std::size_t pictures, std::int64_t h, std::int64_t w);

}  // namespace gf
