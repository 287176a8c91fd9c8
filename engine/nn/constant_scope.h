#pragma once
// While alive, a module's parameters are constants: gradients flow through it to its input and none to its parameters.
// For a module that is trained in turns with another one. (Module::freeze() is for ever.)
#include <utility>
#include <vector>

#include "engine/nn/module.h"

namespace gf {

class ConstantScope {
 public:
  explicit ConstantScope(const Module& module) {
    for (const NamedTensor& p : module.parameters()) {
      slots_.emplace_back(p.tensor, p.tensor.slot());
      p.tensor.attach(nullptr);
    }
  }
  ~ConstantScope() {
    for (auto& [parameter, slot] : slots_) parameter.attach(std::move(slot));
  }
  ConstantScope(const ConstantScope&) = delete;
  ConstantScope& operator=(const ConstantScope&) = delete;

 private:
  std::vector<std::pair<Tensor, std::shared_ptr<GradientSlot>>> slots_;
};

}  // namespace gf
