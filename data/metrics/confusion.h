#pragma once
// Counts of truth against prediction, and the overlap measures that follow from them.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace gf {

class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(int classes) : classes_(classes), counts_(static_cast<std::size_t>(classes) * classes) {}

  // Adds pixel by pixel; pixels whose truth is `ignore` are left out. Error for unequal lengths or ids outside the
  // classes.
  void add(std::span<const std::int32_t> truth, std::span<const std::int32_t> prediction,
           std::optional<std::int32_t> ignore = std::nullopt);
  void add(const ConfusionMatrix& other);

  int classes() const { return classes_; }
  std::int64_t count(int truth, int prediction) const {
    return counts_[static_cast<std::size_t>(truth) * classes_ + prediction];
  }
  std::int64_t pixels() const;
  std::int64_t in_truth(int id) const;       // TP + FN
  std::int64_t in_prediction(int id) const;  // TP + FP
  std::int64_t true_positives(int id) const { return count(id, id); }
  std::int64_t false_positives(int id) const { return in_prediction(id) - count(id, id); }
  std::int64_t false_negatives(int id) const { return in_truth(id) - count(id, id); }
  std::int64_t true_negatives(int id) const { return pixels() - in_truth(id) - false_positives(id); }

  // NaN where there is nothing to divide by: of dice and iou, where truth and prediction both lack the class.
  double dice(int id) const;         // 2 TP / (2 TP + FP + FN)
  double iou(int id) const;          // TP / (TP + FP + FN)
  double precision(int id) const;    // TP / (TP + FP)
  double recall(int id) const;       // TP / (TP + FN)
  double specificity(int id) const;  // TN / (TN + FP)
  double accuracy(int id) const;     // (TP + TN) / all, of this class against the rest
  double accuracy() const;           // share of pixels with the right class, background included
  double foreground_dice() const;    // mean of dice(1 ..) over the classes that are not NaN
  double foreground_iou() const;

 private:
  int classes_;
  std::vector<std::int64_t> counts_;  // [truth][prediction]
};

}  // namespace gf
