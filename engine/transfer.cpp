#include "engine/transfer.h"

#include <cstring>
#include <deque>

#include "engine/memory.h"
#include "kernels/error.h"
#ifdef GF_WITH_CUDA
#include "engine/cuda_transfer.h"
#endif

namespace gf {
namespace {

std::size_t bytes_of(const Tensor& t) { return static_cast<std::size_t>(t.count()) * size_of(t.dtype()); }

void require_dense(const char* who, const Tensor& t) {
  if (!t.dense()) fail(std::string(who) + ": tensor is not dense", t.shape().str());
}

}  // namespace

struct InputStage::Impl {
#ifdef GF_WITH_CUDA
  std::unique_ptr<CudaInputStage> cuda;  // null on a host device
#endif
};

InputStage::InputStage([[maybe_unused]] const Device& device) : impl_(std::make_unique<Impl>()) {
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = std::get_if<Cuda>(&device)) impl_->cuda = std::make_unique<CudaInputStage>(*cuda);
#endif
}
InputStage::~InputStage() = default;

void InputStage::send([[maybe_unused]] std::size_t place, const Tensor& from, const Tensor& to) {
  require_dense("input", from);
  require_dense("input", to);
  if (!(from.shape() == to.shape()) || from.dtype() != to.dtype())
    fail("input of another kind", from.shape().str(), name_of(to.dtype()) + (" " + to.shape().str()),
         name_of(from.dtype()) + (" " + from.shape().str()));
#ifdef GF_WITH_CUDA
  if (impl_->cuda) return impl_->cuda->send(place, from.view().data, to.mutable_view().data, bytes_of(from));
#endif
  copy_bytes(to.mutable_view().data, to.device(), from.view().data, from.device(), bytes_of(from));
}

namespace {
constexpr std::size_t kUnderWay = 2;
}

struct Readback::Impl {
  Device device;
  std::size_t bytes = 0;
  std::size_t pushed = 0, popped = 0;
  std::deque<std::vector<std::byte>> here;  // on a host device
#ifdef GF_WITH_CUDA
  std::unique_ptr<CudaReadback> cuda;
#endif
};

Readback::Readback(const Device& device, std::size_t bytes) : impl_(std::make_unique<Impl>()) {
  impl_->device = device;
  impl_->bytes = bytes;
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = std::get_if<Cuda>(&device)) impl_->cuda = std::make_unique<CudaReadback>(*cuda, bytes);
#endif
}
Readback::~Readback() = default;

bool Readback::full() const { return impl_->pushed - impl_->popped == kUnderWay; }
bool Readback::empty() const { return impl_->pushed == impl_->popped; }

void Readback::push(const Tensor& from) {
  require_dense("readback", from);
  if (bytes_of(from) != impl_->bytes)
    fail("readback of another size", from.shape().str(), std::to_string(impl_->bytes) + " bytes",
         std::to_string(bytes_of(from)));
  if (full()) fail("readback: too much under way", from.shape().str(), "a pop() first");
  [[maybe_unused]] const std::size_t slot = impl_->pushed++ % kUnderWay;
#ifdef GF_WITH_CUDA
  if (impl_->cuda) return impl_->cuda->push(slot, from.view().data);
#endif
  impl_->here.emplace_back(impl_->bytes);
  copy_bytes(impl_->here.back().data(), cpu_device(), from.view().data, from.device(), impl_->bytes);
}

bool Readback::arrived() const {
  if (empty()) return false;
#ifdef GF_WITH_CUDA
  if (impl_->cuda) return impl_->cuda->arrived(impl_->popped % kUnderWay);
#endif
  return true;
}

std::vector<std::byte> Readback::pop() {
  if (empty()) fail("readback: nothing under way", device_name(impl_->device));
  [[maybe_unused]] const std::size_t slot = impl_->popped++ % kUnderWay;
#ifdef GF_WITH_CUDA
  if (impl_->cuda) {
    const std::byte* data = impl_->cuda->wait(slot);
    return {data, data + impl_->bytes};
  }
#endif
  std::vector<std::byte> oldest = std::move(impl_->here.front());
  impl_->here.pop_front();
  return oldest;
}

}  // namespace gf
