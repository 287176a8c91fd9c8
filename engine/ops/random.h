#pragma once
// Random numbers as tensors.
#include "engine/random.h"
#include "engine/tensor.h"

namespace gf {

// Uniform in [low, high), low < high, float32. Takes the next random stream.
Tensor random_uniform(const Shape& shape, float low, float high, Random& random, const Device& device);
// Normal, float32. Takes the next random stream.
Tensor random_normal(const Shape& shape, float mean, float deviation, Random& random, const Device& device);

}  // namespace gf
