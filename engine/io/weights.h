#pragma once
// A module's parameters and buffers as a safetensors file, under the module's names and in PyTorch's order of
// dimensions (nn/module.h, FileLayout): torch's load_state_dict takes what save_weights writes, load_weights what
// save_file writes. load_weights also takes what others have published, safetensors or npz, by a table of their names.
#include <string>
#include <vector>

#include "engine/io/foreign_names.h"
#include "engine/io/safetensors_header.h"

namespace gf {

// strict: every tensor of the module must be in the file with its shape, and nothing else; of a file with foreign names
// what such files hold must be there, and nothing that their table does not know. by_name: what fits by name and shape
// is loaded, the rest is reported.
enum class LoadMode { strict, by_name };

// Names are the file's, but for `fresh`.
struct LoadReport {
  struct WrongShape {
    std::string name, file, module;  // "F32 [2,3]", "[2,4]"
  };
  std::string origin;  // whose names the file uses; "": our own
  std::vector<std::string> loaded;
  std::vector<std::string> missing;     // in the module, not in the file
  std::vector<std::string> unexpected;  // in the file, not in the module
  std::vector<WrongShape> wrong_shape;  // or a dtype that is no float
  std::vector<std::string> resized;     // of the loaded: position embeddings of another grid (token_grid.h)
  std::vector<std::string> unneeded;    // in the file, and known to be of no use here
  std::vector<std::string> fresh;       // tensors of the module that such files do not hold

  bool complete() const { return missing.empty() && unexpected.empty() && wrong_shape.empty(); }
  // One line: counts, and the first `limit` names of each kind of trouble.
  std::string text(std::size_t limit = 8) const;
  // One line a tensor: "used         conv_root/kernel".
  std::string table() const;
};

void save_weights(const std::string& path, const Module& module, const Metadata& metadata = {});

// Takes weight files and checkpoints (of those, the model's part), and files with names of `foreign`: the file's names
// decide which, a leading "module." of all of them apart. PyTorch's num_batches_tracked counters are skipped. Where the
// load is refused the module is untouched.
LoadReport load_weights(Module& module, const std::string& path, LoadMode mode = LoadMode::strict,
                        const std::vector<ForeignNames>& foreign = {});

}  // namespace gf
