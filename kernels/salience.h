#pragma once
// Channel salience (Graph Flow, method: salience graph): for every image and channel the position of the channel's
// maximum activation, and the k x k patch around it. The patch is the channel's vertex feature v_c.
//
//   (y,x) = argmax F[n,:,:,c]   first index in row-major order on ties; no gradient through the index
//   v[n,c,:] = F[n, y-r..y+r, x-r..x+r, c], r = (k-1)/2, zero outside the map
//
// Modes: `peak` as above; `window` takes the k x k window (fully inside or not, zero-padded) of the largest mean
// instead of the peak pixel (alternative A3); `absolute` looks for max |F| but gathers F itself.
// A NaN counts as larger than everything (so it is found, not hidden), the first NaN wins.
// A window's score is its float32 sum, every row from left to right and then the row sums from top to bottom, on every
// device: two windows that are nearly equal must not be told apart differently.
//
// F (n,h,w,c) float32, for the GPU bodies also bf16, any pixel stride; positions (n,1,1,c) i32, dense, linear index y*w
// + x; patches (n,1,c,k*k) float32, any pixel stride: row c holds v_c. k odd, 1 <= k <= 15. Forward: one read of F (4
// or 2 bytes * n*h*w*c) plus a gather of n*c*k*k values.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

enum class SalienceMode { peak, window };

struct SalienceShape {
  int k = 3;
  SalienceMode mode = SalienceMode::peak;
  bool absolute = false;

  bool operator==(const SalienceShape&) const = default;
};

// Throws, naming the argument, where shapes, dtypes or k do not fit; every body calls it first. `map` is f or df.
void check_salience(const char* kernel, const SalienceShape&, const ConstView& map, const ConstView& positions,
                    const ConstView& patches);

// positions and patches are assigned.
void salience_forward(const Cpu&, const SalienceShape&, ConstView f, View positions, View patches);
// df is assigned: zero but where a patch was gathered; values of overlapping patches of one channel cannot occur (one
// patch a channel). Entries of dpatches that lay in the padding are dropped.
void salience_backward(const Cpu&, const SalienceShape&, ConstView positions, ConstView dpatches, View df);

// The bodies of kernels/cuda/salience.cu, compiled by the host compiler and by nvcc.
void salience_forward(const Simt&, const SalienceShape&, ConstView f, View positions, View patches);
void salience_backward(const Simt&, const SalienceShape&, ConstView positions, ConstView dpatches, View df);
void salience_forward(const Cuda&, const SalienceShape&, ConstView f, View positions, View patches);
void salience_backward(const Cuda&, const SalienceShape&, ConstView positions, ConstView dpatches, View df);

}  // namespace gf
