#include "data/postprocess.h"

#include <algorithm>

#include "data/connected_components.h"

namespace gf {
namespace {

void paint(std::vector<Mask>& slices, const Components::Run& run, std::int32_t value) {
  Mask& m = slices[static_cast<std::size_t>(run.slice)];
  std::int32_t* row = m.values.data() + run.row * m.w;
  std::fill(row + run.begin, row + run.end, value);
}

// Makes background of every component that is not kept.
void keep_only(std::vector<Mask>& slices, const Components& c, const std::vector<bool>& kept) {
  for (const Components::Run& run : c.runs)
    if (!kept[static_cast<std::size_t>(run.component)]) paint(slices, run, 0);
}

std::vector<bool> only_largest(const Components& c) {
  std::vector<bool> kept(c.count(), false);
  kept[c.largest()] = true;
  return kept;
}

// The class's own outline decides what is closed in: everything else is one set, whose components that do not reach the
// border are holes. Of a hole only the background is filled, so that a tumour stays in its organ.
void fill_holes(std::vector<Mask>& slices, std::int32_t id) {
  std::int32_t greatest = id;
  for (const Mask& m : slices)
    for (const std::int32_t v : m.values) greatest = std::max(greatest, v);
  std::vector<bool> others(static_cast<std::size_t>(greatest) + 1, true);
  others[static_cast<std::size_t>(id)] = false;
  const Components c = connected_components(slices, others, Touching::faces);
  const std::int64_t h = slices.front().h, w = slices.front().w, last = static_cast<std::int64_t>(slices.size()) - 1;
  std::vector<bool> hole(c.count(), true);
  for (const Components::Run& run : c.runs)
    if (run.begin == 0 || run.end == w || run.row == 0 || run.row == h - 1 ||
        (last > 0 && (run.slice == 0 || run.slice == last)))
      hole[static_cast<std::size_t>(run.component)] = false;
  for (const Components::Run& run : c.runs) {
    if (!hole[static_cast<std::size_t>(run.component)]) continue;
    Mask& m = slices[static_cast<std::size_t>(run.slice)];
    std::int32_t* row = m.values.data() + run.row * m.w;
    std::replace(row + run.begin, row + run.end, std::int32_t{0}, id);
  }
}

}  // namespace

bool Postprocessing::does_nothing() const {
  return !foreground_largest_component &&
         std::all_of(classes.begin(), classes.end(), [](const ClassCleaning& c) { return c == ClassCleaning{}; });
}

bool Postprocessing::knows_volumes() const {
  return std::any_of(classes.begin(), classes.end(), [](const ClassCleaning& c) { return c.min_mm3 > 0; });
}

void keep_largest_foreground(std::vector<Mask>& slices, int classes) {
  std::vector<bool> foreground(static_cast<std::size_t>(classes), true);
  foreground[0] = false;
  const Components c = connected_components(slices, foreground, Touching::corners);
  if (c.count() > 1) keep_only(slices, c, only_largest(c));
}

void clean_class(std::vector<Mask>& slices, std::int32_t id, const ClassCleaning& how, double voxel_mm3) {
  if (slices.empty() || how == ClassCleaning{}) return;
  std::vector<bool> members(static_cast<std::size_t>(id) + 1, false);
  members[static_cast<std::size_t>(id)] = true;
  if (how.min_voxels > 0 || how.min_mm3 > 0 || how.largest_component) {
    const Components c = connected_components(slices, members, Touching::corners);
    if (c.count() == 0) return;
    std::vector<bool> kept = how.largest_component ? only_largest(c) : std::vector<bool>(c.count(), true);
    for (std::size_t i = 0; i < c.count(); ++i)
      if (c.voxels[i] < how.min_voxels || static_cast<double>(c.voxels[i]) * voxel_mm3 < how.min_mm3) kept[i] = false;
    keep_only(slices, c, kept);
  }
  if (how.fill_holes) fill_holes(slices, id);
}

void clean(std::vector<Mask>& slices, const Postprocessing& p, double voxel_mm3) {
  if (p.foreground_largest_component) keep_largest_foreground(slices, static_cast<int>(p.classes.size()));
  for (std::size_t id = 1; id < p.classes.size(); ++id)
    clean_class(slices, static_cast<std::int32_t>(id), p.classes[id], voxel_mm3);
}

}  // namespace gf
