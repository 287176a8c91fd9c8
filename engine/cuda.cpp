#include "engine/cuda.h"

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>

#include "engine/capture.h"
#include "engine/memory.h"
#include "kernels/cublas/library.h"
#include "kernels/cuda/cuda_check.h"
#include "kernels/cudnn/library.h"
#include "kernels/elementwise.h"

namespace gf {
namespace {

constexpr int kMaxDevices = 16;

std::string version_text(int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); }

void use(int ordinal) { GF_CUDA_CHECK(cudaSetDevice(ordinal)); }

// Empty where a kernel of this build runs on the GPU: the smallest one is tried.
std::string architecture_refusal(int ordinal, const cudaDeviceProp& p) {
  try {
    use(ordinal);
    void* memory = nullptr;
    GF_CUDA_CHECK(cudaMalloc(&memory, sizeof(float)));
    const std::unique_ptr<void, cudaError_t (*)(void*)> owned(memory, cudaFree);
    fill(Cuda{.device = ordinal}, 0.0f, View(memory, DType::f32, Shape{}));
    GF_CUDA_CHECK(cudaDeviceSynchronize());
    return {};
  } catch (const Error& e) {
    const std::string capability = std::to_string(p.major) + std::to_string(p.minor);
    return std::string(p.name) + " (sm_" + capability + ") does not run this build's kernels, which are for " +
           GF_CUDA_ARCHITECTURES + "; configure with -DGF_CUDA_ARCHITECTURES=" + capability + " (" + e.what() + ")";
  }
}

// Trying another GPU must not leave it current.
class CurrentDevice {
 public:
  CurrentDevice() : known_(cudaGetDevice(&before_) == cudaSuccess) {}
  ~CurrentDevice() {
    if (known_) cudaSetDevice(before_);
  }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  int before_ = 0;
  bool known_;
};

// Why the GPU cannot be used; empty where it can.
std::string refusal(int ordinal) {
  int driver = 0, runtime = 0, count = 0;
  cudaRuntimeGetVersion(&runtime);
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
    return "no NVIDIA driver; install one that supports CUDA " + version_text(runtime);
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver)
    return "the driver supports CUDA " + version_text(driver) + " and this program needs " + version_text(runtime) +
           "; install a newer driver";
  if (status != cudaSuccess && status != cudaErrorNoDevice)
    return std::string("CUDA does not start: ") + cudaGetErrorString(status);
  if (count == 0) return "the driver finds no GPU";
  if (ordinal >= count)
    return "there " + std::string(count == 1 ? "is 1 GPU" : "are " + std::to_string(count) + " GPUs") +
           ", numbered from 0";
  cudaDeviceProp p{};
  if (const cudaError_t s = cudaGetDeviceProperties(&p, ordinal); s != cudaSuccess)
    return std::string("CUDA does not tell about the GPU: ") + cudaGetErrorString(s);
  const CurrentDevice stays;
  if (std::string text = architecture_refusal(ordinal, p); !text.empty()) return text;
  std::string missing;
  if (!cudnn::available(&missing) || !cublas::available(&missing)) return missing;
  return {};
}

const std::string& cached_refusal(int ordinal) {
  static std::mutex mutex;
  static std::array<std::string, kMaxDevices> texts;
  static std::array<bool, kMaxDevices> asked{};
  const std::lock_guard lock(mutex);
  const auto i = static_cast<std::size_t>(ordinal);
  if (!asked[i]) texts[i] = refusal(ordinal);
  asked[i] = true;
  return texts[i];
}

void check_ordinal(int ordinal) {
  if (ordinal < 0 || ordinal >= kMaxDevices)
    throw Error(ErrorKind::usage, {"no such GPU", "--device cuda:" + std::to_string(ordinal),
                                   "a number from 0 to " + std::to_string(kMaxDevices - 1), "", ""});
}

// Of the device that is current; null where there is no more.
void* device_memory(std::size_t bytes) {
  void* p = nullptr;
  const cudaError_t status = cudaMalloc(&p, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it is not an error of the next call
    return nullptr;
  }
  cuda_check(status, "cudaMalloc", __FILE__, __LINE__);
  return p;
}

