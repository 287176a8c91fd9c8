#include "apps/scoring.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/array_files.h"
#include "kernels/error.h"

namespace gf {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& where, const std::string& expected,
                         const std::string& found, const std::string& remedy = {}) {
  throw Error(ErrorKind::usage, {what, where, expected, found, remedy});
}

std::string text_of(const std::vector<double>& spacing) { return fmt::format("[{}]", fmt::join(spacing, ", ")); }

[[noreturn]] void refuse_known(const EvalConfig& eval, const std::string& who) {
  refuse("eval.spacing (--spacing) is for pictures, and slices without geometry", "eval.spacing",
         "none: " + who + " the size of voxels", text_of(eval.spacing), "leave it out");
}

std::optional<std::array<double, 3>> given_spacing(const EvalConfig& eval, MaskSource source) {
  const std::vector<double>& mm = eval.spacing;
  if (mm.empty()) return std::nullopt;
  if (source == MaskSource::volumes) refuse_known(eval, "NIfTI files say");
  if (source == MaskSource::arrays) {
    if (mm.size() != 3)
      refuse("no size of a voxel", "eval.spacing", "SLICES,HEIGHT,WIDTH in mm for slices of volumes", text_of(mm));
    return std::array{mm[0], mm[1], mm[2]};
  }
  if (mm.size() > 2)
    refuse("no size of a pixel", "eval.spacing", "HEIGHT,WIDTH in mm or one number for pictures", text_of(mm));
  return std::array{1.0, mm.front(), mm.back()};
}

}  // namespace

Scoring configured_scoring(const EvalConfig& eval, MaskSource source, int classes) {
  Scoring scoring{find_protocol(eval.protocol), given_spacing(eval, source)};
  Protocol& p = scoring.protocol;
  const bool pictures = source == MaskSource::pictures;
  if (eval.distance != "auto") p.millimetres = eval.distance == "mm";
  if (pictures && !scoring.spacing) {
    if (p.surface && eval.distance == "mm")
      refuse("the size of a pixel is not known", "eval.distance", "eval.spacing = [HEIGHT, WIDTH] in mm beside \"mm\"",
             "none", "add it to [eval] or with --set eval.spacing=[0.5,0.5], or take eval.distance = \"voxel\"");
    p.millimetres = false;
  }
  p.nsd_tolerance = eval.nsd_tolerance;
  if (p.nsd_tolerance.size() != 1 && static_cast<int>(p.nsd_tolerance.size()) != classes - 1)
    refuse("wrong number of tolerances", "eval.nsd_tolerance",
           fmt::format("1, or one for each of the {} foreground classes", classes - 1),
           std::to_string(p.nsd_tolerance.size()));
  if (p.crop != Crop::none && !pictures)
    refuse("protocol " + p.name + " is for pictures", "eval.protocol", "a data set of pictures", "volumes",
           "choose another protocol");
  if (p.crop != Crop::none)
    p.crop = eval.gastric_crop == "none"     ? Crop::none
             : eval.gastric_crop == "centre" ? Crop::centre
                                             : Crop::centre_authors;
  return scoring;
}

Scoring configured_scoring(const EvalConfig& eval, const Dataset& dataset) {
  const auto is_array = [](const Case& c) { return is_array_name(c.images.at(0)); };
  MaskSource source = MaskSource::pictures;
  if (dataset.volumes)
    source = !dataset.cases.empty() && is_array(dataset.cases[0]) ? MaskSource::arrays : MaskSource::volumes;
  if (source == MaskSource::arrays && !eval.spacing.empty())
    for (const Case& c : dataset.cases)
      if (holds_geometry(c.images[0])) refuse_known(eval, c.images[0] + " says");
  return configured_scoring(eval, source, dataset.classes());
}

}  // namespace gf
