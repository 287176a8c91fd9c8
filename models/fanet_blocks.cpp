#include "models/fanet_blocks.h"

#include <algorithm>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "engine/ops/pooling.h"
#include "engine/ops/resize.h"
#include "engine/ops/shape.h"

namespace gf {
namespace {

constexpr auto kRelu = NormActivation::relu;
constexpr auto kXavier = WeightInit::xavier_uniform;

std::int64_t half(std::int64_t channels) { return std::max<std::int64_t>(1, channels / 2); }

}  // namespace

SKConv::SKConv(const Owner& owner, std::int64_t c)
    : Module(owner),
      conv5({this, "conv5"}, c, c, 5, {.init = kXavier}),
      bn5({this, "bn5"}, c, kRelu),
      conv3({this, "conv3"}, c, c, 3, {.init = kXavier}),
      bn3({this, "bn3"}, c, kRelu),
      squeeze({this, "squeeze"}, c, half(c), 1, {.init = kXavier}),
      bn_squeeze({this, "bn_squeeze"}, half(c), kRelu),
      attend5({this, "attend5"}, half(c), c, 1, {.init = kXavier}),
      attend3({this, "attend3"}, half(c), c, 1, {.init = kXavier}) {}

Tensor SKConv::operator()(const Tensor& x) const {
  const Tensor a = conv_norm(conv5, bn5, x);
  const Tensor b = conv_norm(conv3, bn3, x);
  const Tensor s = spatial_mean(a) + spatial_mean(b);
  const Tensor z = conv_norm(squeeze, bn_squeeze, s);
  // The softmax over two branches is a sigmoid of their difference. In mixed precision the attention is float32 to
  // here: pictures of a batch have similar means, and batch norm would blow their rounding up ten- to twentyfold.
  const Tensor w5 = cast(sigmoid(attend5(z) - attend3(z)), x.dtype());
  return w5 * (a - b) + b;
}

SKBlock::SKBlock(const Owner& owner, std::int64_t in, std::int64_t out, bool project)
    : Module(owner),
      conv_in({this, "conv_in"}, in, out, 1, {.bias = false, .init = kXavier}),
      bn_in({this, "bn_in"}, out, kRelu),
      sk({this, "sk"}, out),
      bn_sk({this, "bn_sk"}, out, kRelu),
      conv_out({this, "conv_out"}, out, out, 1, {.bias = false, .init = kXavier}),
      bn_out({this, "bn_out"}, out, kRelu) {
  if (!project) return;
  shortcut =
      std::make_unique<Conv2d>(Owner{this, "shortcut"}, in, out, 1, Conv2d::Options{.bias = false, .init = kXavier});
  bn_shortcut = std::make_unique<BatchNorm2d>(Owner{this, "bn_shortcut"}, out);
}

Tensor SKBlock::operator()(const Tensor& x, const Tensor& into) const {
  const Tensor y = bn_sk(sk(conv_norm(conv_in, bn_in, x)));
  return conv_norm(conv_out, bn_out, y, shortcut ? conv_norm(*shortcut, *bn_shortcut, x) : x, into);  // then ReLU
}

StripPooling::StripPooling(const Owner& owner, std::int64_t c, std::int64_t g1, std::int64_t g2, StripMerge m)
    : Module(owner),
      grid1(g1),
      grid2(g2),
      merge(m),
      in1({this, "in1"}, c, c, 1, {.act = kRelu, .init = kXavier}),
      in2({this, "in2"}, c, c, 1, {.act = kRelu, .init = kXavier}),
      local({this, "local"}, c, c, 3, {.init = kXavier}),
      pool1({this, "pool1"}, c, m == StripMerge::concat ? half(c) : c, 3, {.init = kXavier}),
      pool2({this, "pool2"}, c, m == StripMerge::concat ? half(c) : c, 3, {.init = kXavier}),
      horizontal({this, "horizontal"}, c, c, {1, 3}, {.init = kXavier}),
      vertical({this, "vertical"}, c, c, {3, 1}, {.init = kXavier}),
      out1({this, "out1"}, m == StripMerge::concat ? c + 2 * half(c) : c, c, 3, {.act = kRelu, .init = kXavier}),
      out2({this, "out2"}, c, c, 3, {.act = kRelu, .init = kXavier}),
      out({this, "out"}, 2 * c, c, 1, {.act = kRelu, .init = kXavier}) {}

Tensor StripPooling::operator()(const Tensor& x) const {
  const std::int64_t n = x.shape().n, h = x.shape().h, w = x.shape().w, c = x.shape().c;
  const auto up = [&](const Tensor& t) { return resize(t, h, w, ResizeMode::nearest); };
  const Tensor x1 = in1(x), x2 = in2(x);
  const Tensor a = local(x1);
  const Tensor b = up(pool1(adaptive_avg_pool(x1, grid1, grid1)));
  const Tensor d = up(pool2(adaptive_avg_pool(x1, grid2, grid2)));
  const float inverse_h = 1.0f / static_cast<float>(h), inverse_w = 1.0f / static_cast<float>(w);
  const Tensor row = horizontal(sum_to(x2, {n, 1, w, c}, inverse_h));   // one row of column means
  const Tensor column = vertical(sum_to(x2, {n, h, 1, c}, inverse_w));  // one column of row means
  const Tensor joined = Tensor::empty({n, h, w, 2 * c}, x.dtype(), x.device());
  const Tensor first = joined.view_channels(0, c), second = joined.view_channels(c, c);
  const Tensor y1 = out1(relu(merge == StripMerge::sum ? a + b + d : concat_channels({a, b, d})), {}, first);
  const Tensor strips = relu(row + column);  // broadcast: the nearest enlargement of a row is its repetition
  const Tensor y2 = merge == StripMerge::sum ? out2(strips, {}, second) : x * out2(strips);
  return out(concat_channels({y1, y2}, joined), x);
}

}  // namespace gf
