#pragma once
// The paraphraser (Factor Transfer; method 2): an autoencoder over the channels of a teacher's tap. Its encoder turns
// the tap's channels into `factors` channels, the student tap's number, so that teacher and student graphs have the
// same vertices. Six 3x3 layers with bias, each followed by LeakyReLU 0.1, no normalisation:
//   encoder0 C->C, encoder1 C->K, encoder2 K->K;  decoder0 K->K, decoder1 K->C, decoder2 C->C (transposed, stride 1)
// PyTorch's default initialisation.
#include <memory>
#include <vector>

#include "engine/nn/convolution.h"

namespace gf {

class Paraphraser : public Module {
 public:
  Paraphraser(const Owner& owner, std::int64_t channels, std::int64_t factors);

  // (n,h,w,channels) -> (n,h,w,factors). A bf16 map that nothing records goes through the tensor-core kernels
  // (ops/paraphraser.h) where the device has them.
  Tensor encode(const Tensor& map) const;
  Tensor decode(const Tensor& factors) const;  // and back
  Tensor reconstruct(const Tensor& map) const { return decode(encode(map)); }
  std::int64_t channels() const { return channels_; }
  std::int64_t factors() const { return factors_; }

 private:
  std::int64_t channels_, factors_;
  Conv2d encoder0_, encoder1_, encoder2_;
  ConvTranspose2d decoder0_, decoder1_, decoder2_;
};

// Of one pair of layers: the channels of the teacher's taps, and the factors they are turned into.
struct ParaphraserSizes {
  std::int64_t shallow_channels = 256, deep_channels = 256, factors = 24;
};

struct ParaphraserPair : Module {
  Paraphraser shallow, deep;

  ParaphraserPair(const Owner& owner, const ParaphraserSizes& sizes);
};

// All that Graph Flow needs, a pair for each of its pairs of layers, trained together on one frozen teacher: their
// parameters and losses are disjoint. The names of the first pair begin with "shallow" and "deep", those of the others
// with "pair2", "pair3".
class Paraphrasers : public Module {
 public:
  explicit Paraphrasers(const std::vector<ParaphraserSizes>& sizes);
  std::size_t size() const { return pairs_.size(); }
  const ParaphraserPair& pair(std::size_t i) const { return *pairs_.at(i); }

 private:
  std::vector<std::unique_ptr<ParaphraserPair>> pairs_;
};

}  // namespace gf
