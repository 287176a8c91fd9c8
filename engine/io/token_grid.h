#pragma once
// Position embeddings of transformers, made for one grid of tokens and wanted for another.
//
// A file holds [1,T,C]: T tokens row by row, or a class token and then those. For another grid they are resized
// bilinearly with aligned corners, as the published TransUNet does when it loads weights; a class token is dropped.
// A file does not say how its tokens lie: the grid is taken to be square.
#include <span>
#include <string>
#include <vector>

#include "kernels/view.h"

namespace gf {

// What T tokens may be for ours (1,h,w,c): same: h*w of them and nothing else. own: our own file, so h*w tokens are the
// grid wanted. square: somebody else's, where h*w tokens are that only if h = w.
enum class TokenGrids { same, own, square };

// How a file's tensor would become ours: "" where it cannot, "as it is", "without its class token", "from 14x14".
std::string token_grid_change(const std::vector<std::int64_t>& file, const Shape& ours, TokenGrids rule);

// The values of ours, where token_grid_change is not "".
std::vector<float> fit_token_grid(std::span<const float> values, const std::vector<std::int64_t>& file,
                                  const Shape& ours, TokenGrids rule);

}  // namespace gf
