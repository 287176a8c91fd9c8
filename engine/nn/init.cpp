#include "engine/nn/init.h"

#include "engine/random.h"
#include "kernels/elementwise.h"
#include "kernels/random.h"

namespace gf {

void init_uniform(const Tensor& t, float bound, std::uint64_t seed, const std::string& name) {
  on(t.device(), [&](const auto& d) { random_uniform(d, seed, named_stream(name), -bound, bound, t.mutable_view()); });
}

void init_normal(const Tensor& t, float stddev, std::uint64_t seed, const std::string& name) {
  on(t.device(), [&](const auto& d) { random_normal(d, seed, named_stream(name), 0.0f, stddev, t.mutable_view()); });
}

void init_constant(const Tensor& t, float value) {
  on(t.device(), [&](const auto& d) { fill(d, value, t.mutable_view()); });
}

}  // namespace gf
