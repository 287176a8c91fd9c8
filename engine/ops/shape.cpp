#include "engine/ops/shape.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/ops/cast.h"
#include "engine/ops/place.h"
#include "kernels/elementwise.h"
#include "kernels/error.h"
#include "kernels/pad.h"
#include "kernels/swap_axes.h"

namespace gf {
namespace {

// The adjoint of a slice: zeros with dy in the slice's place.
Tensor pad_channels(const Tensor& x, std::int64_t begin, std::int64_t total) {
  const OpScope scope("pad_channels");
  const Shape& s = x.shape();
  Tensor y = Tensor::zeros({s.n, s.h, s.w, total}, x.device(), x.dtype());
  on(x.device(), [&](const auto& d) { copy(d, x.view(), y.view_channels(begin, s.c).mutable_view()); });
  return record("pad_channels", y, {x}, [begin, c = s.c](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
    return {slice_channels(dy, begin, c)};
  });
}

Tensor pad_images(const Tensor& x, std::int64_t begin, std::int64_t total) {
  const OpScope scope("pad_images");
  const Shape& s = x.shape();
  Tensor y = Tensor::zeros({total, s.h, s.w, s.c}, x.device(), x.dtype());
  on(x.device(), [&](const auto& d) { copy(d, x.view(), y.view_images(begin, s.n).mutable_view()); });
  return record("pad_images", y, {x}, [begin, n = s.n](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
    return {slice_images(dy, begin, n)};
  });
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& to) {
  const OpScope scope("reshape");
  return record("reshape", x.to_dense().view_shape(to), {x},
                [s = x.shape()](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {reshape(dy, s)}; });
}

Tensor slice_channels(const Tensor& x, std::int64_t begin, std::int64_t count) {
  return record("slice_channels", x.view_channels(begin, count), {x},
                [begin, c = x.shape().c](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
                  return {pad_channels(dy, begin, c)};
                });
}

Tensor slice_images(const Tensor& x, std::int64_t begin, std::int64_t count) {
  return record("slice_images", x.view_images(begin, count), {x},
                [begin, n = x.shape().n](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
                  return {pad_images(dy, begin, n)};
                });
}

// Each is the other's adjoint.
Tensor pad_corner(const Tensor& x, std::int64_t height, std::int64_t width) {
  const OpScope scope("pad_corner");
  const Shape s = x.shape();
  if (s.h == height && s.w == width) return x;
  const Tensor y = Tensor::empty({s.n, height, width, s.c}, x.dtype(), x.device());
  on(x.device(), [&](const auto& d) { pad_corner(d, x.view(), y.mutable_view()); });
  return record("pad_corner", y, {x},
                [s](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {crop_corner(dy, s.h, s.w)}; });
}

Tensor crop_corner(const Tensor& x, std::int64_t height, std::int64_t width) {
  const OpScope scope("crop_corner");
  const Shape s = x.shape();
  if (s.h == height && s.w == width) return x;
  const Tensor y = Tensor::empty({s.n, height, width, s.c}, x.dtype(), x.device());
  on(x.device(), [&](const auto& d) { crop_corner(d, x.view(), y.mutable_view()); });
  return record("crop_corner", y, {x},
                [s](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {pad_corner(dy, s.h, s.w)}; });
}

// Its own inverse, and so its own adjoint.
Tensor swap_height_width(const Tensor& x) {
  const OpScope scope("swap_height_width");
  const Shape& s = x.shape();
  const Tensor y = Tensor::empty({s.n, s.w, s.h, s.c}, x.dtype(), x.device());
  on(x.device(), [&](const auto& d) { swap_height_width(d, x.view(), y.mutable_view()); });
  return record("swap_height_width", y, {x},
                [](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {swap_height_width(dy)}; });
}

Tensor concat_channels(const std::vector<Tensor>& parts, const Tensor& into) {
  const OpScope scope("concat_channels");
  if (parts.empty()) fail("concatenation of nothing", "concat_channels");
  Shape s = parts[0].shape();
  s.c = 0;
  for (const Tensor& p : parts) {
    const Shape& t = p.shape();
    if (t.n != s.n || t.h != s.h || t.w != s.w)
      fail("parts of a concatenation differ in n, h or w", "concat_channels", parts[0].shape().str(), t.str());
    require_one_dtype("concat_channels", parts[0], p);
    s.c += t.c;
  }
  const Tensor y = place_for("concat_channels", into, s, parts[0].dtype(), parts[0].device());
  std::int64_t at = 0;
  for (const Tensor& p : parts) {
    const View place = y.view_channels(at, p.shape().c).mutable_view();
    at += p.shape().c;
    if (p.view().data == place.data && p.pixel_stride() == place.pixel_stride) continue;
    on(y.device(), [&](const auto& d) { copy(d, p.view(), place); });
  }
  std::vector<std::int64_t> widths;
  for (const Tensor& p : parts) widths.push_back(p.shape().c);
  return record("concat_channels", y, parts, [widths](const Tensor& dy, const Needs&) {
    std::vector<Tensor> dx;
    std::int64_t begin = 0;
    for (const std::int64_t c : widths) {
      dx.push_back(slice_channels(dy, begin, c));
      begin += c;
    }
    return dx;
  });
}

}  // namespace gf
