#pragma once
// Whether a case of `graphflow predict` fits the machine's memory, asked before it is read. A system that has no memory
// left does not fail an allocation: it ends the program, and the cases that were to follow with it.
//
// The estimate is what the readers hold of every value, and of a network on the CPU what its forward pass takes of each
// pixel, measured once on two small pictures: memory grows with the pixels. A GPU's own memory is not asked about, its
// allocator says when it is full.
#include <optional>
#include <string>

#include "data/input_size.h"
#include "distill/segmenter.h"

namespace gf {

class MemoryNeed {
 public:
  // All three outlive it.
  MemoryNeed(const Network& network, const Segmenter& segmenter, const Preprocessing& preprocessing,
             const SegmenterOptions& options, int classes)
      : network_(network), segmenter_(segmenter), preprocessing_(preprocessing), options_(options), classes_(classes) {}

  // out_of_memory naming the file, with what would help.
  void require(const std::string& file, const InputSize& size, double available);

 private:
  // Bytes of a forward pass: fixed + per_pixel * pixels.
  struct Line {
    double fixed, per_pixel;
  };

  double forward_bytes(const InputSize& size);
  Line measure() const;
  double measured_bytes(const ImageSize& size) const;

  const Network& network_;
  const Segmenter& segmenter_;
  const Preprocessing& preprocessing_;
  SegmenterOptions options_;
  int classes_;
  std::optional<Line> line_;
};

}  // namespace gf
