#include "data/metrics/segmentation_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

constexpr std::array kMeasures = std::to_array<Measure>({
    {&ClassScore::dice, "dice", "Dice", false},
    {&ClassScore::iou, "iou", "IoU", false},
    {&ClassScore::hd95, "hd95", "HD95", true},
    {&ClassScore::accuracy, "accuracy", "Accuracy", false},
    {&ClassScore::precision, "precision", "Precision", false},
    {&ClassScore::recall, "recall", "Recall", false},
    {&ClassScore::specificity, "specificity", "Specificity", false},
    {&ClassScore::f1, "f1", "F1", false},
    {&ClassScore::hd, "hd", "HD", true},
    {&ClassScore::hd95_greater, "hd95_greater", "HD95_greater", true},
    {&ClassScore::hd95_pooled, "hd95_pooled", "HD95_pooled", true},
    {&ClassScore::hd95_area, "hd95_area", "HD95_area", true},
    {&ClassScore::assd, "assd", "ASSD", true},
    {&ClassScore::nsd, "nsd", "NSD", true},
});

}  // namespace

ClassScore overlap_score(const ConfusionMatrix& m, int id) {
  ClassScore s;
  for (const Measure& measure : kMeasures) s.*measure.value = nan;
  const bool in_truth = m.in_truth(id) > 0, predicted = m.in_prediction(id) > 0;
  s.status = in_truth    ? predicted ? ClassStatus::scored : ClassStatus::missed
             : predicted ? ClassStatus::false_alarm
                         : ClassStatus::both_empty;
  s.dice = s.f1 = m.dice(id);
  s.iou = m.iou(id);
  s.accuracy = m.accuracy(id);
  s.precision = m.precision(id);
  s.recall = m.recall(id);
  s.specificity = m.specificity(id);
  return s;
}

std::span<const Measure> measures() { return kMeasures; }

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

double foreground_mean(const CaseScore& score, double ClassScore::*value) {
  Mean mean;
  for (std::size_t id = 1; id < score.classes.size(); ++id) mean.add(score.classes[id].*value);
  return mean.value();
}

void SegmentationScores::add(CaseScore score) {
  pooled_.add(score.confusion);
  cases_.push_back(std::move(score));
}

ClassSummary SegmentationScores::summary(int id) const {
  ClassSummary s{};
  for (const CaseScore& c : cases_) {
    const ClassStatus status = c.classes.at(id).status;
    s.both_empty += status == ClassStatus::both_empty;
    s.missed += status == ClassStatus::missed;
    s.false_alarm += status == ClassStatus::false_alarm;
  }
  const MeasureSummary dice = over_cases(id, &ClassScore::dice), hd95 = over_cases(id, &ClassScore::hd95);
  s.dice_mean = dice.mean;
  s.dice_std = dice.std;
  s.iou_mean = over_cases(id, &ClassScore::iou).mean;
  s.hd95_mean = hd95.mean;
  s.dice_pooled = pooled_.dice(id);
  s.iou_pooled = pooled_.iou(id);
  s.n = dice.n;
  s.hd95_n = hd95.n;
  return s;
}

MeasureSummary SegmentationScores::over_cases(int id, double ClassScore::*value) const {
  Mean mean;
  for (const CaseScore& c : cases_) mean.add(c.classes.at(id).*value);
  return {mean.value(), mean.deviation(), mean.n};
}

MeanInterval SegmentationScores::interval(int id, double ClassScore::*value) const {
  std::vector<double> values;
  for (const CaseScore& c : cases_) values.push_back(c.classes.at(id).*value);
  return mean_interval95(values);
}

MeanInterval SegmentationScores::foreground_interval(double ClassScore::*value) const {
  std::vector<double> values;
  for (const CaseScore& c : cases_) values.push_back(foreground_mean(c, value));
  return mean_interval95(values);
}

ClassScore SegmentationScores::pooled_score(int id) const { return overlap_score(pooled_, id); }

double SegmentationScores::score(int id, double ClassScore::*value) const {
  return protocol_.averaging == Averaging::pooled ? pooled_score(id).*value : over_cases(id, value).mean;
}

double SegmentationScores::mean(double ClassScore::*value) const {
  const int classes = pooled_.classes();
  Mean mean;
  if (protocol_.averaging == Averaging::classes_then_cases) {
    for (const CaseScore& c : cases_) mean.add(foreground_mean(c, value));
    return mean.value();
  }
  const bool background = protocol_.averaging == Averaging::pooled && value == &ClassScore::iou;
  for (int id = background ? 0 : 1; id < classes; ++id) mean.add(score(id, value));
  if (protocol_.averaging == Averaging::cases_then_classes_strict && mean.n < classes - 1) return nan;
  return mean.value();
}

}  // namespace gf
