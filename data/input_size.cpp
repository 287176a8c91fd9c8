#include "data/input_size.h"

#include "data/array_files.h"
#include "data/image.h"

namespace gf {

InputSize input_size(const std::vector<std::string>& files, const Preprocessing& preprocessing) {
  const std::string& file = files.at(0);
  if (is_nifti_name(file)) {
    const NiftiHeader header = read_nifti_header(file);
    return {slice_count(header, preprocessing.slice_axis), slice_extent(header, preprocessing.slice_axis)};
  }
  if (is_slice_name(file)) return {1, read_slice_extent(file)};
  if (is_stack_name(file)) {
    const StackShape shape = read_stack_shape(file);
    return {shape.slices, shape.extent};
  }
  return {1, read_image_extent(file)};
}

}  // namespace gf
