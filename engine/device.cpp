#include "engine/device.h"

#include <omp.h>

#include "engine/memory.h"
#include "kernels/error.h"

namespace gf {

Device cpu_device() { return Cpu{cpu_workspace}; }

Device parse_device(const std::string& name) {
  if (name == "cpu" || name == "auto") return cpu_device();
  throw Error(ErrorKind::usage,
              {"device not available", "--device " + name, "cpu", name,
               "this version trains on the CPU only; its CUDA and SIMT kernels are reached by the tests"});
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
