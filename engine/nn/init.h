#pragma once
// Parameter initialisation, in place. Every fill is a function of (seed, name).
#include <cstdint>
#include <string>

#include "engine/tensor.h"

namespace gf {

void init_uniform(const Tensor& t, float bound, std::uint64_t seed, const std::string& name);  // U(-bound, bound)
void init_normal(const Tensor& t, float stddev, std::uint64_t seed, const std::string& name);  // N(0, stddev)
void init_constant(const Tensor& t, float value);

}  // namespace gf
