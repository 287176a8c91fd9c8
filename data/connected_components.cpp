#include "data/connected_components.h"

#include <algorithm>
#include <numeric>

namespace gf {
namespace {

using Run = Components::Run;

// The runs of every row, and where each row's begin: rows slice * h + row.
struct Rows {
  std::vector<Run> runs;
  std::vector<std::size_t> first;
};

Rows find_rows(const std::vector<Mask>& slices, const std::vector<bool>& members) {
  Rows r;
  const std::vector<char> member(members.begin(), members.end());
  const auto belongs = [&](std::int32_t v) {
    return v >= 0 && static_cast<std::size_t>(v) < member.size() && member[static_cast<std::size_t>(v)] != 0;
  };
  for (std::size_t z = 0; z < slices.size(); ++z) {
    const Mask& m = slices[z];
    for (std::int64_t y = 0; y < m.h; ++y) {
      r.first.push_back(r.runs.size());
      const std::int32_t* row = m.values.data() + y * m.w;
      for (std::int64_t x = 0; x < m.w;) {
        if (!belongs(row[x])) {
          ++x;
          continue;
        }
        const std::int64_t begin = x;
        while (x < m.w && belongs(row[x])) ++x;
        r.runs.push_back({static_cast<std::int64_t>(z), y, begin, x, 0});
      }
    }
  }
  r.first.push_back(r.runs.size());
  return r;
}

// Trees of runs; the root of each is its earliest run.
class Trees {
 public:
  explicit Trees(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
  std::size_t root(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

// Joins the runs of two rows that overlap, or with `reach` 1 only meet at a corner. Both lists are sorted.
void join_rows(const Rows& r, Trees& trees, std::size_t a, std::size_t b, std::int64_t reach) {
  std::size_t i = r.first[a], j = r.first[b];
  while (i < r.first[a + 1] && j < r.first[b + 1]) {
    const Run &p = r.runs[i], &q = r.runs[j];
    if (p.begin < q.end + reach && q.begin < p.end + reach) trees.join(i, j);
    ++(p.end < q.end ? i : j);
  }
}

}  // namespace

std::size_t Components::largest() const {
  return static_cast<std::size_t>(std::max_element(voxels.begin(), voxels.end()) - voxels.begin());
}

Components connected_components(const std::vector<Mask>& slices, const std::vector<bool>& members, Touching touching) {
  Components c;
  if (slices.empty()) return c;
  Rows r = find_rows(slices, members);
  Trees trees(r.runs.size());
  const std::int64_t h = slices.front().h, depth = static_cast<std::int64_t>(slices.size());
  const bool corners = touching == Touching::corners;
  const std::int64_t reach = corners ? 1 : 0;
  for (std::int64_t z = 0; z < depth; ++z)
    for (std::int64_t y = 0; y < h; ++y) {
      const auto row = [&](std::int64_t slice, std::int64_t line) {
        return static_cast<std::size_t>(slice * h + line);
      };
      if (y > 0) join_rows(r, trees, row(z, y), row(z, y - 1), reach);
      if (z == 0) continue;
      for (std::int64_t line = corners ? y - 1 : y; line <= (corners ? y + 1 : y); ++line)
        if (line >= 0 && line < h) join_rows(r, trees, row(z, y), row(z - 1, line), reach);
    }
  for (std::size_t i = 0; i < r.runs.size(); ++i) {
    const std::size_t root = trees.root(i);
    if (root == i) {  // roots come before the rest of their trees
      r.runs[i].component = static_cast<std::int32_t>(c.voxels.size());
      c.voxels.push_back(0);
    } else {
      r.runs[i].component = r.runs[root].component;
    }
    c.voxels[static_cast<std::size_t>(r.runs[i].component)] += r.runs[i].end - r.runs[i].begin;
  }
  c.runs = std::move(r.runs);
  return c;
}

}  // namespace gf
