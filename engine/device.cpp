#include "engine/device.h"

#include <omp.h>

#include <charconv>
#include <optional>

#ifdef GF_WITH_CUDA
#include "engine/cuda.h"
#endif
#include "engine/capture.h"
#include "engine/memory.h"
#include "kernels/error.h"

namespace gf {

Device cpu_device() { return Cpu{cpu_workspace}; }
Device simt_device(unsigned order_seed) { return Simt{cpu_workspace, order_seed}; }

namespace {

// "name" gives 0, "name:7" gives 7; nothing else does.
std::optional<unsigned> number_after(const std::string& text, const std::string& name) {
  if (text == name) return 0;
  if (!text.starts_with(name + ":")) return std::nullopt;
  unsigned number = 0;
  const char *first = text.data() + name.size() + 1, *last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, number);
  if (error != std::errc() || end != last) return std::nullopt;
  return number;
}

}  // namespace

Device parse_device(const std::string& name) {
#ifdef GF_WITH_CUDA
  constexpr const char* kNames = "auto, cpu, cuda, cuda:N, simt or simt:SEED";
  if (name == "auto" && cuda_available(0)) return cuda_device(0);
  if (const auto ordinal = number_after(name, "cuda")) return cuda_device(static_cast<int>(*ordinal));
#else
  constexpr const char* kNames = "auto, cpu, simt or simt:SEED";
  if (number_after(name, "cuda"))
    throw Error(ErrorKind::usage, {"no CUDA in this build", "--device " + name, kNames, name,
                                   "build where nvcc and the headers of cuDNN and cuBLASLt are found"});
#endif
  if (name == "cpu" || name == "auto") return cpu_device();
  if (const auto seed = number_after(name, "simt")) return simt_device(*seed);
  throw Error(ErrorKind::usage, {"unknown device", "--device " + name, kNames, name, ""});
}

std::string device_name(const Device& device) {
  const auto numbered = [](const char* name, unsigned n) {
    return n == 0 ? std::string(name) : name + (":" + std::to_string(n));
  };
  if (const Simt* simt = std::get_if<Simt>(&device)) return numbered("simt", simt->order_seed);
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = std::get_if<Cuda>(&device)) return numbered("cuda", static_cast<unsigned>(cuda->device));
#endif
  return "cpu";
}

std::string describe_device(const Device& device) {
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = std::get_if<Cuda>(&device))
    return device_name(device) + " (" + describe_cuda(cuda->device) + ")";
#endif
  if (std::holds_alternative<Simt>(device)) return device_name(device) + " (CUDA kernels without a GPU: slow)";
  return device_name(device);
}

std::vector<DeviceStatus> list_devices() {
  std::vector<DeviceStatus> all{{"cpu", std::to_string(threads()) + " threads"},
                                {"simt", "the hand-written CUDA kernels without a GPU, for tests and learning"}};
#ifdef GF_WITH_CUDA
  std::string reason;
  for (int i = 0; i == 0 || (i < cuda_count() && cuda_available(i)); ++i)
    all.push_back(
        {i == 0 ? "cuda" : "cuda:" + std::to_string(i), cuda_available(i, &reason) ? describe_cuda(i) : reason});
#else
  all.push_back({"cuda", "not in this build"});
#endif
  return all;
}

Device with_tf32(Device device, [[maybe_unused]] bool on) {
#ifdef GF_WITH_CUDA
  if (Cuda* cuda = std::get_if<Cuda>(&device)) cuda->tf32 = on;
#endif
  return device;
}

bool on_host(const Device& device) {
  return std::holds_alternative<Cpu>(device) || std::holds_alternative<Simt>(device);
}

bool same_device(const Device& a, const Device& b) {
#ifdef GF_WITH_CUDA
  const Cuda *x = std::get_if<Cuda>(&a), *y = std::get_if<Cuda>(&b);
  if (x && y) return x->device == y->device;
#endif
  return a.index() == b.index();
}

void wait_for([[maybe_unused]] const Device& device) {
  refuse_while_capturing("waits for the device");
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = std::get_if<Cuda>(&device)) synchronise(*cuda);
#endif
}

void set_threads(int threads) { omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs()); }
int threads() { return omp_get_max_threads(); }

void check_processor() {
#if defined(__x86_64__) && defined(__AVX2__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    fail("this processor lacks AVX2 and FMA", "graphflow built for x86-64-v3", "AVX2, FMA", "neither",
         "configure with -DGF_CPU=v2");
#endif
#if defined(__x86_64__) && defined(__AVX512F__)
  if (!__builtin_cpu_supports("avx512f"))
    fail("this processor lacks AVX-512", "graphflow built for x86-64-v4", "AVX-512", "none",
         "configure with -DGF_CPU=v3");
#endif
}

}  // namespace gf