cudaStream_t stream_of(int ordinal) {
  static std::mutex mutex;
  static std::array<cudaStream_t, kMaxDevices> streams{};
  const std::lock_guard lock(mutex);
  cudaStream_t& s = streams[static_cast<std::size_t>(ordinal)];
  if (!s) GF_CUDA_CHECK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  return s;
}

// Of the device that is current. Work is queued on one stream, so that a kernel that writes it runs after those that
// used it before; a smaller buffer is freed by the driver when it is idle.
void* cuda_workspace(std::size_t bytes) {
  int ordinal = 0;
  GF_CUDA_CHECK(cudaGetDevice(&ordinal));
  void* p = cuda_workspace_of(ordinal).at_least(bytes);
  if (poisoned() && !capturing()) GF_CUDA_CHECK(cudaMemsetAsync(p, 0xFF, bytes, stream_of(ordinal)));
  return p;
}

}  // namespace

bool cuda_available(int ordinal, std::string* reason) {
  check_ordinal(ordinal);
  const std::string& text = cached_refusal(ordinal);
  if (reason) *reason = text;
  return text.empty();
}

int cuda_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? std::min(count, kMaxDevices) : 0;
}

Device cuda_device(int ordinal) {
  std::string reason;
  if (!cuda_available(ordinal, &reason))
    throw Error(ErrorKind::failure, {"GPU not usable", "--device cuda:" + std::to_string(ordinal) + ": " + reason, "",
                                     "", "or run with --device cpu"});
  use(ordinal);
  return Cuda{cuda_workspace, stream_of(ordinal), ordinal, false};
}

std::string describe_cuda(int ordinal) {
  cudaDeviceProp p{};
  GF_CUDA_CHECK(cudaGetDeviceProperties(&p, ordinal));
  int driver = 0;
  GF_CUDA_CHECK(cudaDriverGetVersion(&driver));
  return std::string(p.name) + ", sm_" + std::to_string(p.major) + std::to_string(p.minor) + ", " +
         std::to_string(p.totalGlobalMem >> 30) + " GiB, driver for CUDA " + version_text(driver) + ", cuDNN " +
         cudnn::library().version_text() + ", cuBLASLt " + cublas::library().version_text();
}

// Blocks come from the device that is current when they are asked for: cuda_device made it so.
Workspace& cuda_workspace_of(int ordinal) {
  thread_local std::array<Workspace*, kMaxDevices> buffers{};  // never destroyed: at exit the driver may be gone
  Workspace*& w = buffers[static_cast<std::size_t>(ordinal)];
  if (!w)
    w = new Workspace({[](std::size_t bytes) {
                         if (void* p = device_memory(bytes)) return p;
                         int current = 0;
                         GF_CUDA_CHECK(cudaGetDevice(&current));
                         cuda_memory(current).release_cached();
                         return device_memory(bytes);
                       },
                       [](void* p) { cudaFree(p); }});
  return *w;
}

CachingAllocator& cuda_memory(int ordinal) {
  static std::mutex mutex;
  static std::array<CachingAllocator*, kMaxDevices> memories{};  // never destroyed, like the host's
  const std::lock_guard lock(mutex);
  CachingAllocator*& m = memories[static_cast<std::size_t>(ordinal)];
  if (!m)
    m = new CachingAllocator({"cuda:" + std::to_string(ordinal), device_memory, [](void* p) { cudaFree(p); }, true});
  return *m;
}

void copy_to_cuda(const Cuda& cuda, void* to, const void* from, std::size_t bytes) {
  // From pageable memory the runtime copies through a buffer of its own before it returns.
  GF_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, cuda.stream));
}

void copy_from_cuda(const Cuda& cuda, void* to, const void* from, std::size_t bytes) {
  GF_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, cuda.stream));
  synchronise(cuda);
}

void copy_within_cuda(const Cuda& cuda, void* to, const void* from, std::size_t bytes) {
  GF_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda.stream));
}

void poison_cuda(const Cuda& cuda, void* p, std::size_t bytes) {
  if (bytes > 0) GF_CUDA_CHECK(cudaMemsetAsync(p, 0xFF, bytes, cuda.stream));
}

void synchronise(const Cuda& cuda) { GF_CUDA_CHECK(cudaStreamSynchronize(cuda.stream)); }

}  // namespace gf
