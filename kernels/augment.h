#pragma once
// Random changes of a batch of pictures and their labels, whose draws are made elsewhere (data/augment.h). Per picture,
// in this order:
//   mirrors  M(y, x) = in(y', x'):  y' = mirror_y ? h-1-y : y,  x' = mirror_x ? w-1-x : x,  then swapped where `swap`
//   turn     out(y, x) = M(v, u) where `turns`, with dy = y - (h-1)/2, dx = x - (w-1)/2:
//              v = (cosine dy - sine dx) + (h-1)/2,   u = (sine dy + cosine dx) + (w-1)/2
//            bilinear for the picture, the nearest pixel for the label; outside of M is `outside` and outside_label
//   levels   x = low + range * (gain t^gamma + offset), t = (x - low) / range, where range > 0; low is the picture's
//   least
//            value after the turn, low + range its most
// Positions and what a position is multiplied by are double, rounded at every step; bilinear weights and levels float32
// in the written order, so every device gives the same bits, but for t^gamma, which is its own.
//
// from, to (n,h,w,c) float32, labels (n,h,w,1) i32, any pixel stride; outside (n,1,1,c) float32: what each picture has
// beyond its rim. `pictures`: n PictureChange as i32 (n,1,1,kChangeWords), dense, 8-byte aligned. Outputs are assigned
// and must not alias inputs. No NaN. Bytes at least: 8 an element of the picture, 8 more where levels change, 8 a
// label.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

// What happens to one picture.
struct PictureChange {
  double cosine = 1, sine = 0;  // of the turn, divided by the zoom
  std::int32_t swap = 0, mirror_y = 0, mirror_x = 0, turns = 0;
  float gain = 1, offset = 0, gamma = 1;
  std::int32_t unused = 0;
};
constexpr std::int64_t kChangeWords = sizeof(PictureChange) / sizeof(std::int32_t);

// What all pictures of a batch have in common. `levels` false: gain, offset and gamma are not looked at.
struct BatchChange {
  std::int32_t outside_label = 0;
  bool levels = false;
};

// swap is for square pictures; it is not looked at in others.
void augment_pictures(const Cpu&, const BatchChange&, ConstView pictures, ConstView outside, ConstView from,
                      ConstView from_labels, View to, View to_labels);

// The body of kernels/cuda/augment.cu, compiled by the host compiler and by nvcc.
void augment_pictures(const Simt&, const BatchChange&, ConstView pictures, ConstView outside, ConstView from,
                      ConstView from_labels, View to, View to_labels);
void augment_pictures(const Cuda&, const BatchChange&, ConstView pictures, ConstView outside, ConstView from,
                      ConstView from_labels, View to, View to_labels);

}  // namespace gf
