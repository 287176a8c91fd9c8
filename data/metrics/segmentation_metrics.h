#pragma once
// Scores of class maps against the truth: per class and case, means over cases, and pooled over all pixels.
//
// Conventions for empty classes (field-wide these differ, so they are counted and printed):
//   in neither truth nor prediction   both_empty    Dice, IoU, HD95 are NaN and left out of means
//   in the truth only                 missed        Dice and IoU 0, HD95 NaN and left out
//   in the prediction only            false_alarm   Dice and IoU 0, HD95 NaN and left out
// HD95 is medpy's (surface_distance.h), over the whole volume of a case or over a picture.
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "data/metrics/confusion.h"
#include "data/picture.h"

namespace gf {

enum class ClassStatus { scored, both_empty, missed, false_alarm };
const char* name_of(ClassStatus s);

struct ClassScore {
  ClassStatus status = ClassStatus::both_empty;
  double dice, iou, hd95;
};

struct CaseScore {
  std::string id;
  std::string reference_file, prediction_file;  // for the tables; may be empty
  ConfusionMatrix confusion;
  std::vector<ClassScore> classes;  // by class id, background included
};

struct ScoreOptions {
  std::array<double, 3> spacing = {1, 1, 1};  // (slices, height, width) in mm; leave at 1 for voxels
  bool volume = true;                         // slices lie on each other; false: one picture
  bool surface = true;                        // HD95 costs far more than the rest; without it, it is NaN
  std::optional<std::int32_t> ignore;         // truth value that is left out
};

// Class maps of one case, slice by slice, all of one size.
CaseScore score_case(const std::string& id, int classes, const std::vector<Mask>& truth,
                     const std::vector<Mask>& prediction, const ScoreOptions& options);

// One class over all cases.
struct ClassSummary {
  double dice_mean, dice_std, iou_mean,
      hd95_mean;                   // over the cases where they are not NaN; std with n - 1, 0 for n = 1
  double dice_pooled, iou_pooled;  // from the pixels of all cases together
  int n = 0;                       // cases behind dice_mean
  int hd95_n = 0;                  // cases behind hd95_mean
  int both_empty = 0, missed = 0, false_alarm = 0;
};

class SegmentationScores {
 public:
  explicit SegmentationScores(std::vector<std::string> class_names)
      : class_names_(std::move(class_names)), pooled_(static_cast<int>(class_names_.size())) {}

  void add(CaseScore score);
  const std::vector<CaseScore>& cases() const { return cases_; }
  const std::vector<std::string>& class_names() const { return class_names_; }
  const ConfusionMatrix& pooled() const { return pooled_; }
  ClassSummary summary(int id) const;
  // Means over the foreground classes of the per-class means (classes without any case are left out).
  double mean_dice() const;
  double mean_iou() const;
  double mean_hd95() const;

  // case,class_id,class,status,dice,iou,hd95,n_ref,n_pred,tp,fp,fn,tn: one line per case and foreground class.
  void write_per_case_csv(const std::string& path) const;
  // class_id,class,dice,dice_std,dice_pooled,iou,iou_pooled,hd95,n,hd95_n,both_empty,missed,false_alarm
  void write_per_class_csv(const std::string& path) const;
  // nnU-Net's keys (metric_per_case, mean, foreground_mean) and ours (pooled, std, counts, class_names, unit); NaN is
  // null. `unit` says what HD95 is measured in: "mm" or "voxel".
  void write_summary_json(const std::string& path, const std::string& unit) const;

 private:
  template <class Value>
  double mean_of_classes(const Value& value) const;

  std::vector<std::string> class_names_;
  ConfusionMatrix pooled_;
  std::vector<CaseScore> cases_;
};

}  // namespace gf
