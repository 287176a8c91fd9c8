#include "engine/tensor.h"

#include <algorithm>

#include "engine/autograd.h"
#include "engine/capture.h"
#include "engine/memory.h"
#include "kernels/bf16.h"
#include "kernels/elementwise.h"
#include "kernels/error.h"

namespace gf {

Tensor Tensor::empty(const Shape& shape, DType dtype, const Device& device) {
  if (shape.n < 0 || shape.h < 0 || shape.w < 0 || shape.c < 0) fail("negative extent", "tensor " + shape.str());
  Impl impl;
  impl.storage = allocate(static_cast<std::size_t>(shape.count()) * size_of(dtype), device, {shape, dtype});
  impl.shape = shape;
  impl.dtype = dtype;
  impl.pixel_stride = shape.c;
  impl.device = device;
  return Tensor(std::move(impl));
}

Tensor Tensor::full(const Shape& shape, float value, const Device& device, DType dtype) {
  Tensor t = empty(shape, dtype, device);
  on(device, [&](const auto& d) { fill(d, value, t.mutable_view()); });
  return t;
}

namespace {
template <class T>
Tensor copy_in(std::span<const T> values, const Shape& shape, DType dtype, const Device& device) {
  if (static_cast<std::int64_t>(values.size()) != shape.count())
    fail("wrong number of values for a tensor", shape.str(), std::to_string(shape.count()),
         std::to_string(values.size()));
  Tensor t = Tensor::empty(shape, dtype, device);
  copy_bytes(t.mutable_view().data, device, values.data(), cpu_device(), values.size_bytes());
  return t;
}
}  // namespace

Tensor Tensor::from(std::span<const float> values, const Shape& shape, const Device& device) {
  return copy_in(values, shape, DType::f32, device);
}
Tensor Tensor::from(std::span<const std::int32_t> values, const Shape& shape, const Device& device) {
  return copy_in(values, shape, DType::i32, device);
}

float Tensor::item() const {
  if (count() != 1 || dtype() != DType::f32) fail("item() of a tensor that is no float32 scalar", shape().str());
  return to_vector()[0];
}

std::vector<float> Tensor::to_vector() const {
  if (dtype() != DType::f32 && dtype() != DType::bf16)
    fail("to_vector() of a tensor that is neither float32 nor bf16", shape().str());
  const Tensor d = to_dense();
  std::vector<float> values(static_cast<std::size_t>(count()));
  if (dtype() == DType::bf16) {
    std::vector<bf16> stored(values.size());
    copy_bytes(stored.data(), cpu_device(), d.raw(), device(), stored.size() * sizeof(bf16));
    std::transform(stored.begin(), stored.end(), values.begin(), [](bf16 v) { return to_float(v); });
    return values;
  }
  copy_bytes(values.data(), cpu_device(), d.raw(), device(), values.size() * sizeof(float));
  return values;
}

Tensor Tensor::view_at(std::int64_t element, const Shape& shape) const {
  Impl impl = *impl_;
  impl.offset += static_cast<std::size_t>(element) * size_of(impl.dtype);
  impl.shape = shape;
  impl.slot = nullptr;
  impl.shadow = nullptr;
  return Tensor(std::move(impl));
}

Tensor Tensor::view_channels(std::int64_t begin, std::int64_t count) const {
  const Shape& s = shape();
  if (begin < 0 || count < 0 || begin + count > s.c)
    fail("channel range outside the tensor", s.str(), "0.." + std::to_string(s.c),
         std::to_string(begin) + ".." + std::to_string(begin + count));
  return view_at(begin, {s.n, s.h, s.w, count});
}

Tensor Tensor::view_images(std::int64_t begin, std::int64_t count) const {
  const Shape& s = shape();
  if (begin < 0 || count < 0 || begin + count > s.n)
    fail("image range outside the tensor", s.str(), "0.." + std::to_string(s.n),
         std::to_string(begin) + ".." + std::to_string(begin + count));
  return view_at(begin * s.h * s.w * pixel_stride(), {count, s.h, s.w, s.c});
}

Tensor Tensor::view_shape(const Shape& to) const {
  if (to.count() != count()) fail("reshape changes the number of elements", shape().str(), shape().str(), to.str());
  if (!dense()) fail("reshape of a tensor that is not dense", shape().str(), "", "", "call to_dense() first");
  Tensor t = view_at(0, to);
  t.impl_->pixel_stride = to.c;
  return t;
}

Tensor Tensor::to_dense() const {
  if (dense()) return *this;
  Tensor t = empty(shape(), dtype(), device());
  on(device(), [&](const auto& d) { copy(d, view(), t.mutable_view()); });
  return t;
}

Tensor Tensor::to(const Device& device) const {
  if (same_device(device, impl_->device)) return *this;
  const Tensor from = to_dense();
  const Tensor t = empty(shape(), dtype(), device);
  copy_bytes(t.raw(), device, from.raw(), impl_->device, static_cast<std::size_t>(count()) * size_of(dtype()));
  return t;
}

void Tensor::assign(const Tensor& other) const {
  if (!(shape() == other.shape()) || dtype() != other.dtype() || !dense() || !other.dense())
    fail("values of another kind of tensor", shape().str(),
         std::string("dense ") + name_of(dtype()) + " " + shape().str(),
         name_of(other.dtype()) + (" " + other.shape().str()));
  copy_bytes(raw(), impl_->device, other.raw(), other.device(), static_cast<std::size_t>(count()) * size_of(dtype()));
}

void* Tensor::host() const {
  if (!on_host(impl_->device))
    fail("a tensor's data is on a GPU", shape().str(), "a tensor in host memory", device_name(impl_->device),
         "bring it with to(cpu_device())");
  if (!std::holds_alternative<Cpu>(impl_->device)) refuse_while_capturing("reads a tensor on the host");
  return raw();
}

void Tensor::refuse_device(const Device& wanted) const {
  fail("tensors of different devices in one op", shape().str(), "all on " + device_name(wanted),
       device_name(impl_->device), "bring it with to()");
}

void Tensor::move_to(const Device& device) const {
  const Tensor there = to(device);
  impl_->storage = there.impl_->storage;
  impl_->offset = there.impl_->offset;
  impl_->pixel_stride = there.impl_->pixel_stride;
  impl_->device = there.impl_->device;
  impl_->shadow = nullptr;
}

Tensor& Tensor::require_grad() {
  if (!impl_->slot) impl_->slot = GradientSlot::leaf(shape(), dtype());
  return *this;
}

Tensor Tensor::grad() const {
  if (!impl_->slot || !impl_->slot->arrived) return {};
  return impl_->slot->grad;
}

Tensor Tensor::detach() const { return view_at(0, shape()); }

void Tensor::rebind(const std::shared_ptr<void>& storage, std::size_t offset) const {
  const Tensor old = to_dense();
  copy_bytes(static_cast<std::byte*>(storage.get()) + offset, device(), old.raw(), device(),
             static_cast<std::size_t>(count()) * size_of(dtype()));
  impl_->storage = storage;
  impl_->offset = offset;
  impl_->pixel_stride = shape().c;
  impl_->shadow = nullptr;
}

Tensor Tensor::shadow() const {
  Tensor t;
  t.impl_ = impl_->shadow;
  return t;
}

void Tensor::set_shadow(const Tensor& shadow) const {
  if (shadow && (dtype() != DType::f32 || shadow.dtype() != DType::bf16 || !(shadow.shape() == shape())))
    fail("shadow of another kind of tensor", std::string(name_of(dtype())) + " " + shape().str(),
         "bf16 " + shape().str() + " beside f32", name_of(shadow.dtype()) + (" " + shadow.shape().str()));
  impl_->shadow = shadow.impl_;
}

Tensor Tensor::over(const std::shared_ptr<void>& storage, std::size_t offset, const Shape& shape, const Device& device,
                    DType dtype) {
  Impl impl;
  impl.storage = storage;
  impl.offset = offset;
  impl.shape = shape;
  impl.dtype = dtype;
  impl.pixel_stride = shape.c;
  impl.device = device;
  return Tensor(std::move(impl));
}

}  // namespace gf
