#pragma once
// What several methods are built from.
#include "distill/baselines/method.h"
#include "kernels/error.h"

namespace gf::baselines {

// Added to sums of squares before the root. Feature vectors behind a ReLU can be all zero: their direction has no
// derivative, and this bounds it by 1e4.
constexpr float kTiny = 1e-8f;

Tensor pixel_rows(const Tensor& x);  // (n,h,w,c) -> (n,1,h*w,c)

// sqrt(sum of squares + kTiny) over the axes where `to` is 1.
Tensor norm_to(const Tensor& x, const Shape& to);
Tensor unit_channels(const Tensor& x);  // each pixel's vector over its norm
Tensor unit_images(const Tensor& x);    // each picture's values over their norm
// Cosine of the vectors of two maps at each pixel, (n,h,w,1).
Tensor channel_cosine(const Tensor& a, const Tensor& b);

// The average of x over a grid of at most `most` cells a side; x itself where it is small enough.
Tensor shrunk(const Tensor& x, std::int64_t most);

// Both at the smaller height and the smaller width, by adaptive average pooling.
struct MapPair {
  Tensor student, teacher;
};
MapPair at_common_size(const Tensor& student, const Tensor& teacher);

// Of a map or logits of a batch, the pictures that have labels: the first ones (data/batch_source.h).
Tensor of_labelled(const MethodInput& in, const Tensor& map);

// The class masks of the labels (ops/one_hot.h) at the size of a map of_labelled(), nearest: pixel_rows,
// (n,1,h*w,classes).
Tensor class_rows(const MethodInput& in, const Tensor& map);

// Sum of p (log p - log q) over all elements.
Tensor divergence(const Tensor& log_p, const Tensor& log_q);

// A student layer that must have so many channels; throws ErrorKind::usage naming term and layer.
void require_channels(const std::string& term, const MethodLayer& layer, std::int64_t channels,
                      const std::string& as_what);

}  // namespace gf::baselines
