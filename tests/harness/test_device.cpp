#include "tests/harness/test_device.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

#ifdef GF_WITH_CUDA
#include "engine/cuda.h"
#endif
#include "kernels/error.h"

namespace gf::harness {
namespace {

class Elsewhere : public DeviceMemory {
 public:
  void* allocate(std::size_t bytes) override { return ::operator new(bytes, kAlignment); }
  void release(void* p) override { ::operator delete(p, kAlignment); }
  void upload(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }

 private:
  static constexpr std::align_val_t kAlignment{256};
};

#ifdef GF_WITH_CUDA
class CudaMemory : public DeviceMemory {
 public:
  explicit CudaMemory(const Cuda& cuda) : cuda_(cuda) {}
  void* allocate(std::size_t bytes) override {
    auto block = cuda_memory(cuda_.device).allocate(bytes, "tests");
    void* p = block.get();
    blocks_[p] = std::move(block);
    return p;
  }
  // What is queued may still use the block; whoever gets it next is queued behind.
  void release(void* p) override { blocks_.erase(p); }
  void upload(void* to, const void* from, std::size_t bytes) override { copy_to_cuda(cuda_, to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { copy_from_cuda(cuda_, to, from, bytes); }

 private:
  Cuda cuda_;
  std::unordered_map<void*, std::shared_ptr<void>> blocks_;
};

const Cuda*& chosen_cuda() {
  static const Cuda* cuda = nullptr;
  return cuda;
}

// As on the host: exactly as long as asked for and full of NaN bits.
void* cuda_nan_workspace(std::size_t bytes) {
  static std::shared_ptr<void> block;
  const Cuda& cuda = *chosen_cuda();
  block = cuda_memory(cuda.device).allocate(bytes, "workspace");
  const std::vector<std::byte> nan(bytes, std::byte{0xff});
  copy_to_cuda(cuda, block.get(), nan.data(), bytes);
  return block.get();
}
#endif

TestDevices read_environment() {
  TestDevices devices;
  const char* name = std::getenv("GF_TEST_DEVICE");
  if (!name || !*name) {
    std::puts("kernel cases run on cpu and simt; GF_TEST_DEVICE names another device");
    return devices;
  }
  const Device device = parse_device(name);
  std::printf("kernel cases run on %s (GF_TEST_DEVICE)\n", describe_device(device).c_str());
  devices.cpu = std::holds_alternative<Cpu>(device);
  devices.simt = std::holds_alternative<Simt>(device);
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = std::get_if<Cuda>(&device)) {
    static Cuda kept;
    kept = *cuda;
    kept.workspace = cuda_nan_workspace;
    devices.cuda = chosen_cuda() = &kept;
  }
#endif
  return devices;
}

}  // namespace

DeviceMemory& memory_elsewhere() {
  static Elsewhere memory;
  return memory;
}

#ifdef GF_WITH_CUDA
DeviceMemory& memory_of(const Cuda& cuda) {
  static CudaMemory memory(cuda);
  return memory;
}
#endif

const TestDevices& test_devices() {
  static const TestDevices devices = [] {
    try {
      return read_environment();
    } catch (const Error& e) {
      std::fprintf(stderr, "GF_TEST_DEVICE: %s\n", e.what());
      std::exit(2);
    }
  }();
  return devices;
}

}  // namespace gf::harness
