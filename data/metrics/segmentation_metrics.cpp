#include "data/metrics/segmentation_metrics.h"

#include <cmath>
#include <limits>

#include "data/metrics/surface_distance.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Mean {
  double sum = 0, squares = 0;
  int n = 0;

  void add(double v) {
    if (std::isnan(v)) return;
    sum += v;
    squares += v * v;
    ++n;
  }
  double value() const { return n > 0 ? sum / n : nan; }
  double deviation() const {
    if (n < 2) return n == 1 ? 0 : nan;
    return std::sqrt(std::max(0.0, (squares - sum * sum / n) / (n - 1)));
  }
};

double hd95_of_class(int id, const std::vector<Mask>& truth, const std::vector<Mask>& prediction,
                     const ScoreOptions& o) {
  const MaskGrid grid{static_cast<std::int64_t>(truth.size()), truth[0].h, truth[0].w, o.spacing, o.volume};
  std::vector<std::uint8_t> t, p;
  t.reserve(grid.nz * grid.ny * grid.nx);
  p.reserve(t.capacity());
  for (std::size_t s = 0; s < truth.size(); ++s)
    for (std::size_t i = 0; i < truth[s].values.size(); ++i) {
      const bool counted = !o.ignore || truth[s].values[i] != *o.ignore;
      t.push_back(counted && truth[s].values[i] == id);
      p.push_back(counted && prediction[s].values[i] == id);
    }
  return hd95(surface_distances(p, t, grid));
}

}  // namespace

const char* name_of(ClassStatus s) {
  switch (s) {
    case ClassStatus::scored:
      return "scored";
    case ClassStatus::both_empty:
      return "both_empty";
    case ClassStatus::missed:
      return "missed";
    default:
      return "false_alarm";
  }
}

CaseScore score_case(const std::string& id, int classes, const std::vector<Mask>& truth,
                     const std::vector<Mask>& prediction, const ScoreOptions& options) {
  if (truth.size() != prediction.size() || truth.empty() || (!options.volume && truth.size() != 1))
    fail("cannot score case", id, std::to_string(truth.size()) + " class maps", std::to_string(prediction.size()));
  CaseScore score{id, {}, {}, ConfusionMatrix(classes), {}};
  for (std::size_t s = 0; s < truth.size(); ++s) {
    if (truth[s].h != truth[0].h || truth[s].w != truth[0].w)
      fail("slices of one case differ in size", id, truth[0].size_text(), truth[s].size_text());
    if (truth[s].h != prediction[s].h || truth[s].w != prediction[s].w)
      fail("truth and prediction differ in size", id, truth[s].size_text(), prediction[s].size_text());
    score.confusion.add(truth[s].values, prediction[s].values, options.ignore);
  }
  for (int c = 0; c < classes; ++c) {
    const bool in_truth = score.confusion.in_truth(c) > 0, predicted = score.confusion.in_prediction(c) > 0;
    ClassScore s{ClassStatus::both_empty, score.confusion.dice(c), score.confusion.iou(c), nan};
    if (in_truth) s.status = predicted ? ClassStatus::scored : ClassStatus::missed;
    if (!in_truth && predicted) s.status = ClassStatus::false_alarm;
    if (s.status == ClassStatus::scored && c > 0 && options.surface)
      s.hd95 = hd95_of_class(c, truth, prediction, options);
    score.classes.push_back(s);
  }
  return score;
}

void SegmentationScores::add(CaseScore score) {
  pooled_.add(score.confusion);
  cases_.push_back(std::move(score));
}

ClassSummary SegmentationScores::summary(int id) const {
  Mean dice, iou, hd;
  ClassSummary s{};
  for (const CaseScore& c : cases_) {
    const ClassScore& score = c.classes.at(id);
    dice.add(score.dice);
    iou.add(score.iou);
    hd.add(score.hd95);
    s.both_empty += score.status == ClassStatus::both_empty;
    s.missed += score.status == ClassStatus::missed;
    s.false_alarm += score.status == ClassStatus::false_alarm;
  }
  s.dice_mean = dice.value();
  s.dice_std = dice.deviation();
  s.iou_mean = iou.value();
  s.hd95_mean = hd.value();
  s.dice_pooled = pooled_.dice(id);
  s.iou_pooled = pooled_.iou(id);
  s.n = dice.n;
  s.hd95_n = hd.n;
  return s;
}

template <class Value>
double SegmentationScores::mean_of_classes(const Value& value) const {
  Mean mean;
  for (int id = 1; id < pooled_.classes(); ++id) mean.add(value(summary(id)));
  return mean.value();
}

double SegmentationScores::mean_dice() const {
  return mean_of_classes([](const ClassSummary& s) { return s.dice_mean; });
}
double SegmentationScores::mean_iou() const {
  return mean_of_classes([](const ClassSummary& s) { return s.iou_mean; });
}
double SegmentationScores::mean_hd95() const {
  return mean_of_classes([](const ClassSummary& s) { return s.hd95_mean; });
}

}  // namespace gf
