#include "engine/nn/multi_head_attention.h"

#include <cmath>

#include "engine/ops/arithmetic.h"
#include "engine/ops/matmul.h"
#include "engine/ops/shape.h"
#include "engine/ops/softmax.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr Conv2d::Options kLinear{.layout = FileLayout::linear};

}  // namespace

MultiHeadAttention::MultiHeadAttention(const Owner& owner, std::int64_t c, std::int64_t h)
    : Module(owner),
      query({this, "query"}, c, c, 1, kLinear),
      key({this, "key"}, c, c, 1, kLinear),
      value({this, "value"}, c, c, 1, kLinear),
      out({this, "out"}, c, c, 1, kLinear),
      heads(h) {
  if (h < 1 || c % h != 0)
    fail("attention: channels do not divide into heads", std::to_string(c) + " channels",
         "a multiple of " + std::to_string(h), std::to_string(c));
}

Tensor MultiHeadAttention::operator()(const Tensor& x) const {
  const Shape s = x.shape();
  const std::int64_t tokens = s.h * s.w, width = s.c / heads;
  // Every head's tokens together: (n*heads, 1, tokens, width).
  const auto by_head = [&](const Tensor& map) {
    const Tensor cut = reshape(map, {s.n, tokens, heads, width});
    return reshape(swap_height_width(cut), {s.n * heads, 1, tokens, width});
  };
  const float scale = 1.0f / std::sqrt(static_cast<float>(width));
  const Tensor q = by_head(scale * query(x)), k = by_head(key(x)), v = by_head(value(x));
  const Tensor mixed = matmul(softmax(matmul(q, k, false, true)), v);
  return out(reshape(swap_height_width(reshape(mixed, {s.n, heads, tokens, width})), s));
}

}  // namespace gf
