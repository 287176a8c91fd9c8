// One case: counts, then the distances of every class within its own box.
#include "data/metrics/segmentation_metrics.h"
#include "data/metrics/surface_distance.h"
#include "data/metrics/surface_elements.h"
#include "kernels/error.h"

namespace gf {
namespace {

void add_distances(ClassScore& s, int id, const MaskPair& pair, const Protocol& protocol) {
  {
    const SurfaceDistances d = surface_distances(pair);
    s.hd = hd100(d);
    s.hd95_greater = hd95_greater(d);
    s.hd95_pooled = hd95_pooled(d);
    s.assd = assd(d);
    if (protocol.nsd == NsdRule::border_voxels) s.nsd = border_nsd(d, protocol.tolerance(id));
  }
  const ElementDistances d = element_distances(pair);
  s.hd95_area = hd95_area(d);
  if (protocol.nsd == NsdRule::area) s.nsd = nsd(d, protocol.tolerance(id));
  s.hd95 = protocol.hd95 == Hd95Rule::greater  ? s.hd95_greater
           : protocol.hd95 == Hd95Rule::pooled ? s.hd95_pooled
                                               : s.hd95_area;
}

void apply(const EmptyScores& e, bool surface, ClassScore& s) {
  s.dice = s.iou = s.f1 = e.overlap;
  if (!surface) return;
  s.nsd = e.nsd;
  s.hd95 = s.hd95_greater = s.hd95_pooled = s.hd95_area = e.hd95;
  s.hd = s.assd = e.distance;
}

// The centre of a picture, a quarter of its height and width; the authors' begins a pixel of their 256 earlier.
std::vector<Mask> centres_of(const std::vector<Mask>& masks, const Protocol& protocol, const std::string& id,
                             bool volume) {
  const Mask& m = masks[0];
  const bool exact = protocol.crop == Crop::centre_authors;
  const std::int64_t unit = exact ? 256 : 8, offset = exact ? 95 : 3;
  if (volume || m.h % unit != 0 || m.w % unit != 0)
    bad_data("protocol " + protocol.name + " takes the centre of pictures", id,
             "height and width a multiple of " + std::to_string(unit), volume ? "a volume" : m.size_text(),
             "choose another eval.gastric_crop or another protocol");
  Mask out(m.h / 4, m.w / 4);
  for (std::int64_t y = 0; y < out.h; ++y)
    for (std::int64_t x = 0; x < out.w; ++x) out.at(y, x) = m.at(y + m.h / unit * offset, x + m.w / unit * offset);
  return {out};
}

void check_sizes(const std::string& id, const std::vector<Mask>& truth, const std::vector<Mask>& prediction,
                 const ScoreOptions& options) {
  if (truth.size() != prediction.size() || truth.empty() || (!options.volume && truth.size() != 1))
    fail("cannot score case", id, std::to_string(truth.size()) + " class maps", std::to_string(prediction.size()));
  for (std::size_t s = 0; s < truth.size(); ++s) {
    if (truth[s].h != truth[0].h || truth[s].w != truth[0].w)
      fail("slices of one case differ in size", id, truth[0].size_text(), truth[s].size_text());
    if (truth[s].h != prediction[s].h || truth[s].w != prediction[s].w)
      fail("truth and prediction differ in size", id, truth[s].size_text(), prediction[s].size_text());
  }
}

}  // namespace

CaseScore score_case(const std::string& id, int classes, const std::vector<Mask>& truth,
                     const std::vector<Mask>& prediction, const ScoreOptions& options) {
  check_sizes(id, truth, prediction, options);
  const Protocol& protocol = options.protocol;
  if (protocol.crop != Crop::none) {
    ScoreOptions inside = options;
    inside.protocol.crop = Crop::none;
    return score_case(id, classes, centres_of(truth, protocol, id, options.volume),
                      centres_of(prediction, protocol, id, options.volume), inside);
  }
  CaseScore score{id, {}, {}, ConfusionMatrix(classes), {}};
  for (std::size_t s = 0; s < truth.size(); ++s)
    score.confusion.add(truth[s].values, prediction[s].values, options.ignore);
  const bool surface = options.surface && protocol.surface;
  const MaskGrid grid{static_cast<std::int64_t>(truth.size()), truth[0].h, truth[0].w, options.spacing, options.volume};
  std::vector<MaskBox> boxes;
  if (surface) boxes = class_boxes(classes, truth, prediction, options.ignore);
  for (int c = 0; c < classes; ++c) {
    ClassScore s = overlap_score(score.confusion, c);
    if (s.status == ClassStatus::both_empty)
      apply(protocol.both_empty, surface, s);
    else if (s.status == ClassStatus::missed)
      apply(protocol.missed, surface, s);
    else if (s.status == ClassStatus::false_alarm)
      apply(protocol.false_alarm, surface, s);
    else if (surface && c > 0)
      add_distances(s, c, class_pair(c, boxes[c], truth, prediction, grid, options.ignore), protocol);
    score.classes.push_back(s);
  }
  return score;
}

}  // namespace gf
