#include "models/network.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/cast.h"
#include "kernels/error.h"
#include "models/enet.h"
#include "models/erfnet.h"
#include "models/fanet.h"
#include "models/mobile_unet.h"
#include "models/transunet.h"
#include "models/unet.h"

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

float dropout_rate(const NetworkOptions& options, float published) {
  return options.dropout < 0 ? published : options.dropout;
}

ImageSize smallest_picture(const Network& network) {
  const ImageSize only = network.image_size();
  return only == ImageSize{} ? ImageSize{network.stride(), network.stride()} : only;
}

NetworkOutput run_network(const Network& network, const Tensor& image, Random& random, DType activations) {
  NetworkOutput out = network.forward(cast(image, activations), random);
  out.logits = cast(out.logits, DType::f32);
  return out;
}

std::int64_t table_parameters(const Network& network) {
  std::int64_t count = network.parameter_count() + network.unused_released_parameters();
  if (network.table_counts_batch_norm()) return count;
  // A batch norm has a running mean as long as each of its two parameters.
  for (const NamedTensor& b : network.buffers())
    if (b.name.ends_with("running_mean")) count -= 2 * b.tensor.count();
  return count;
}

std::int64_t table_work(const Network& network, const MacCounter& counter, std::int64_t height, std::int64_t width) {
  return counter.published(network.table_counts_batch_norm()) + network.released_extra_work(height, width);
}

namespace {

struct Builder {
  const char* name;
  std::unique_ptr<Network> (*make)(const NetworkOptions&);
};

template <class T>
std::unique_ptr<Network> make(const NetworkOptions& o) {
  return std::make_unique<T>(o);
}

constexpr Builder kNetworks[] = {
    {"fanet", make<FANet>}, {"mobile_unet", make<MobileUNet>}, {"enet", make<ENet>}, {"erfnet", make<ERFNet>},
    {"unet", make<UNet>},   {"transunet", make<TransUNet>},
};

}  // namespace

const std::vector<std::string>& network_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Builder& b : kNetworks) list.emplace_back(b.name);
    return list;
  }();
  return names;
}

std::unique_ptr<Network> make_network(const std::string& name, const NetworkOptions& options) {
  std::string names;
  for (const Builder& b : kNetworks) {
    if (name == b.name) return b.make(options);
    names += (names.empty() ? "" : ", ") + std::string(b.name);
  }
  throw Error(ErrorKind::usage, {"unknown network", "model.arch", names, name, ""});
}

}  // namespace gf
