#include "engine/cuda_transfer.h"

#include <cstring>

#include "kernels/cuda/cuda_check.h"

namespace gf {
namespace {

// Destructors do not check: at exit the driver may be gone.
class Event {
 public:
  Event() { GF_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t stream) { GF_CUDA_CHECK(cudaEventRecord(event_, stream)); }
  void hold_up(cudaStream_t stream) const { GF_CUDA_CHECK(cudaStreamWaitEvent(stream, event_, 0)); }
  void wait() const { GF_CUDA_CHECK(cudaEventSynchronize(event_)); }
  bool passed() const {
    const cudaError_t status = cudaEventQuery(event_);
    if (status == cudaErrorNotReady) {
      cudaGetLastError();  // no error of the next launch
      return false;
    }
    GF_CUDA_CHECK(status);
    return true;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

struct FreePinned {
  void operator()(std::byte* p) const { cudaFreeHost(p); }
};
using Pinned = std::unique_ptr<std::byte, FreePinned>;

Pinned pinned(std::size_t bytes) {
  void* p = nullptr;
  GF_CUDA_CHECK(cudaMallocHost(&p, bytes));
  return Pinned(static_cast<std::byte*>(p));
}

struct FreeDevice {
  void operator()(std::byte* p) const { cudaFree(p); }
};
using OnDevice = std::unique_ptr<std::byte, FreeDevice>;

OnDevice on_device(std::size_t bytes) {
  void* p = nullptr;
  GF_CUDA_CHECK(cudaMalloc(&p, bytes));
  return OnDevice(static_cast<std::byte*>(p));
}

}  // namespace

struct CudaInputStage::Impl {
  struct Slot {
    std::size_t bytes = 0;
    Pinned host;
    OnDevice device;
    Event copied;  // host -> device has been done
    Event taken;   // and its values have been taken from there
  };
  struct Place {
    std::array<Slot, 2> slots;
    std::size_t sent = 0;
  };
  cudaStream_t compute = nullptr, input = nullptr;
  std::vector<std::unique_ptr<Place>> places;
};

CudaInputStage::CudaInputStage(const Cuda& cuda) : impl_(std::make_unique<Impl>()) {
  impl_->compute = cuda.stream;
  GF_CUDA_CHECK(cudaStreamCreateWithFlags(&impl_->input, cudaStreamNonBlocking));
}

CudaInputStage::~CudaInputStage() {
  cudaStreamSynchronize(impl_->input);
  cudaStreamSynchronize(impl_->compute);
  cudaStreamDestroy(impl_->input);
}

void CudaInputStage::send(std::size_t place, const void* from, void* to, std::size_t bytes) {
  while (impl_->places.size() <= place) impl_->places.push_back(std::make_unique<Impl::Place>());
  Impl::Place& p = *impl_->places[place];
  Impl::Slot& s = p.slots[p.sent++ % 2];
  s.copied.wait();  // two batches ago: hardly ever a wait
  if (bytes > s.bytes) {
    s.taken.wait();
    s.host = pinned(bytes);
    s.device = on_device(bytes);
    s.bytes = bytes;
  }
  std::memcpy(s.host.get(), from, bytes);
  s.taken.hold_up(impl_->input);
  GF_CUDA_CHECK(cudaMemcpyAsync(s.device.get(), s.host.get(), bytes, cudaMemcpyHostToDevice, impl_->input));
  s.copied.record(impl_->input);
  s.copied.hold_up(impl_->compute);
  GF_CUDA_CHECK(cudaMemcpyAsync(to, s.device.get(), bytes, cudaMemcpyDeviceToDevice, impl_->compute));
  s.taken.record(impl_->compute);
}

struct CudaReadback::Impl {
  struct Slot {
    Pinned host;
    Event copied;
  };
  cudaStream_t compute = nullptr;
  std::size_t bytes = 0;
  std::array<Slot, 2> slots;
};

CudaReadback::CudaReadback(const Cuda& cuda, std::size_t bytes) : impl_(std::make_unique<Impl>()) {
  impl_->compute = cuda.stream;
  impl_->bytes = bytes;
  for (Impl::Slot& s : impl_->slots) s.host = pinned(bytes);
}

CudaReadback::~CudaReadback() { cudaStreamSynchronize(impl_->compute); }

void CudaReadback::push(std::size_t slot, const void* from) {
  Impl::Slot& s = impl_->slots[slot];
  GF_CUDA_CHECK(cudaMemcpyAsync(s.host.get(), from, impl_->bytes, cudaMemcpyDeviceToHost, impl_->compute));
  s.copied.record(impl_->compute);
}

bool CudaReadback::arrived(std::size_t slot) const { return impl_->slots[slot].copied.passed(); }

const std::byte* CudaReadback::wait(std::size_t slot) const {
  impl_->slots[slot].copied.wait();
  return impl_->slots[slot].host.get();
}

}  // namespace gf
