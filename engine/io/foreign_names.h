#pragma once
// Under which names, and in which order of dimensions, files from elsewhere hold a module's tensors.
#include <map>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace gf {

struct ForeignNames {
  struct Tensor {
    std::string name;
    FileLayout layout;
  };

  std::string origin;                     // who names tensors so, for messages
  std::map<std::string, Tensor> tensors;  // by our name; what is not here is not in such files and starts fresh
  std::vector<std::string> unneeded;      // beginnings of names in such files that the module has no use for
};

}  // namespace gf
