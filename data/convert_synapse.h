#pragma once
// BTCV's NIfTI volumes (layout btcv) to the files TransUNet trains on (layout synapse), and back.
//
// To synapse: HU clipped to -125..275 and scaled to 0..1, float32; voxel (x, y, z) becomes [z][x][y]; the 13 organs
// become the eight of the order, the others background. Test cases become test_vol_h5/caseNNNN.npy.h5, the others
// train_npz/caseNNNN_sliceZZZ.npz. Every file also holds the volume's NIfTI header, which other readers do not look at.
// To nifti: img/imgNNNN.nii.gz in HU (what was clipped stays so) and label/labelNNNN.nii.gz with BTCV's numbers, with
// the header where the files hold one, else voxels of 1 mm.
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/synapse_classes.h"

namespace gf {

// `c` of open_dataset("btcv") without class order; `root` is the new data set's. Errors (bad_data): whatever the
// readers say, another grid, unknown labels.
void write_synapse_case(const Case& c, const OrganOrder& order, const std::string& root);
// lists_Synapse/train.txt, test_vol.txt and all.lst of these cases.
void write_synapse_lists(const std::vector<Case>& cases, const std::string& root);
// `c` of open_dataset("synapse"). Whether the header was there.
bool write_btcv_case(const Case& c, const OrganOrder& order, const std::string& root);

// The last file that is written of a case: where it is, the case is done.
std::string synapse_file(const Case& c, const std::string& root);
std::string btcv_file(const Case& c, const std::string& root);

}  // namespace gf
