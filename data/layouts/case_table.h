#pragma once
// Cases listed one a line in a CSV file: what the layouts csv, images_masks and nifti_cases have in common.
#include <string>
#include <vector>

#include "data/layouts/case_faults.h"

namespace gf {

// Columns image, `label` (the first of these names there is), split, and where there are such patient. Files are named
// relative to the table, or absolutely. Without a column split, parts are drawn (split_file.h); `split_required`: an
// error instead.
void read_case_table(Dataset& dataset, const std::string& table, const std::vector<std::string>& label_columns,
                     const DatasetSource& source, bool split_required, CaseFaults& faults);

// Appends it, with its slices where it is a volume; sets Dataset::volumes by the first case and refuses the other kind.
void add_case(Dataset& dataset, Case c, CaseFaults& faults);

}  // namespace gf
