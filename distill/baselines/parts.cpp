#include "distill/baselines/parts.h"

#include <algorithm>

#include "engine/ops/arithmetic.h"
#include "engine/ops/one_hot.h"
#include "engine/ops/pooling.h"
#include "engine/ops/resize.h"
#include "engine/ops/shape.h"

namespace gf::baselines {

Tensor pixel_rows(const Tensor& x) {
  const Shape& s = x.shape();
  return reshape(x, {s.n, 1, s.h * s.w, s.c});
}

Tensor norm_to(const Tensor& x, const Shape& to) { return sqrt(sum_to(square(x), to) + kTiny); }

Tensor unit_channels(const Tensor& x) {
  const Shape& s = x.shape();
  return x / norm_to(x, {s.n, s.h, s.w, 1});
}

Tensor unit_images(const Tensor& x) { return x / norm_to(x, {x.shape().n, 1, 1, 1}); }

Tensor channel_cosine(const Tensor& a, const Tensor& b) {
  const Shape& s = a.shape();
  return sum_to(unit_channels(a) * unit_channels(b), {s.n, s.h, s.w, 1});
}

Tensor shrunk(const Tensor& x, std::int64_t most) {
  const Shape& s = x.shape();
  if (s.h <= most && s.w <= most) return x;
  return adaptive_avg_pool(x, std::min(s.h, most), std::min(s.w, most));
}

MapPair at_common_size(const Tensor& student, const Tensor& teacher) {
  const Shape &s = student.shape(), &t = teacher.shape();
  const std::int64_t h = std::min(s.h, t.h), w = std::min(s.w, t.w);
  const auto pooled = [&](const Tensor& x) {
    return x.shape().h == h && x.shape().w == w ? x : adaptive_avg_pool(x, h, w);
  };
  return {pooled(student), pooled(teacher)};
}

Tensor of_labelled(const MethodInput& in, const Tensor& map) {
  const std::int64_t labelled = in.label.shape().n;
  return labelled == map.shape().n ? map : slice_images(map, 0, labelled);
}

Tensor class_rows(const MethodInput& in, const Tensor& map) {
  const Tensor masks = one_hot(in.label, in.student_logits.shape().c, in.ignore_index);
  return pixel_rows(resize(masks, map.shape().h, map.shape().w, ResizeMode::nearest));
}

Tensor divergence(const Tensor& log_p, const Tensor& log_q) { return sum(exp(log_p) * (log_p - log_q)); }

void require_channels(const std::string& term, const MethodLayer& layer, std::int64_t channels,
                      const std::string& as_what) {
  if (layer.channels == channels) return;
  throw Error(ErrorKind::usage, {"a tap does not fit the distillation method", "term " + term + ", tap " + layer.name,
                                 std::to_string(channels) + " channels (" + as_what + ")",
                                 std::to_string(layer.channels), "choose other taps, or another distill.method"});
}

}  // namespace gf::baselines
