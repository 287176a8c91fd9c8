#pragma once
// Where tensors live and ops run. A device is one of the kernel contexts; `on` hands the context to a call, so the
// linker asks for every kernel body of every device listed here and for no other.
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/context.h"

namespace gf {

#ifdef GF_WITH_CUDA  // set by CMake for everything that sees this header
using Device = std::variant<Cpu, Simt, Cuda>;
#else
using Device = std::variant<Cpu, Simt>;
#endif

// The device whose kernels the calling thread is about to start, if any: views of another device's tensors are refused
// meanwhile (tensor.h), where a kernel would read memory that is not its own.
class KernelDevice {
 public:
  explicit KernelDevice(const Device& device) : outer_(std::exchange(current_, &device)) {}
  ~KernelDevice() { current_ = outer_; }
  KernelDevice(const KernelDevice&) = delete;
  KernelDevice& operator=(const KernelDevice&) = delete;
  static const Device* current() { return current_; }

 private:
  const Device* outer_;
  inline static thread_local const Device* current_ = nullptr;
};

template <class Call>
decltype(auto) on(const Device& device, Call&& call) {
  const KernelDevice scope(device);
  return std::visit(std::forward<Call>(call), device);
}

// Each with the engine's scratch memory behind it.
Device cpu_device();
Device simt_device(unsigned order_seed = 0);

// `auto`: the first GPU where there is one that can be used, else the CPU. `cpu`; `cuda` or `cuda:N`; `simt` or
// `simt:SEED`: the hand-written CUDA kernels under the executor, threads in the order of that seed. Throws
// ErrorKind::usage for any other name and for `cuda` in a build without it, ErrorKind::failure where no GPU can be
// used.
Device parse_device(const std::string& name);
std::string device_name(const Device& device);      // as parse_device takes it
std::string describe_device(const Device& device);  // and with what a person wants to know of it

// Every device of this build, and what a person wants to know of it: how many threads, or why it cannot be used.
struct DeviceStatus {
  std::string name, text;
};
std::vector<DeviceStatus> list_devices();

// A GPU whose float32 convolutions and matrix products may round their inputs to TF32; any other device as it is.
Device with_tf32(Device device, bool on);

// Whether the host can read and write the device's tensors.
bool on_host(const Device& device);

// Whether tensors of the two can meet in one op.
bool same_device(const Device& a, const Device& b);

// Returns when the work queued on the device is done.
void wait_for(const Device& device);

// CPU threads for the kernels; 0: one a core. Part of what "the same bits" means.
void set_threads(int threads);
int threads();

// Throws where the processor lacks the instruction level the CPU bodies were compiled for, naming the build it needs.
void check_processor();

}  // namespace gf
