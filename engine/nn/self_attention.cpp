#include "engine/nn/self_attention.h"

#include <algorithm>

#include "engine/nn/init.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/matmul.h"
#include "engine/ops/shape.h"
#include "engine/ops/softmax.h"

namespace gf {
namespace {

std::int64_t narrow(std::int64_t channels) { return std::max<std::int64_t>(1, channels / 8); }

}  // namespace

SelfAttention::SelfAttention(const Owner& owner, std::int64_t channels)
    : Module(owner),
      query({this, "query"}, channels, narrow(channels), 1, {}),
      key({this, "key"}, channels, narrow(channels), 1, {}),
      value({this, "value"}, channels, channels, 1, {}) {
  gamma = parameter("gamma", {1, 1, 1, 1}, FileLayout::vector);
}

Tensor SelfAttention::operator()(const Tensor& x) const {
  const auto rows = [](const Tensor& map) {
    const Shape& s = map.shape();
    return reshape(map, {s.n, 1, s.h * s.w, s.c});
  };
  const Tensor attention = softmax(matmul(rows(query(x)), rows(key(x)), false, true));
  return gamma * reshape(matmul(attention, rows(value(x))), x.shape()) + x;
}

void SelfAttention::initialise_own(std::uint64_t, const std::string&) { init_constant(gamma, 0.0f); }

}  // namespace gf
