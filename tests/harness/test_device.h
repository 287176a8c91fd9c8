#pragma once
// Which devices the kernel cases run on. GF_TEST_DEVICE, when it is set, names one as `--device` takes it (cpu, simt,
// cuda, cuda:N); otherwise cpu and simt, with the executor's orders of blocks and threads.
#include "engine/device.h"
#include "tests/harness/mirror.h"

namespace gf::harness {

struct TestDevices {
  bool cpu = true, simt = true;
#ifdef GF_WITH_CUDA
  const Cuda* cuda = nullptr;
#endif
};

// Reads GF_TEST_DEVICE on the first call and prints what runs. A device that cannot be used ends the program with 2.
const TestDevices& test_devices();

#ifdef GF_WITH_CUDA
DeviceMemory& memory_of(const Cuda& cuda);
#endif

}  // namespace gf::harness
