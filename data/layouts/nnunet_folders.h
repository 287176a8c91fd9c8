#pragma once
// nnU-Net's folders of raw data: imagesTr/CASE_0000.nii.gz (one file a channel; CASE.nii.gz for one channel) with
// labelsTr/CASE.nii.gz, and the same with Ts for the test part.
#include <string>
#include <vector>

#include "data/layouts/case_faults.h"

namespace gf {

// The cases of images<part> with their labels, in name order; files with another ending are left alone (".nii.gz" takes
// every NIfTI file). Errors (bad_data): a folder missing or empty, no such file in it, an image without a label.
std::vector<Case> nnunet_cases(const std::string& root, const std::string& part, const std::string& ending,
                               CaseFaults& faults);

// CASE_0000 and CASE_0001 are channels of CASE; a name without a four-digit ending is a case of its own.
std::string without_channel(const std::string& stem);

}  // namespace gf
