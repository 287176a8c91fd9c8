#pragma once
// What every segmentation network here is: a module from an image batch to logits and named taps.
#include <memory>
#include <string>
#include <vector>

#include "engine/io/foreign_names.h"
#include "engine/nn/module.h"
#include "engine/ops/mac_counter.h"

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

// Two layers at mirror positions of a network, between which the paper's variation graph lies.
struct TapPair {
  std::string shallow, deep;

  bool operator==(const TapPair&) const = default;
};

// |L|, the number of pairs that are distilled together (method 1.1). Ablated in the paper; what the second and the
// third pair are was not published.
constexpr std::size_t kMostTapPairs = 3;

// Height and width of a picture.
struct ImageSize {
  std::int64_t h = 0, w = 0;

  bool operator==(const ImageSize&) const = default;
};

constexpr float kPublishedDropout = -1;

struct NetworkOptions {
  std::int64_t in_channels = 1;
  std::int64_t classes = 2;
  double width = 1.0;  // multiplies every channel count, see scaled_channels
  // Of every dropout the network has, kPublishedDropout: as published, which is made for full width.
  float dropout = kPublishedDropout;
  // Of a network that takes pictures of one size only; {0, 0}: as published.
  ImageSize image_size = {};
};

// max(1, floor(c * width + 0.5))
std::int64_t scaled_channels(std::int64_t channels, double width);
float dropout_rate(const NetworkOptions& options, float published);

class Network : public Module {
 public:
  using Module::Module;
  // x (n,h,w,in_channels), h and w as image_size() and stride() say. `random` feeds dropout while training.
  virtual NetworkOutput forward(const Tensor& x, Random& random) const = 0;
  virtual std::int64_t stride() const = 0;  // h and w must be multiples of this
  // The one size of picture it takes; {0, 0}: any whose height and width are multiples of stride().
  virtual ImageSize image_size() const { return {}; }
  // kMostTapPairs of them: first the published one, encoder and decoder map at a quarter of the input's resolution,
  // then those that |L| = 2 and 3 add. Both taps of a pair have as many channels, whatever the width.
  virtual std::vector<TapPair> tap_pairs() const = 0;
  TapPair default_taps() const { return tap_pairs().front(); }
  virtual std::int64_t tap_channels() const = 0;                         // of the default taps
  virtual std::int64_t unused_released_parameters() const { return 0; }  // in the released code, never used
  // What the released code does for a picture beyond this forward pass, as the paper's table counts it.
  virtual std::int64_t released_extra_work(std::int64_t /*height*/, std::int64_t /*width*/) const { return 0; }
  // Whether the paper's table counts the batch norms' parameters and work (engine/ops/mac_counter.h).
  virtual bool table_counts_batch_norm() const { return true; }
  // How published weight files name its tensors (engine/io/weights.h, load_weights).
  virtual std::vector<ForeignNames> foreign_names() const { return {}; }
};

// The smallest picture the network takes.
ImageSize smallest_picture(const Network& network);

// forward() with activations of this dtype. In mixed precision (bf16) the image is rounded on the way in, taps stay
// bf16 and logits come back in float32, where the losses are.
NetworkOutput run_network(const Network& network, const Tensor& image, Random& random, DType activations);

// Parameters, and multiply-accumulates of a height x width picture whose forward pass `counter` saw (in evaluation
// mode, not frozen: folded batch norms are not seen), as the paper's table counts them.
std::int64_t table_parameters(const Network& network);
std::int64_t table_work(const Network& network, const MacCounter& counter, std::int64_t height, std::int64_t width);

// Throws ErrorKind::usage with the list of network_names() for any other name.
std::unique_ptr<Network> make_network(const std::string& name, const NetworkOptions& options);
const std::vector<std::string>& network_names();

}  // namespace gf
