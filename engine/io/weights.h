#pragma once
// A module's parameters and buffers as a safetensors file, under the module's names and in PyTorch's order of
// dimensions (nn/module.h, FileLayout): torch's load_state_dict takes what save_weights writes, load_weights what
// save_file writes.
#include <string>
#include <vector>

#include "engine/io/safetensors_header.h"
#include "engine/nn/module.h"

namespace gf {

class SafetensorsFile;

// strict: every tensor of the module must be in the file with its shape, and nothing else.
// by_name: what fits by name and shape is loaded, the rest is reported.
enum class LoadMode { strict, by_name };

struct LoadReport {
  struct WrongShape {
    std::string name, file, module;  // "F32 [2,3]", "[2,4]"
  };
  std::vector<std::string> loaded;
  std::vector<std::string> missing;     // in the module, not in the file
  std::vector<std::string> unexpected;  // in the file, not in the module
  std::vector<WrongShape> wrong_shape;  // or a dtype that is no float

  bool complete() const { return missing.empty() && unexpected.empty() && wrong_shape.empty(); }
  // One line: counts, and the first `limit` names of each kind of trouble.
  std::string text(std::size_t limit = 8) const;
};

void save_weights(const std::string& path, const Module& module, const Metadata& metadata = {});

// Takes weight files and checkpoints (of those, the model's part). PyTorch's num_batches_tracked counters are skipped.
// Where the load is refused the module is untouched.
LoadReport load_weights(Module& module, const std::string& path, LoadMode mode = LoadMode::strict);

}  // namespace gf
