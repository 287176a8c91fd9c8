#include "engine/nn/convolution.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops/cast.h"
#include "engine/ops/convolution.h"

namespace gf {
namespace {

void initialise_weights(WeightInit init, const Tensor& weight, const Tensor& bias, double fan_in, double fan_out,
                        std::uint64_t seed, const std::string& path) {
  const float default_bound = static_cast<float>(1.0 / std::sqrt(fan_in));
  switch (init) {
    case WeightInit::pytorch:
      init_uniform(weight, default_bound, seed, path + ".weight");
      break;
    case WeightInit::xavier_uniform:
    case WeightInit::transformer:
      init_uniform(weight, static_cast<float>(std::sqrt(6.0 / (fan_in + fan_out))), seed, path + ".weight");
      break;
    case WeightInit::normal_fan_out:
      init_normal(weight, static_cast<float>(std::sqrt(2.0 / fan_out)), seed, path + ".weight");
      break;
  }
  if (!bias) return;
  if (init == WeightInit::normal_fan_out)
    init_constant(bias, 0.0f);
  else if (init == WeightInit::transformer)
    init_normal(bias, 1e-6f, seed, path + ".bias");
  else
    init_uniform(bias, default_bound, seed, path + ".bias");
}

}  // namespace

Conv2d::Conv2d(const Owner& owner, std::int64_t in, std::int64_t out, Kernel k, const Options& o)
    : Module(owner), init(o.init) {
  weight = parameter("weight", {out, k.h, k.w, in / o.groups}, o.layout);
  if (o.bias) bias = parameter("bias", {1, 1, 1, out}, FileLayout::vector);
  shape = {.stride_h = o.stride,
           .stride_w = o.stride,
           .pad_h = static_cast<int>(o.dilation * (k.h - 1) / 2),
           .pad_w = static_cast<int>(o.dilation * (k.w - 1) / 2),
           .dilation_h = o.dilation,
           .dilation_w = o.dilation,
           .groups = o.groups};
}

Tensor Conv2d::operator()(const Tensor& x) const {
  return convolution(x, weights_as(weight, x.dtype()), weights_as(bias, x.dtype()), shape);
}

void Conv2d::initialise_own(std::uint64_t seed, const std::string& path) {
  const Shape& s = weight.shape();
  const double area = static_cast<double>(s.h * s.w);
  initialise_weights(init, weight, bias, area * static_cast<double>(s.c), area * static_cast<double>(s.n), seed, path);
}

ConvTranspose2d::ConvTranspose2d(const Owner& owner, std::int64_t in, std::int64_t out, Kernel k, const Options& o)
    : Module(owner), output_pad(o.output_pad), init(o.init) {
  weight = parameter("weight", {in, k.h, k.w, out}, FileLayout::transposed);
  if (o.bias) bias = parameter("bias", {1, 1, 1, out}, FileLayout::vector);
  shape = {.stride_h = o.stride, .stride_w = o.stride, .pad_h = o.pad, .pad_w = o.pad};
}

Tensor ConvTranspose2d::operator()(const Tensor& x, const Tensor& into) const {
  return transposed_convolution(x, weights_as(weight, x.dtype()), weights_as(bias, x.dtype()), shape, output_pad, into);
}

void ConvTranspose2d::initialise_own(std::uint64_t seed, const std::string& path) {
  const Shape& s = weight.shape();
  // PyTorch takes fan_in from the weight's second axis, which for a transposed convolution is the output's channels;
  // the published initialisation takes k*k*C_out. Both are area * c here.
  const double fan = static_cast<double>(s.h * s.w * s.c);
  initialise_weights(init, weight, bias, fan, fan, seed, path);
}

}  // namespace gf
