#include "engine/nn/module.h"

namespace gf {

Module::Module(const Owner& owner) {
  if (owner.module) owner.module->children_.push_back({owner.name, this});
}

namespace {
std::string join(const std::string& path, const std::string& name) {
  return path.empty() ? name : name.empty() ? path : path + "." + name;
}
}  // namespace

void Module::collect(const std::string& path, std::vector<NamedTensor> Module::*list,
                     std::vector<NamedTensor>& all) const {
  for (const NamedTensor& t : this->*list) all.push_back({join(path, t.name), t.tensor, t.layout});
  for (const Child& c : children_) {
    const std::string below = join(path, c.name);
    if (c.trained || list == &Module::buffers_) c.module->collect(below, list, all);
    if (!c.trained && list == &Module::buffers_) c.module->collect(below, &Module::parameters_, all);
  }
}

std::vector<NamedTensor> Module::parameters() const {
  std::vector<NamedTensor> all;
  collect("", &Module::parameters_, all);
  return all;
}

std::vector<NamedTensor> Module::buffers() const {
  std::vector<NamedTensor> all;
  collect("", &Module::buffers_, all);
  return all;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const NamedTensor& p : parameters()) count += p.tensor.count();
  return count;
}

void Module::train(bool on) {
  training_ = on;
  for (const Child& c : children_) c.module->train(on);
}

void Module::to(const Device& device) {
  for (const NamedTensor& p : parameters()) p.tensor.move_to(device);
  for (const NamedTensor& b : buffers()) b.tensor.move_to(device);
}

Device Module::device() const {
  const std::vector<NamedTensor> all = parameters();
  return all.empty() ? cpu_device() : all.front().tensor.device();
}

void Module::freeze(bool fold_bf16) {
  frozen_ = true;
  folds_bf16_ = fold_bf16;
  for (const NamedTensor& p : parameters_) p.tensor.attach(nullptr);
  for (const Child& c : children_) c.module->freeze(fold_bf16);
}

void Module::initialise(std::uint64_t seed, const std::string& path) {
  initialise_own(seed, path);
  for (const Child& c : children_) c.module->initialise(seed, join(path, c.name));
}

Tensor Module::parameter(const std::string& name, const Shape& shape, FileLayout layout) {
  Tensor t = Tensor::zeros(shape);
  t.require_grad();
  parameters_.push_back({name, t, layout});
  return t;
}

Tensor Module::buffer(const std::string& name, const Shape& shape, float value) {
  Tensor t = Tensor::full(shape, value);
  buffers_.push_back({name, t, FileLayout::vector});
  return t;
}

}  // namespace gf
