// The tables of SegmentationScores: two CSV files and nnU-Net's summary.json. The JSON is so small that it is written
// by hand; the JSON library costs five seconds of compile time per file.
#include <fmt/format.h>

#include <cmath>

#include "data/csv.h"
#include "data/metrics/segmentation_metrics.h"
#include "engine/io/atomic_file.h"
#include "engine/io/utf8.h"

namespace gf {
namespace {

std::string csv_number(double v) { return std::isnan(v) ? "" : fmt::format("{:.6f}", v); }
std::string json_number(double v) { return std::isfinite(v) ? fmt::format("{:.10g}", v) : "null"; }

std::string json_string(const std::string& text) {
  std::string s = "\"";
  for (const char c : to_valid_utf8(text)) {
    if (c == '"' || c == '\\')
      s += fmt::format("\\{}", c);
    else if (static_cast<unsigned char>(c) < 0x20)
      s += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      s += c;
  }
  return s + '"';
}

std::string json_list(const std::vector<std::string>& texts) {
  std::string s;
  for (const std::string& text : texts) s += (s.empty() ? "" : ", ") + json_string(text);
  return "[" + s + "]";
}

// {"1": item(1), "2": item(2), ...} over the foreground classes
template <class Item>
std::string by_class(int classes, const Item& item) {
  std::string s;
  for (int id = 1; id < classes; ++id) s += fmt::format("{}\"{}\": {}", id == 1 ? "" : ", ", id, item(id));
  return "{" + s + "}";
}

// Dice, IoU and HD95 have their old places at the front of the CSV files.
bool comes_first(const Measure& m) {
  return m.value == &ClassScore::dice || m.value == &ClassScore::iou || m.value == &ClassScore::hd95;
}

// Of one class, by the keys of measures().
template <class Value>
std::string measure_items(const Value& value, bool with_surface = true) {
  std::string s;
  for (const Measure& m : measures())
    if (with_surface || !m.surface)
      s += fmt::format("{}\"{}\": {}", s.empty() ? "" : ", ", m.key, json_number(value(m.value)));
  return s;
}

// Of one class: [low, high] by the keys of measures(), null where there is no interval.
template <class Interval>
std::string interval_items(const Interval& interval) {
  std::string s;
  for (const Measure& m : measures()) {
    const MeanInterval i = interval(m.value);
    s += fmt::format("{}\"{}\": {}", s.empty() ? "" : ", ", m.key,
                     std::isnan(i.low) ? "null" : fmt::format("[{}, {}]", json_number(i.low), json_number(i.high)));
  }
  return "{" + s + "}";
}

struct Counts {
  double tp = 0, fp = 0, fn = 0, tn = 0;

  Counts() = default;
  Counts(const ConfusionMatrix& m, int id)
      : tp(double(m.true_positives(id))),
        fp(double(m.false_positives(id))),
        fn(double(m.false_negatives(id))),
        tn(double(m.true_negatives(id))) {}

  // Means of the counts over cases, and over classes, as nnU-Net has them.
  Counts& add(const Counts& other, double divisor) {
    tp += other.tp / divisor;
    fp += other.fp / divisor;
    fn += other.fn / divisor;
    tn += other.tn / divisor;
    return *this;
  }
  std::string items() const {
    return fmt::format(R"("TP": {}, "FP": {}, "FN": {}, "TN": {}, "n_pred": {}, "n_ref": {})", json_number(tp),
                       json_number(fp), json_number(fn), json_number(tn), json_number(tp + fp), json_number(tp + fn));
  }
};

template <class Value>
std::string class_json(const Value& value, const Counts& counts) {
  return "{" + measure_items(value) + ", " + counts.items() + "}";
}

Counts mean_counts(const SegmentationScores& scores, int id) {
  return Counts().add({scores.pooled(), id}, std::max<double>(1, double(scores.cases().size())));
}

std::string foreground_json(const SegmentationScores& scores) {
  Counts counts;
  const int foreground = scores.pooled().classes() - 1;
  for (int id = 1; id <= foreground; ++id) counts.add(mean_counts(scores, id), foreground);
  return class_json([&](double ClassScore::*value) { return scores.mean(value); }, counts);
}

std::string protocol_json(const SegmentationScores& scores) {
  const Protocol& p = scores.protocol();
  std::string tolerance;
  for (std::size_t i = 0; i < p.nsd_tolerance.size(); ++i)
    tolerance += fmt::format("{}{}", i == 0 ? "" : ", ", json_number(p.nsd_tolerance[i]));
  return fmt::format(
      R"({{"name": {}, "hd95": {}, "unit": {}, "empty": "by the protocol, and counted", "nsd_tolerance": [{}], "notes": {}}})",
      json_string(p.name), json_string(name_of(p.hd95)), json_string(p.unit()), tolerance,
      json_list(protocol_notes(p, scores.class_names())));
}

}  // namespace

void SegmentationScores::write_per_case_csv(const std::string& path) const {
  std::string out = "case,class_id,class,status,dice,iou,hd95,n_ref,n_pred,tp,fp,fn,tn";
  for (const Measure& m : measures())
    if (!comes_first(m)) out += std::string(",") + m.column;
  out += "\n";
  for (const CaseScore& c : cases_)
    for (int id = 1; id < pooled_.classes(); ++id) {
      const ClassScore& s = c.classes[id];
      const ConfusionMatrix& m = c.confusion;
      out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}", csv_field(to_valid_utf8(c.id)), id,
                         csv_field(class_names_[id]), name_of(s.status), csv_number(s.dice), csv_number(s.iou),
                         csv_number(s.hd95), m.in_truth(id), m.in_prediction(id), m.true_positives(id),
                         m.false_positives(id), m.false_negatives(id), m.true_negatives(id));
      for (const Measure& measure : measures())
        if (!comes_first(measure)) out += "," + csv_number(s.*measure.value);
      out += "\n";
    }
  write_file_atomically(path, out);
}

