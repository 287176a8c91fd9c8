#include "engine/io/tensor_file.h"

#include "engine/io/npz.h"
#include "engine/io/safetensors.h"

namespace gf {

std::unique_ptr<TensorFile> open_tensor_file(const std::string& path) {
  if (is_zip(path)) return std::make_unique<NpzFile>(path);
  return std::make_unique<SafetensorsFile>(path);
}

}  // namespace gf
