#pragma once
// What every segmentation network here is: a module from an image batch to logits and named taps.
#include <memory>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace gf {

struct Tap {
  std::string name;
  Tensor map;  // (n,h,w,c)
};

struct NetworkOutput {
  Tensor logits;  // (n,h,w,classes), the input's height and width
  std::vector<Tap> taps;

  // Throws with the list of names where there is none of this name.
  const Tensor& tap(const std::string& name) const;
};

// The pair of layers that the paper distils: encoder and decoder map at a quarter of the input's resolution.
struct TapPair {
  std::string shallow, deep;
};

struct NetworkOptions {
  std::int64_t in_channels = 1;
  std::int64_t classes = 2;
  double width = 1.0;    // multiplies every channel count, see scaled_channels
  float dropout = 0.5f;  // networks that have a dropout; the released one is made for full width
};

// max(1, floor(c * width + 0.5))
std::int64_t scaled_channels(std::int64_t channels, double width);

class Network : public Module {
 public:
  using Module::Module;
  // x (n,h,w,in_channels), h and w multiples of stride(). `random` feeds dropout while training.
  virtual NetworkOutput forward(const Tensor& x, Random& random) const = 0;
  virtual std::int64_t stride() const = 0;  // h and w must be multiples of this
  virtual TapPair default_taps() const = 0;
  virtual std::int64_t tap_channels() const = 0;                         // of the default taps
  virtual std::int64_t unused_released_parameters() const { return 0; }  // in the released code, never used
};

// forward() with activations of this dtype. In mixed precision (bf16) the image is rounded on the way in, taps stay
// bf16 and logits come back in float32, where the losses are.
NetworkOutput run_network(const Network& network, const Tensor& image, Random& random, DType activations);

// "fanet", "mobile_unet"; throws ErrorKind::usage with the list for any other name.
std::unique_ptr<Network> make_network(const std::string& name, const NetworkOptions& options);
const std::vector<std::string>& network_names();

}  // namespace gf
