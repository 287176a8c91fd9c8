#pragma once
// Class probabilities of pictures: whole or in tiles that overlap, once or over their mirror images. Tiles are weighed
// by a Gaussian of an eighth of their side, so that a tile's rim, where the network sees least, counts least (the rule
// of nnU-Net, Isensee et al., Nature Methods 2021).
#include "models/network.h"

namespace gf {

struct SegmenterOptions {
  int batch_size = 0;    // pictures or tiles a forward pass; 0: as many as have the pixels of 8 of 256 x 256
  bool mirrors = false;  // the mean over the picture and its three mirror images
  ImageSize tile = {};   // {0, 0}: pictures whole. Larger than a picture: the picture's size
  double overlap = 0.5;  // of neighbouring tiles, at least: a part of the tile's side
};

class Segmenter {
 public:
  // The network is in evaluation mode, and outlives the segmenter. Usage error: a tile that the network does not take,
  // an overlap outside [0, 1).
  Segmenter(const Network& network, const SegmenterOptions& options);

  // Pictures or tiles of this size a forward pass.
  int batch_size(std::int64_t height, std::int64_t width) const;
  // Whether the classes are those of one forward pass of whole pictures.
  bool plain() const { return !options_.mirrors && options_.tile == ImageSize{}; }
  // images (n,h,w,channels) on the host, padded as the network needs them -> (n,h,w,classes) on the host, which sum
  // to 1.
  Tensor probabilities(const Tensor& images) const;
  // The most likely class of each pixel, (n,h,w,1) int32 on the host.
  Tensor classes(const Tensor& images) const;

 private:
  Tensor forward(const Tensor& images) const;  // of whole pictures or tiles, over the mirrors

  const Network& network_;
  SegmenterOptions options_;
};

// First pixels of tiles of `tile` pixels that cover `length` evenly, neighbours overlapping by `overlap` or more.
std::vector<std::int64_t> tile_starts(std::int64_t length, std::int64_t tile, double overlap);

}  // namespace gf
