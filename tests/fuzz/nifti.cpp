// NIfTI: header, voxels as a picture and as labels, compressed where the bytes begin as gzip does.
#include "data/nifti.h"

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gf;
  const bool compressed = size > 1 && data[0] == 0x1f && data[1] == 0x8b;
  const fuzz::InputAsFile file(data, size, compressed ? ".nii.gz" : ".nii");
  fuzz::refuses_or_reads([&] { read_nifti_header(file.path()); });
  fuzz::refuses_or_reads([&] { read_nifti(file.path(), NonFinite::zero); });
  fuzz::refuses_or_reads([&] { read_nifti_labels(file.path()); });
  return 0;
}