void SegmentationScores::write_per_class_csv(const std::string& path) const {
  std::string out =
      "class_id,class,dice,dice_std,dice_pooled,iou,iou_pooled,hd95,n,hd95_n,both_empty,missed,false_alarm";
  for (const Measure& m : measures()) {
    if (comes_first(m)) continue;
    out += fmt::format(",{}", m.column);
    if (!m.surface) out += fmt::format(",{}_pooled", m.column);
  }
  out += ",nsd_tolerance,unit,protocol\n";
  for (int id = 1; id < pooled_.classes(); ++id) {
    const ClassSummary s = summary(id);
    const ClassScore pooled = pooled_score(id);
    out +=
        fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}", id, csv_field(class_names_[id]), csv_number(s.dice_mean),
                    csv_number(s.dice_std), csv_number(s.dice_pooled), csv_number(s.iou_mean), csv_number(s.iou_pooled),
                    csv_number(s.hd95_mean), s.n, s.hd95_n, s.both_empty, s.missed, s.false_alarm);
    for (const Measure& m : measures()) {
      if (comes_first(m)) continue;
      out += "," + csv_number(over_cases(id, m.value).mean);
      if (!m.surface) out += "," + csv_number(pooled.*m.value);
    }
    out += fmt::format(",{:g},{},{}\n", protocol_.tolerance(id), protocol_.unit(), protocol_.name);
  }
  write_file_atomically(path, out);
}

void SegmentationScores::write_summary_json(const std::string& path) const {
  const int classes = pooled_.classes();
  std::string per_case, failed;
  for (const CaseScore& c : cases_) {
    const std::string metrics = by_class(classes, [&](int id) {
      return class_json([&](double ClassScore::*value) { return c.classes[id].*value; }, Counts(c.confusion, id));
    });
    per_case += fmt::format("{}\n    {{\"metrics\": {}, \"case\": {}, \"reference_file\": {}, \"prediction_file\": {}",
                            per_case.empty() ? "" : ",", metrics, json_string(c.id), json_string(c.reference_file),
                            json_string(c.prediction_file));
    if (!c.more_reference_files.empty()) per_case += ", \"more_reference_files\": " + json_list(c.more_reference_files);
    per_case += "}";
  }
  for (const FailedCase& f : failed_)
    failed += fmt::format("{}{{\"case\": {}, \"error\": {}}}", failed.empty() ? "" : ", ", json_string(f.id),
                          json_string(f.error));
  std::string out = "{\n";
  out += fmt::format("  \"foreground_mean\": {},\n", foreground_json(*this));
  out += fmt::format("  \"mean\": {},\n", by_class(classes, [&](int id) {
                       return class_json([&](double ClassScore::*value) { return over_cases(id, value).mean; },
                                         mean_counts(*this, id));
                     }));
  out += fmt::format("  \"std\": {},\n", by_class(classes, [&](int id) {
                       return "{" +
                              measure_items([&](double ClassScore::*value) { return over_cases(id, value).std; }) + "}";
                     }));
  out += fmt::format("  \"ci95\": {},\n", by_class(classes, [&](int id) {
                       return interval_items([&](double ClassScore::*value) { return interval(id, value); });
                     }));
  out += fmt::format("  \"foreground_ci95\": {},\n",
                     interval_items([&](double ClassScore::*value) { return foreground_interval(value); }));
  out += fmt::format("  \"pooled\": {},\n", by_class(classes, [&](int id) {
                       const ClassScore s = pooled_score(id);
                       return "{" + measure_items([&](double ClassScore::*value) { return s.*value; }, false) + "}";
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
  out += fmt::format("  \"protocol\": {},\n", protocol_json(*this));
  out += fmt::format("  \"postprocessing\": {},\n", json_string(postprocessing_));
  out += fmt::format("  \"class_names\": {},\n", json_list(class_names_));
  out += fmt::format("  \"failed\": [{}],\n", failed);
  out += fmt::format("  \"metric_per_case\": [{}\n  ]\n}}\n", per_case);
  write_file_atomically(path, out);
}

}  // namespace gf
