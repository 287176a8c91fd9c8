#pragma once
// The random changes of intensities that need a picture's neighbourhoods or statistics, in nnU-Net's order and with its
// shares: noise, blur, brightness, contrast, low resolution, inverted gamma, gamma. All channels of a picture are
// changed alike. Made by the loader's threads only: kernels/augment.h has none of them.
#include <cstdint>

#include "data/picture.h"

namespace gf {

struct SampleKey {
  std::uint64_t seed = 0, epoch = 0, sample = 0;
};

// A size that switches a change on, and the share of pictures that get it. deviation and mean are the channel's own.
struct Filters {
  float noise = 0, noise_share = 0.1f;  // normal noise of variance uniform in [0, noise] deviation^2
  float blur = 0, blur_share = 0.2f;    // Gaussian of sigma uniform in [0.5, blur] pixels, [0, blur] below 0.5
  float brightness = 0, brightness_share = 0.15f;          // x times 1 +- brightness
  float contrast = 0, contrast_share = 0.15f;              // (x - mean) times 1 +- contrast, cut to the range it had
  float low_resolution = 1, low_resolution_share = 0.25f;  // to uniform in [low_resolution, 1] of the size (nearest)
                                                           // and back (linear)
  // t = (x - least) / (most - least) to the power log-uniform in [1 / (1 + gamma), 1 + gamma]; mean and deviation are
  // then given back. Inverted: of -x, before the other.
  float gamma = 0, gamma_share = 0.3f, gamma_inverted_share = 0.1f;

  bool any() const {
    return noise != 0 || blur != 0 || brightness != 0 || contrast != 0 || low_resolution != 1 || gamma != 0;
  }
  bool operator==(const Filters&) const = default;
};
void check(const Filters& how);  // usage error for what makes no sense

void apply_filters(Picture& picture, const Filters& how, const SampleKey& key);

}  // namespace gf
