#pragma once
// What weights.cpp and checkpoint.cpp share: a list of tensors of ours against the tensors of a file.
#include <functional>
#include <string>
#include <vector>

#include "engine/io/safetensors.h"
#include "engine/io/token_grid.h"
#include "engine/io/weights.h"

namespace gf {

// Parameters, then buffers, their names behind `prefix`.
std::vector<NamedTensor> module_tensors(const Module& module, const std::string& prefix);

std::vector<TensorToWrite> to_write(const std::vector<NamedTensor>& tensors);

// Compares by name, shape and kind of dtype; file tensors for which `ignored` is true count as if they were not there.
LoadReport match(const TensorFile& file, const std::vector<NamedTensor>& tensors,
                 const std::function<bool(const std::string&)>& ignored, TokenGrids grids = TokenGrids::same);

// Fills the tensors the report calls loaded.
void load_matched(const TensorFile& file, const std::vector<NamedTensor>& tensors, const LoadReport& report,
                  TokenGrids grids = TokenGrids::same);

// Throws bad_data with the report in one line.
[[noreturn]] void refuse(const std::string& what, const std::string& path, const LoadReport& report,
                         const std::string& remedy);

}  // namespace gf
