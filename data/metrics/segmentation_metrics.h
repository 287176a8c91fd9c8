#pragma once
// Scores of class maps against the truth: per class and case, means over cases, and pooled over all pixels, by the
// rules of a protocol (protocol.h). Distances are taken over the whole volume of a case, or over a picture.
#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/metrics/confidence.h"
#include "data/metrics/confusion.h"
#include "data/metrics/protocol.h"
#include "data/picture.h"

namespace gf {

enum class ClassStatus { scored, both_empty, missed, false_alarm };
const char* name_of(ClassStatus s);

// NaN: left out of means. Where a class is empty the protocol decides; quotients without denominator are NaN.
struct ClassScore {
  ClassStatus status;
  double dice, iou, hd95;  // hd95 by the protocol's rule
  double accuracy, precision, recall, specificity, f1;
  double hd, hd95_greater, hd95_pooled, hd95_area, assd, nsd;
};

ClassScore overlap_score(const ConfusionMatrix& counts, int id);  // distances NaN

// Every number of a ClassScore, by the names it has in the tables.
struct Measure {
  double ClassScore::*value;
  const char* column;  // of the CSV files
  const char* key;     // of summary.json
  bool surface;        // a distance, or made from distances: there is no pooled one
};
std::span<const Measure> measures();

struct CaseScore {
  std::string id;
  std::string reference_file, prediction_file;  // for summary.json; "" where there is no such file
  ConfusionMatrix confusion;
  std::vector<ClassScore> classes;                     // by class id, background included
  std::vector<std::string> more_reference_files = {};  // masks that were united with the first
};

struct ScoreOptions {
  std::array<double, 3> spacing = {1, 1, 1};  // (slices, height, width) in mm; leave at 1 for voxels
  bool volume = true;                         // slices lie on each other; false: one picture
  bool surface = true;                        // distances cost far more than the rest; without them they are NaN
  std::optional<std::int32_t> ignore = {};    // truth value that is left out
  Protocol protocol = protocols()[0];
};

// Over the foreground classes where it is not NaN; NaN where there is none.
double foreground_mean(const CaseScore& score, double ClassScore::*value);

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

struct MeasureSummary {
  double mean, std;  // over the cases where it is not NaN
  int n;
};

struct FailedCase {
  std::string id, error;
};

class SegmentationScores {
 public:
  explicit SegmentationScores(std::vector<std::string> class_names, Protocol protocol = protocols()[0])
      : class_names_(std::move(class_names)),
        protocol_(std::move(protocol)),
        pooled_(static_cast<int>(class_names_.size())) {}

  void add(CaseScore score);
  void add_failed(FailedCase failed) { failed_.push_back(std::move(failed)); }    // named in summary.json, in no mean
  void set_postprocessing(std::string how) { postprocessing_ = std::move(how); }  // for summary.json
  const std::vector<CaseScore>& cases() const { return cases_; }
  const std::vector<FailedCase>& failed() const { return failed_; }
  const std::vector<std::string>& class_names() const { return class_names_; }
  const Protocol& protocol() const { return protocol_; }
  const ConfusionMatrix& pooled() const { return pooled_; }
  ClassSummary summary(int id) const;
  MeasureSummary over_cases(int id, double ClassScore::*value) const;
  // 95 % confidence intervals of means over cases (confidence.h): of a class, and of each case's mean over its classes.
  MeanInterval interval(int id, double ClassScore::*value) const;
  MeanInterval foreground_interval(double ClassScore::*value) const;
  ClassScore pooled_score(int id) const;  // of all cases' pixels together; no distances
  // What the protocol reports: of a class, and of all foreground classes.
  double score(int id, double ClassScore::*value) const;
  double mean(double ClassScore::*value) const;
  double mean_dice() const { return mean(&ClassScore::dice); }
  double mean_iou() const { return mean(&ClassScore::iou); }
  double mean_hd95() const { return mean(&ClassScore::hd95); }

  // case,class_id,class,status,dice,iou,hd95,n_ref,n_pred,tp,fp,fn,tn, then the other measures: one line per case and
  // foreground class.
  void write_per_case_csv(const std::string& path) const;
  // class_id,class,dice,dice_std,dice_pooled,iou,iou_pooled,hd95,n,hd95_n,both_empty,missed,false_alarm, then the other
  // measures: means over cases, _pooled where there is one; nsd_tolerance,unit,protocol.
  void write_per_class_csv(const std::string& path) const;
  // nnU-Net's keys (metric_per_case, mean, foreground_mean) and ours (pooled, std, ci95, counts, class_names, protocol,
  // postprocessing, failed; of a case with several masks more_reference_files); NaN and infinity are null, as is the
  // interval of fewer than two cases.
  void write_summary_json(const std::string& path) const;

 private:
  std::vector<std::string> class_names_;
  Protocol protocol_;
  std::string postprocessing_ = "none";
  ConfusionMatrix pooled_;
  std::vector<CaseScore> cases_;
  std::vector<FailedCase> failed_;
};

}  // namespace gf
