#pragma once
// Random fills from Philox (philox.h): element i of a dense view takes word i%4 of counter i/4 of (seed, stream), so
// the values do not depend on threads or device, and a fill is a prefix of any longer one.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

// Throw, naming the argument, where it does not fit; every body calls them first.
void check_random_uniform(float low, float high, const ConstView& y, const ConstView& offset);
void check_random_normal(const ConstView& y, const ConstView& offset);
void check_dropout_mask(float p, const ConstView& mask, const ConstView& offset);

// y uniform in [low, high), low < high; y dense float32.
// offset.data may be null; else offset is an i32 scalar, read as unsigned where the kernel runs and added to stream: a
// step that is recorded once and replayed counts it up on the device and gets other numbers.
void random_uniform(const Cpu&, std::uint64_t seed, std::uint64_t stream, float low, float high, View y,
                    ConstView offset = {});
// y normal: Box-Muller on words (0, 1) and (2, 3), worked out in double and rounded. offset as above.
void random_normal(const Cpu&, std::uint64_t seed, std::uint64_t stream, float mean, float stddev, View y,
                   ConstView offset = {});
// What dropout multiplies by: zero with probability p, else 1/(1-p), all 0 where p is 1. mask dense, float32, for the
// GPU bodies also bf16: (n,1,1,c) to drop whole channels of an image (Dropout2d), x's own shape to drop single numbers.
// offset as above.
void dropout_mask(const Cpu&, std::uint64_t seed, std::uint64_t stream, float p, View mask, ConstView offset = {});

// The bodies of kernels/cuda/random.cu. The same bits as on the CPU; normal numbers but for the last bit, where the
// device's sine or logarithm rounds the other way.
void random_uniform(const Simt&, std::uint64_t seed, std::uint64_t stream, float low, float high, View y,
                    ConstView offset = {});
void random_normal(const Simt&, std::uint64_t seed, std::uint64_t stream, float mean, float stddev, View y,
                   ConstView offset = {});
void dropout_mask(const Simt&, std::uint64_t seed, std::uint64_t stream, float p, View mask, ConstView offset = {});
void random_uniform(const Cuda&, std::uint64_t seed, std::uint64_t stream, float low, float high, View y,
                    ConstView offset = {});
void random_normal(const Cuda&, std::uint64_t seed, std::uint64_t stream, float mean, float stddev, View y,
                   ConstView offset = {});
void dropout_mask(const Cuda&, std::uint64_t seed, std::uint64_t stream, float p, View mask, ConstView offset = {});

}  // namespace gf
