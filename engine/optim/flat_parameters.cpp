#include "engine/optim/flat_parameters.h"

#include "engine/autograd.h"
#include "engine/memory.h"
#include "kernels/bf16.h"
#include "kernels/elementwise.h"
#include "kernels/error.h"
#include "kernels/optimizer.h"

namespace gf {
namespace {

constexpr std::int64_t kAlign = 256 / sizeof(float);
Tensor zeroed(std::int64_t count, const Device& device) { return Tensor::zeros({1, 1, 1, count}, device); }

}  // namespace

FlatParameters::FlatParameters(const Module& module, bool with_shadow) {
  const MemoryTag tag("parameters");
  std::int64_t size = 0;
  for (const NamedTensor& p : module.parameters()) {
    if (!p.tensor.requires_grad())
      fail("parameter without a gradient", p.name + " " + p.tensor.shape().str(), "a module that is not frozen", "",
           "build the module anew to train it");
    entries_.push_back({p.name, p.tensor, p.layout, size, p.tensor.count()});
    size += (p.tensor.count() + kAlign - 1) / kAlign * kAlign;
  }
  const Device device = entries_.empty() ? cpu_device() : entries_[0].tensor.device();
  const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(float);
  const std::shared_ptr<void> values = allocate(bytes, device, {{1, 1, 1, size}}),
                              gradients = allocate(bytes, device, {{1, 1, 1, size}});
  values_ = Tensor::over(values, 0, {1, 1, 1, size}, device);
  gradients_ = Tensor::over(gradients, 0, {1, 1, 1, size}, device);
  on(device, [&](const auto& d) {
    fill(d, 0.0f, values_.mutable_view());
    fill(d, 0.0f, gradients_.mutable_view());
  });
  for (Entry& e : entries_) {
    const std::size_t offset = static_cast<std::size_t>(e.offset) * sizeof(float);
    e.tensor.rebind(values, offset);
    e.tensor.slot()->grad = Tensor::over(gradients, offset, e.tensor.shape(), device);
    e.tensor.slot()->arrived = false;
  }
  if (!with_shadow) return;
  const std::shared_ptr<void> shadow =
      allocate(static_cast<std::size_t>(size) * sizeof(bf16), device, {{1, 1, 1, size}, DType::bf16});
  shadow_ = Tensor::over(shadow, 0, {1, 1, 1, size}, device, DType::bf16);
  for (const Entry& e : entries_)
    e.tensor.set_shadow(
        Tensor::over(shadow, static_cast<std::size_t>(e.offset) * sizeof(bf16), e.tensor.shape(), device, DType::bf16));
  refresh_shadow();
}

void FlatParameters::refresh_shadow() const {
  if (shadow_) on(values_.device(), [&](const auto& d) { copy(d, values_.view(), shadow_.mutable_view()); });
}

void FlatParameters::zero_grad() {
  for (const Entry& e : entries_) e.tensor.slot()->arrived = false;
}

std::vector<FlatParameters::Range> FlatParameters::ranges_with_gradient() const {
  std::vector<Range> ranges;
  bool open = false;
  for (const Entry& e : entries_) {
    if (!e.tensor.slot()->arrived) {
      open = false;
      continue;
    }
    const std::int64_t end = e.offset + e.count;
    if (open)
      ranges.back().end = end;  // the padding in between is zero and stays so
    else
      ranges.push_back({e.offset, end});
    open = true;
  }
  return ranges;
}

Tensor FlatParameters::slice(const Tensor& flat, Range r) const { return flat.view_channels(r.begin, r.end - r.begin); }

void FlatParameters::gradient_norm(const Tensor& norm) const {
  const NoGrad off;
  const std::vector<Range> ranges = ranges_with_gradient();
  const auto norm_of = [&](const Tensor& x, const Tensor& into) {
    on(values_.device(), [&](const auto& d) { gf::gradient_norm(d, x.view(), into.mutable_view()); });
  };
  if (ranges.empty()) return on(values_.device(), [&](const auto& d) { fill(d, 0.0f, norm.mutable_view()); });
  if (ranges.size() == 1) return norm_of(slice(gradients_, ranges[0]), norm);
  const Tensor parts = Tensor::zeros({1, 1, 1, static_cast<std::int64_t>(ranges.size())}, values_.device());
  for (std::size_t i = 0; i < ranges.size(); ++i)
    norm_of(slice(gradients_, ranges[i]), parts.view_channels(static_cast<std::int64_t>(i), 1));
  norm_of(parts, norm);
}

double FlatParameters::gradient_norm() const {
  const Tensor norm = Tensor::empty({}, DType::f32, values_.device());
  gradient_norm(norm);
  return norm.item();
}

Tensor FlatParameters::like() const { return zeroed(size(), values_.device()); }

Tensor FlatParameters::hold_twin(const Module& twin) const {
  const MemoryTag tag("parameters");
  const std::vector<NamedTensor> theirs = twin.parameters();
  bool same = theirs.size() == entries_.size();
  for (std::size_t i = 0; same && i < theirs.size(); ++i) same = theirs[i].tensor.shape() == entries_[i].tensor.shape();
  if (!same)
    fail("a twin with other parameters", "FlatParameters::hold_twin", std::to_string(entries_.size()) + " like these",
         std::to_string(theirs.size()) + " or of another shape");
  const Device device = values_.device();
  const Shape flat = values_.shape();
  const std::shared_ptr<void> memory = allocate(static_cast<std::size_t>(size()) * sizeof(float), device, {flat});
  const Tensor values = Tensor::over(memory, 0, flat, device);
  on(device, [&](const auto& d) { fill(d, 0.0f, values.mutable_view()); });
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    Tensor tensor = theirs[i].tensor;
    tensor.rebind(memory, static_cast<std::size_t>(entries_[i].offset) * sizeof(float));
  }
  return values;
}

}  // namespace gf
