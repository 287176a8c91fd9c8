#pragma once
// Every layout's door; each file beside this one says at its top what lies where. They find the files, name classes and
// parts, and decode nothing beyond headers. Errors are bad_data, naming the file or folder.
#include <span>

#include "data/layouts/case_faults.h"

namespace gf {

using OpenLayout = Dataset(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults);

struct Layout {
  const char* name;
  OpenLayout* open;
};
std::span<const Layout> layouts();

OpenLayout open_brain, open_images_masks, open_nifti_cases, open_csv, open_busi, open_cvc, open_nnunet, open_monai,
    open_synapse, open_btcv, open_gastric;

}  // namespace gf
