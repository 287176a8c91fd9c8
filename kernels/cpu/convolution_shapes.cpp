#include <algorithm>

#include "kernels/convolution.h"
#include "kernels/error.h"

namespace gf {

std::string describe(const Shape& x, const Shape& w, const ConvolutionShape& p) {
  const auto pair = [](const char* name, int h, int v) {
    return std::string(", ") + name + " " + std::to_string(h) + (h == v ? "" : "x" + std::to_string(v));
  };
  return "x " + x.str() + ", w " + w.str() + pair("stride", p.stride_h, p.stride_w) + pair("pad", p.pad_h, p.pad_w) +
         (p.dilation_h > 1 || p.dilation_w > 1 ? pair("dilation", p.dilation_h, p.dilation_w) : "") +
         (p.groups > 1 ? ", groups " + std::to_string(p.groups) : "");
}

Shape convolution_output(const Shape& x, const Shape& w, const ConvolutionShape& p) {
  const auto wrong = [&](const std::string& expected, const std::string& found, const char* remedy = "") {
    fail("convolution", describe(x, w, p), expected, found, remedy);
  };
  if (std::min(p.stride_h, p.stride_w) < 1)
    wrong("strides of at least 1", std::to_string(std::min(p.stride_h, p.stride_w)));
  if (std::min(p.dilation_h, p.dilation_w) < 1)
    wrong("dilation of at least 1", std::to_string(std::min(p.dilation_h, p.dilation_w)));
  if (std::min(p.pad_h, p.pad_w) < 0) wrong("padding of at least 0", std::to_string(std::min(p.pad_h, p.pad_w)));
  if (p.groups < 1) wrong("at least one group", std::to_string(p.groups));
  if (x.c % p.groups || w.n % p.groups)
    wrong("channels divisible by the groups", std::to_string(x.c) + " in and " + std::to_string(w.n) + " out");
  if (x.c / p.groups != w.c)
    wrong(std::to_string(w.c * p.groups) + " channels in x", std::to_string(x.c), "w is (out,kh,kw,in/groups)");
  const auto size = [&](std::int64_t in, std::int64_t k, int stride, int pad, int dilation, const char* side) {
    const std::int64_t extent = dilation * (k - 1) + 1, padded = in + 2 * pad;
    if (k < 1 || extent > padded)
      wrong(std::string("a padded ") + side + " of at least " + std::to_string(extent), std::to_string(padded),
            "use a larger image, a smaller kernel or more padding");
    return (padded - extent) / stride + 1;
  };
  return {x.n, size(x.h, w.h, p.stride_h, p.pad_h, p.dilation_h, "height"),
          size(x.w, w.w, p.stride_w, p.pad_w, p.dilation_w, "width"), w.n};
}

}  // namespace gf
