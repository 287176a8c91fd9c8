#pragma once
// Slices as arrays, the way TransUNet ships Synapse: .npz with one slice (arrays image and label, H x W), .h5 with a
// stack of them (datasets image and label, D x H x W). H runs along NIfTI's x, W along y, D along z; files written by
// `graphflow convert` also hold the original's NIfTI header (nifti_header, 348 bytes), others know no geometry.
//
// Errors (bad_data): arrays missing, of another shape, larger than 32768 pixels a side, NaN, labels that are no whole
// numbers; all name the file.
#include <cstdint>
#include <string>
#include <vector>

#include "data/nifti.h"
#include "data/picture.h"

namespace gf {

bool is_slice_name(const std::string& path);      // .npz
bool is_stack_name(const std::string& path);      // .h5, .hdf5
bool is_array_name(const std::string& path);      // either
std::string array_stem(const std::string& path);  // "case0001" of case0001.npy.h5

struct ImageStack {
  std::int64_t slices = 0;
  Extent extent;
  int channels = 1;
  std::vector<float> pixels;  // slice by slice, row by row
  NiftiHeader header;         // of the whole volume; plain where the file has none
};

struct StackShape {
  std::int64_t slices = 0;
  Extent extent;
  bool has_label = false, has_geometry = false;
};

// Of one .h5, without reading a pixel.
StackShape read_stack_shape(const std::string& path);
Extent read_slice_extent(const std::string& path);  // of one .npz
bool holds_geometry(const std::string& path);       // of either: whether it knows the size of a voxel

// Slices first .. last of one .h5 (last < 0: all), or of .npz files, one each.
ImageStack read_image_stack(const std::vector<std::string>& paths, std::int64_t first, std::int64_t last,
                            NonFinite non_finite = NonFinite::refuse);
std::vector<Mask> read_label_stack(const std::vector<std::string>& paths, std::int64_t first, std::int64_t last,
                                   NonFinite non_finite = NonFinite::refuse);

// The label of one .npz or .h5 for who looks for faults: all of its values, whatever its shape; and an error where that
// is not the image's.
std::vector<std::int32_t> read_label_values(const std::string& path, NonFinite non_finite = NonFinite::refuse);
void require_fitting_label(const std::string& path);

}  // namespace gf
