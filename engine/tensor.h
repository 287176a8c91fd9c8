#pragma once
// Tensor: a handle to NHWC data (kernels/view.h) and, where gradients are wanted, to a slot on the tape (autograd.h).
// Copying a Tensor copies the handle. Data is written once by the op that makes it; ops never change their inputs.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/device.h"
#include "kernels/view.h"

namespace gf {

struct GradientSlot;  // autograd.h

class Tensor {
 public:
  Tensor() = default;
  static Tensor empty(const Shape& shape, DType dtype = DType::f32, const Device& device = cpu_device());
  static Tensor full(const Shape& shape, float value, const Device& device = cpu_device(), DType dtype = DType::f32);
  static Tensor zeros(const Shape& shape, const Device& device = cpu_device(), DType dtype = DType::f32) {
    return full(shape, 0.0f, device, dtype);
  }
  static Tensor scalar(float value, const Device& device = cpu_device()) { return full({}, value, device); }
  static Tensor from(std::span<const float> values, const Shape& shape, const Device& device = cpu_device());
  static Tensor from(std::span<const std::int32_t> values, const Shape& shape, const Device& device = cpu_device());

  explicit operator bool() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl_->shape; }
  DType dtype() const { return impl_->dtype; }
  const Device& device() const { return impl_->device; }
  std::int64_t count() const { return shape().count(); }
  std::int64_t pixel_stride() const { return impl_->pixel_stride; }
  bool dense() const { return view().dense(); }

  // For kernels. Inside on() (device.h) it throws for a tensor of another device than that one.
  ConstView view() const { return mutable_view(); }
  View mutable_view() const {
    if (const Device* d = KernelDevice::current(); d && !same_device(*d, impl_->device)) refuse_device(*d);
    return {raw(), impl_->dtype, impl_->shape, impl_->pixel_stride};
  }
  // For the host's eyes: throws for a tensor on a GPU (views go to kernels, to() brings it here).
  template <class T = float>
  const T* data() const {
    return static_cast<const T*>(host());
  }
  template <class T = float>
  T* mutable_data() const {
    return static_cast<T*>(host());
  }
  float item() const;                    // the one element of a scalar
  std::vector<float> to_vector() const;  // dense NHWC copy, bf16 widened

  // Views of the same memory, off the tape (ops/shape.h has the differentiable ones).
  Tensor view_channels(std::int64_t begin, std::int64_t count) const;
  Tensor view_images(std::int64_t begin, std::int64_t count) const;
  Tensor view_shape(const Shape& shape) const;  // dense tensors only, same count
  Tensor to_dense() const;                      // itself where already dense
  Tensor to(const Device& device) const;        // a dense copy there, off the tape; itself where it is there already

  // Autograd.
  bool requires_grad() const { return impl_->slot != nullptr; }
  Tensor& require_grad();  // makes a leaf whose gradient backward() fills
  Tensor grad() const;     // of a leaf; an empty Tensor where none has arrived since the last zero_grad
  Tensor detach() const;   // same data, off the tape
  const std::shared_ptr<GradientSlot>& slot() const { return impl_->slot; }
  void attach(std::shared_ptr<GradientSlot> slot) const { impl_->slot = std::move(slot); }

  // The values rounded to bf16, kept beside a float32 tensor so that cast() (ops/cast.h) need not round them again: of
  // trained parameters the optimiser rewrites it in every step (optim/flat_parameters.h), of constants it is made once
  // (weights_as, there). Empty where there is none. Whoever writes the values otherwise must renew it; every handle
  // sees it.
  Tensor shadow() const;
  void set_shadow(const Tensor& shadow) const;

  // Moves the data into `storage` at `offset` bytes; every handle to this tensor sees the move. Used by flat buffers.
  void rebind(const std::shared_ptr<void>& storage, std::size_t offset) const;
  // Moves the data to another device; every handle sees it. Only before gradients have been taken.
  void move_to(const Device& device) const;
  // Takes the values of another dense tensor of this shape and dtype, on any device.
  void assign(const Tensor& other) const;
  static Tensor over(const std::shared_ptr<void>& storage, std::size_t offset, const Shape& shape, const Device& device,
                     DType dtype = DType::f32);

 private:
  struct Impl {
    std::shared_ptr<void> storage;
    std::size_t offset = 0;  // bytes
    Shape shape;
    DType dtype = DType::f32;
    std::int64_t pixel_stride = 0;
    Device device;
    std::shared_ptr<GradientSlot> slot;
    std::shared_ptr<Impl> shadow;
  };
  explicit Tensor(Impl impl) : impl_(std::make_shared<Impl>(std::move(impl))) {}
  void* raw() const { return static_cast<std::byte*>(impl_->storage.get()) + impl_->offset; }
  void* host() const;
  [[noreturn]] void refuse_device(const Device& wanted) const;
  Tensor view_at(std::int64_t element, const Shape& shape) const;

  std::shared_ptr<Impl> impl_;
};

}  // namespace gf
