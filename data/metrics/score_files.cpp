// The tables of SegmentationScores: two CSV files and nnU-Net's summary.json. The JSON is so small that it is written
// by hand; the JSON library costs five seconds of compile time per file.
#include <fmt/format.h>

#include <cmath>

#include "data/csv.h"
#include "data/metrics/segmentation_metrics.h"
#include "engine/io/atomic_file.h"

namespace gf {
namespace {

std::string csv_number(double v) { return std::isnan(v) ? "" : fmt::format("{:.6f}", v); }
std::string json_number(double v) { return std::isfinite(v) ? fmt::format("{:.10g}", v) : "null"; }

std::string json_string(const std::string& text) {
  std::string s = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      s += fmt::format("\\{}", c);
    else if (static_cast<unsigned char>(c) < 0x20)
      s += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      s += c;
  }
  return s + '"';
}

// {"1": item(1), "2": item(2), ...} over the foreground classes
template <class Item>
std::string by_class(int classes, const Item& item) {
  std::string s;
  for (int id = 1; id < classes; ++id) s += fmt::format("{}\"{}\": {}", id == 1 ? "" : ", ", id, item(id));
  return "{" + s + "}";
}

// nnU-Net's eight numbers of one class, and HD95.
struct Metrics {
  double dice = 0, iou = 0, hd95 = 0, tp = 0, fp = 0, fn = 0, tn = 0;

  Metrics() = default;
  Metrics(const ClassScore& s, const ConfusionMatrix& m, int id)
      : dice(s.dice),
        iou(s.iou),
        hd95(s.hd95),
        tp(double(m.true_positives(id))),
        fp(double(m.false_positives(id))),
        fn(double(m.false_negatives(id))),
        tn(double(m.true_negatives(id))) {}

  std::string json() const {
    return fmt::format(
        R"({{"Dice": {}, "IoU": {}, "HD95": {}, "TP": {}, "FP": {}, "FN": {}, "TN": {}, "n_pred": {}, "n_ref": {}}})",
        json_number(dice), json_number(iou), json_number(hd95), json_number(tp), json_number(fp), json_number(fn),
        json_number(tn), json_number(tp + fp), json_number(tp + fn));
  }
};

// Means of the counts over cases, as nnU-Net has them, beside the means of the measures.
Metrics class_mean(const SegmentationScores& scores, int id) {
  const ClassSummary s = scores.summary(id);
  const ConfusionMatrix& m = scores.pooled();
  const double n = std::max<double>(1, double(scores.cases().size()));
  Metrics out;
  out.dice = s.dice_mean;
  out.iou = s.iou_mean;
  out.hd95 = s.hd95_mean;
  out.tp = double(m.true_positives(id)) / n;
  out.fp = double(m.false_positives(id)) / n;
  out.fn = double(m.false_negatives(id)) / n;
  out.tn = double(m.true_negatives(id)) / n;
  return out;
}

Metrics foreground_mean(const SegmentationScores& scores) {
  Metrics out;
  const int foreground = scores.pooled().classes() - 1;
  for (int id = 1; id <= foreground; ++id) {
    const Metrics m = class_mean(scores, id);
    out.tp += m.tp / foreground;
    out.fp += m.fp / foreground;
    out.fn += m.fn / foreground;
    out.tn += m.tn / foreground;
  }
  out.dice = scores.mean_dice();
  out.iou = scores.mean_iou();
  out.hd95 = scores.mean_hd95();
  return out;
}

}  // namespace

void SegmentationScores::write_per_case_csv(const std::string& path) const {
  std::string out = "case,class_id,class,status,dice,iou,hd95,n_ref,n_pred,tp,fp,fn,tn\n";
  for (const CaseScore& c : cases_)
    for (int id = 1; id < pooled_.classes(); ++id) {
      const ClassScore& s = c.classes[id];
      const ConfusionMatrix& m = c.confusion;
      out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_field(c.id), id, csv_field(class_names_[id]),
                         name_of(s.status), csv_number(s.dice), csv_number(s.iou), csv_number(s.hd95), m.in_truth(id),
                         m.in_prediction(id), m.true_positives(id), m.false_positives(id), m.false_negatives(id),
                         m.true_negatives(id));
    }
  write_file_atomically(path, out);
}

void SegmentationScores::write_per_class_csv(const std::string& path) const {
  std::string out =
      "class_id,class,dice,dice_std,dice_pooled,iou,iou_pooled,hd95,n,hd95_n,both_empty,missed,false_alarm\n";
  for (int id = 1; id < pooled_.classes(); ++id) {
    const ClassSummary s = summary(id);
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\n", id, csv_field(class_names_[id]),
                       csv_number(s.dice_mean), csv_number(s.dice_std), csv_number(s.dice_pooled),
                       csv_number(s.iou_mean), csv_number(s.iou_pooled), csv_number(s.hd95_mean), s.n, s.hd95_n,
                       s.both_empty, s.missed, s.false_alarm);
  }
  write_file_atomically(path, out);
}

void SegmentationScores::write_summary_json(const std::string& path, const std::string& unit) const {
  const int classes = pooled_.classes();
  std::string per_case, names;
  for (const CaseScore& c : cases_)
    per_case +=
        fmt::format("{}\n    {{\"metrics\": {}, \"case\": {}, \"reference_file\": {}, \"prediction_file\": {}}}",
                    per_case.empty() ? "" : ",",
                    by_class(classes, [&](int id) { return Metrics(c.classes[id], c.confusion, id).json(); }),
                    json_string(c.id), json_string(c.reference_file), json_string(c.prediction_file));
  for (const std::string& name : class_names_) names += (names.empty() ? "" : ", ") + json_string(name);
  std::string out = "{\n";
  out += fmt::format("  \"foreground_mean\": {},\n", foreground_mean(*this).json());
  out += fmt::format("  \"mean\": {},\n", by_class(classes, [&](int id) { return class_mean(*this, id).json(); }));
  out += fmt::format("  \"std\": {},\n", by_class(classes, [&](int id) {
                       return fmt::format("{{\"Dice\": {}}}", json_number(summary(id).dice_std));
                     }));
  out += fmt::format("  \"pooled\": {},\n", by_class(classes, [&](int id) {
                       return fmt::format("{{\"Dice\": {}, \"IoU\": {}}}", json_number(pooled_.dice(id)),
                                          json_number(pooled_.iou(id)));
                     }));
  out += fmt::format("  \"pooled_foreground\": {{\"Dice\": {}, \"IoU\": {}}},\n",
                     json_number(pooled_.foreground_dice()), json_number(pooled_.foreground_iou()));
  out += fmt::format("  \"accuracy\": {},\n", json_number(pooled_.accuracy()));
  out += fmt::format("  \"counts\": {},\n", by_class(classes, [&](int id) {
                       const ClassSummary s = summary(id);
                       return fmt::format(
                           R"({{"n": {}, "hd95_n": {}, "both_empty": {}, "missed": {}, "false_alarm": {}}})", s.n,
                           s.hd95_n, s.both_empty, s.missed, s.false_alarm);
                     }));
  out += fmt::format("  \"protocol\": {{\"hd95\": \"medpy\", \"unit\": {}, \"empty\": \"left out and counted\"}},\n",
                     json_string(unit));
  out += fmt::format("  \"class_names\": [{}],\n", names);
  out += fmt::format("  \"metric_per_case\": [{}\n  ]\n}}\n", per_case);
  write_file_atomically(path, out);
}

}  // namespace gf
