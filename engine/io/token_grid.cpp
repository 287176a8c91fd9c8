#include "engine/io/token_grid.h"

#include <cmath>
#include <optional>

#include "engine/ops/resize.h"

namespace gf {
namespace {

// The file's tokens: how many stand before the grid, and the grid.
struct Grid {
  std::int64_t before = 0, h = 0, w = 0;
};

std::int64_t square_side(std::int64_t tokens) {
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(tokens))));
  return side * side == tokens ? side : 0;
}

std::optional<Grid> grid_of(const std::vector<std::int64_t>& file, const Shape& ours, TokenGrids rule) {
  if (file.size() != 3 || file[0] != 1 || file[1] < 1 || file[2] != ours.c) return {};
  const std::int64_t tokens = file[1], wanted = ours.h * ours.w;
  const bool as_it_is = rule != TokenGrids::square || ours.h == ours.w || square_side(wanted) == 0;
  if (tokens == wanted && as_it_is) return Grid{0, ours.h, ours.w};
  if (rule == TokenGrids::same) return {};
  if (tokens == wanted + 1 && as_it_is) return Grid{1, ours.h, ours.w};
  if (const std::int64_t side = square_side(tokens)) return Grid{0, side, side};
  if (const std::int64_t side = square_side(tokens - 1)) return Grid{1, side, side};
  return {};
}

}  // namespace

std::string token_grid_change(const std::vector<std::int64_t>& file, const Shape& ours, TokenGrids rule) {
  const std::optional<Grid> g = grid_of(file, ours, rule);
  if (!g) return {};
  if (g->h != ours.h || g->w != ours.w) return "from " + std::to_string(g->h) + "x" + std::to_string(g->w);
  return g->before ? "without its class token" : "as it is";
}

std::vector<float> fit_token_grid(std::span<const float> values, const std::vector<std::int64_t>& file,
                                  const Shape& ours, TokenGrids rule) {
  const Grid g = grid_of(file, ours, rule).value();
  const auto grid = values.subspan(static_cast<std::size_t>(g.before * ours.c));
  return resize(Tensor::from(grid, {1, g.h, g.w, ours.c}), ours.h, ours.w, ResizeMode::bilinear_corners).to_vector();
}

}  // namespace gf
