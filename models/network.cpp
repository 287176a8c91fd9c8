#include "models/network.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/cast.h"
#include "kernels/error.h"
#include "models/fanet.h"
#include "models/mobile_unet.h"

namespace gf {

const Tensor& NetworkOutput::tap(const std::string& name) const {
  std::string names;
  for (const Tap& t : taps) {
    if (t.name == name) return t.map;
    names += (names.empty() ? "" : ", ") + t.name;
  }
  throw Error(ErrorKind::usage, {"no such tap", name, names, name, "set distill.teacher_taps or distill.student_taps"});
}

std::int64_t scaled_channels(std::int64_t channels, double width) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(static_cast<double>(channels) * width + 0.5)));
}

NetworkOutput run_network(const Network& network, const Tensor& image, Random& random, DType activations) {
  NetworkOutput out = network.forward(cast(image, activations), random);
  out.logits = cast(out.logits, DType::f32);
  return out;
}

const std::vector<std::string>& network_names() {
  static const std::vector<std::string> names{"fanet", "mobile_unet"};
  return names;
}

std::unique_ptr<Network> make_network(const std::string& name, const NetworkOptions& options) {
  if (name == "fanet") return std::make_unique<FANet>(options);
  if (name == "mobile_unet") return std::make_unique<MobileUNet>(options);
  std::string names;
  for (const std::string& n : network_names()) names += (names.empty() ? "" : ", ") + n;
  throw Error(ErrorKind::usage, {"unknown network", "model.arch", names, name, ""});
}

}  // namespace gf
