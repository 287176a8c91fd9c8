#pragma once
// How published weights name TransUNet's tensors: Google's checkpoints (R50+ViT-B_16.npz; everything up to `norm`,
// the decoder starts fresh) and the state dictionary of the PyTorch code published with the paper.
#include "models/network.h"

namespace gf {

std::vector<ForeignNames> transunet_names(const Network& transunet);

}  // namespace gf
