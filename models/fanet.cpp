#include "models/fanet.h"

#include "engine/ops/dropout.h"
#include "engine/ops/pooling.h"
#include "engine/ops/shape.h"

namespace gf {

FANet::FANet(const NetworkOptions& o)
    : classes_(o.classes),
      c1_(scaled_channels(64, o.width)),
      c2_(scaled_channels(128, o.width)),
      c3_(scaled_channels(256, o.width)),
      c4_(scaled_channels(512, o.width)),
      dropout_(dropout_rate(o, 0.5f)),
      encoder1_({this, "encoder1"}, o.in_channels, c1_),
      encoder2_({this, "encoder2"}, c1_, c2_),
      encoder3_({this, "encoder3"}, c2_, c3_),
      encoder4_({this, "encoder4"}, c3_, c4_),
      up7_({this, "up7"}, c4_, c3_, 2, {.stride = 2}),
      decoder7_({this, "decoder7"}, 2 * c3_, c3_),
      strip7_({this, "strip7"}, c3_, 3, 6, StripMerge::sum),
      up8_({this, "up8"}, c3_, c2_, 2, {.stride = 2}),
      decoder8_({this, "decoder8"}, 2 * c2_, c2_),
      strip8_({this, "strip8"}, c2_, 12, 18, StripMerge::sum),
      up9_({this, "up9"}, c2_, c1_, 2, {.stride = 2}),
      decoder9_({this, "decoder9"}, 2 * c1_, c1_),
      strip9_({this, "strip9"}, c1_, 3, 6, StripMerge::concat),
      classifier_({this, "classifier"}, c1_, o.classes, 1, {.init = WeightInit::xavier_uniform}) {}

// The auxiliary head runs; and a selective kernel averages the sum of its branches, where ours adds two averages.
std::int64_t FANet::released_extra_work(std::int64_t height, std::int64_t width) const {
  const std::int64_t pixels = height * width;
  const auto average = [&](std::int64_t channels, std::int64_t shrunk) { return (pixels / shrunk + 1) * channels; };
  return pixels * (c1_ * classes_ + classes_) -
         (4 * average(c1_, 1) + 4 * average(c2_, 4) + 4 * average(c3_, 16) + 2 * average(c4_, 64));
}

NetworkOutput FANet::forward(const Tensor& x, Random& random) const {
  // Encoder and transposed convolution write their halves of a level's concatenation.
  const auto level = [&](std::int64_t shrink, std::int64_t c) {
    return Tensor::empty({x.shape().n, x.shape().h / shrink, x.shape().w / shrink, 2 * c}, x.dtype(), x.device());
  };
  const Tensor level1 = level(1, c1_), level2 = level(2, c2_), level3 = level(4, c3_);
  const Tensor e1 = encoder1_(x, level1.view_channels(c1_, c1_));
  const Tensor e2 = encoder2_(max_pool(e1), level2.view_channels(c2_, c2_));
  const Tensor e3 = encoder3_(max_pool(e2), level3.view_channels(c3_, c3_));
  const Tensor e4 = encoder4_(max_pool(e3));
  const Tensor u7 = up7_(e4, level3.view_channels(0, c3_));
  const Tensor d7 = strip7_(decoder7_(concat_channels({u7, e3}, level3)));
  const Tensor u8 = up8_(d7, level2.view_channels(0, c2_));
  const Tensor d8 = strip8_(decoder8_(concat_channels({u8, e2}, level2)));
  const Tensor u9 = up9_(d8, level1.view_channels(0, c1_));
  const Tensor d9 = strip9_(decoder9_(concat_channels({u9, e1}, level1)));
  const Tensor kept = training() ? dropout2d(d9, dropout_, random) : d9;
  return {
      classifier_(kept),
      {{"encoder1", e1}, {"encoder2", e2}, {"encoder3", e3}, {"encoder4", e4}, {"up7", u7}, {"up8", u8}, {"up9", u9}}};
}

}  // namespace gf
