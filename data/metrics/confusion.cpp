#include "data/metrics/confusion.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "kernels/error.h"

namespace gf {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double quotient(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : nan;
}

template <class Measure>
double mean_of_foreground(int classes, const Measure& measure) {
  double sum = 0;
  int n = 0;
  for (int id = 1; id < classes; ++id) {
    const double v = measure(id);
    if (!std::isnan(v)) sum += v, ++n;
  }
  return n > 0 ? sum / n : nan;
}

}  // namespace

void ConfusionMatrix::add(std::span<const std::int32_t> truth, std::span<const std::int32_t> prediction,
                          std::optional<std::int32_t> ignore) {
  if (truth.size() != prediction.size())
    fail("truth and prediction differ in size", "confusion matrix", std::to_string(truth.size()),
         std::to_string(prediction.size()));
  for (std::size_t i = 0, end = 0; i < truth.size(); i = end) {
    const std::int32_t t = truth[i], p = prediction[i];
    for (end = i + 1; end < truth.size() && truth[end] == t && prediction[end] == p;)
      ++end;  // labels come in long runs
    if (ignore && t == *ignore) continue;
    if (t < 0 || t >= classes_ || p < 0 || p >= classes_)
      fail("class id out of range", "confusion matrix", "0 to " + std::to_string(classes_ - 1),
           "truth " + std::to_string(t) + ", prediction " + std::to_string(p));
    counts_[static_cast<std::size_t>(t) * classes_ + p] += static_cast<std::int64_t>(end - i);
  }
}

void ConfusionMatrix::add(const ConfusionMatrix& other) {
  if (other.classes_ != classes_)
    fail("cannot add confusion matrices", "classes", std::to_string(classes_), std::to_string(other.classes_));
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

std::int64_t ConfusionMatrix::pixels() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

std::int64_t ConfusionMatrix::in_truth(int id) const {
  std::int64_t n = 0;
  for (int p = 0; p < classes_; ++p) n += count(id, p);
  return n;
}

std::int64_t ConfusionMatrix::in_prediction(int id) const {
  std::int64_t n = 0;
  for (int t = 0; t < classes_; ++t) n += count(t, id);
  return n;
}

double ConfusionMatrix::dice(int id) const { return quotient(2 * count(id, id), in_truth(id) + in_prediction(id)); }

double ConfusionMatrix::iou(int id) const {
  return quotient(count(id, id), in_truth(id) + in_prediction(id) - count(id, id));
}

double ConfusionMatrix::precision(int id) const { return quotient(count(id, id), in_prediction(id)); }

double ConfusionMatrix::recall(int id) const { return quotient(count(id, id), in_truth(id)); }

double ConfusionMatrix::specificity(int id) const { return quotient(true_negatives(id), pixels() - in_truth(id)); }

double ConfusionMatrix::accuracy(int id) const { return quotient(true_positives(id) + true_negatives(id), pixels()); }

double ConfusionMatrix::accuracy() const {
  std::int64_t right = 0;
  for (int id = 0; id < classes_; ++id) right += count(id, id);
  return quotient(right, pixels());
}

double ConfusionMatrix::foreground_dice() const {
  return mean_of_foreground(classes_, [this](int id) { return dice(id); });
}

double ConfusionMatrix::foreground_iou() const {
  return mean_of_foreground(classes_, [this](int id) { return iou(id); });
}

}  // namespace gf
