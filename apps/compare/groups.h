#pragma once
// Which rows stand in one table (comparison.h says what a group is), and what is wrong with a table.
#include <vector>

#include "apps/compare/comparison.h"

namespace gf {

// Groups and models in the order of their first row; a row that failed belongs to its model and is not averaged.
// bad_data for two rows of one model and seed in a group.
std::vector<ComparedGroup> group_rows(const std::vector<RunRow>& rows);

// Of a measured group: seeds that are missing, failed rows, unequal budgets, pictures, devices, models without cases.
void add_warnings(ComparedGroup& group, bool on_test);

}  // namespace gf
