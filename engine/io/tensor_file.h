#pragma once
// A file of named tensors, whatever its format: safetensors (safetensors.h) or NumPy's npz (npz.h).
#include <memory>
#include <string>
#include <vector>

#include "engine/io/safetensors_header.h"

namespace gf {

class TensorFile {
 public:
  virtual ~TensorFile() = default;
  virtual const std::string& path() const = 0;
  virtual const std::vector<FileTensor>& tensors() const = 0;
  // F32, F16, BF16, F64 (rounded to float32; beyond its range: inf, as in PyTorch). bad_data where there is no such
  // tensor or it holds something else.
  virtual std::vector<float> floats(const std::string& name) const = 0;
};

// By the file's first bytes.
std::unique_ptr<TensorFile> open_tensor_file(const std::string& path);

}  // namespace gf
