#pragma once
// What the voxel reader needs to know about a NIfTI file beyond NiftiHeader. Internal to data/nifti*.cpp.
#include <cstdint>
#include <string>

#include "data/nifti.h"

namespace gf {

struct NiftiFile {
  NiftiHeader header;
  std::string path;        // as the caller gave it, for messages
  std::string voxel_path;  // the .img of a .hdr/.img pair, else the file itself
  std::uint64_t voxel_offset = 0;
  int datatype = 0;  // DT_* code of nifti1.h
  int bytes_per_voxel = 0;
  bool swapped = false;         // the file's byte order is not this machine's
  double slope = 1, inter = 0;  // stored value * slope + inter
};

NiftiFile open_nifti(const std::string& path);

}  // namespace gf
