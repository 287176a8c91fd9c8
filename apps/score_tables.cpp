#include "apps/score_tables.h"

#include <fmt/format.h>

#include "apps/report/html_text.h"
#include "apps/report/table_text.h"

namespace gf {
namespace {

struct Column {
  std::string title;
  double ClassScore::*value;
  int digits = 4;
};

// One row a foreground class, then their mean.
template <class Row>
void add_rows(ReportTable& t, const SegmentationScores& s, const Row& row) {
  for (int id = 1; id < s.pooled().classes(); ++id) {
    std::vector<std::string> cells = row(id);
    cells.insert(cells.begin(), s.class_names()[static_cast<std::size_t>(id)]);
    t.rows.push_back(std::move(cells));
  }
}

const std::vector<Column>& overlap_columns() {
  static const std::vector<Column> columns = {
      {"Dice", &ClassScore::dice},     {"IoU", &ClassScore::iou},
      {"ACC", &ClassScore::accuracy},  {"Precision", &ClassScore::precision},
      {"Recall", &ClassScore::recall}, {"Specificity", &ClassScore::specificity}};
  return columns;
}

const std::vector<std::string> kCountTitles = {"n", "both empty", "missed", "false alarm"};

std::vector<std::string> counts(const SegmentationScores& s, int id) {
  const ClassSummary c = s.summary(id);
  return {std::to_string(c.n), std::to_string(c.both_empty), std::to_string(c.missed), std::to_string(c.false_alarm)};
}

ReportTable case_table(const SegmentationScores& s) {
  ReportTable t{"Overlap", "", {"mean per case"}, {}};
  for (const Column& c : overlap_columns()) t.header.push_back(c.title);
  t.header.insert(t.header.end(), kCountTitles.begin(), kCountTitles.end());
  add_rows(t, s, [&](int id) {
    std::vector<std::string> cells;
    for (const Column& c : overlap_columns()) cells.push_back(score_text(s.over_cases(id, c.value).mean, c.digits));
    for (std::string& n : counts(s, id)) cells.push_back(std::move(n));
    return cells;
  });
  std::vector<std::string> mean = {"mean"};
  for (const Column& c : overlap_columns()) mean.push_back(score_text(s.mean(c.value), c.digits));
  mean.resize(t.header.size());
  t.rows.push_back(std::move(mean));
  return t;
}

// Of one confusion matrix. Where the protocol is pooled, the mean is its own, and the counts stand here.
ReportTable pooled_table(const SegmentationScores& s) {
  const bool reported = s.protocol().averaging == Averaging::pooled;
  ReportTable t{"Overlap", "", {"pooled over pixels"}, {}};
  for (const Column& c : overlap_columns()) t.header.push_back(c.title);
  if (reported) t.header.insert(t.header.end(), kCountTitles.begin(), kCountTitles.end());
  std::vector<double> sums(overlap_columns().size());
  std::vector<int> terms(sums.size());
  add_rows(t, s, [&](int id) {
    const ClassScore pooled = s.pooled_score(id);
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const double v = pooled.*overlap_columns()[i].value;
      if (v == v) sums[i] += v, ++terms[i];
      cells.push_back(score_text(v, overlap_columns()[i].digits));
    }
    if (reported)
      for (std::string& n : counts(s, id)) cells.push_back(std::move(n));
    return cells;
  });
  std::vector<std::string> mean = {"mean"};
  for (std::size_t i = 0; i < sums.size(); ++i)
    mean.push_back(score_text(reported   ? s.mean(overlap_columns()[i].value)
                              : terms[i] ? sums[i] / terms[i]
                                         : kUnknown,
                              overlap_columns()[i].digits));
  mean.resize(t.header.size());
  t.rows.push_back(std::move(mean));
  return t;
}

ReportTable distance_table(const SegmentationScores& s) {
  const Protocol& p = s.protocol();
  ReportTable t{"Distances", "", {fmt::format("mean per case, {}", p.unit())}, {}};
  std::vector<Column> columns = {{"HD95 greater", &ClassScore::hd95_greater, 2},
                                 {"HD95 pooled", &ClassScore::hd95_pooled, 2},
                                 {"HD95 by area", &ClassScore::hd95_area, 2},
                                 {"HD", &ClassScore::hd, 2},
                                 {"ASSD", &ClassScore::assd, 2}};
  std::swap(columns[0], columns[static_cast<std::size_t>(p.hd95)]);  // the protocol's own comes first
  columns.push_back({p.nsd_tolerance.size() == 1 ? fmt::format("NSD@{:g}{}", p.nsd_tolerance[0], p.unit())
                                                 : std::string("NSD@class's tolerance"),
                     &ClassScore::nsd});
  for (const Column& c : columns) t.header.push_back(c.title);
  t.header.push_back("n");
  add_rows(t, s, [&](int id) {
    std::vector<std::string> cells;
    for (const Column& c : columns) cells.push_back(score_text(s.over_cases(id, c.value).mean, c.digits));
    cells.push_back(std::to_string(s.summary(id).hd95_n));
    return cells;
  });
  std::vector<std::string> mean = {"mean"};
  for (const Column& c : columns) mean.push_back(score_text(s.mean(c.value), c.digits));
  mean.resize(t.header.size());
  t.rows.push_back(std::move(mean));
  return t;
}

std::string closing_line(const SegmentationScores& s) {
  return fmt::format("accuracy {} (share of pixels with the right class, background included), {} cases{}",
                     score_text(s.pooled().accuracy(), 4), s.cases().size(),
                     s.failed().empty() ? "" : fmt::format(", {} failed", s.failed().size()));
}

}  // namespace

std::vector<ReportTable> score_tables(const SegmentationScores& scores) {
  if (scores.protocol().averaging == Averaging::pooled) return {pooled_table(scores)};
  std::vector<ReportTable> tables = {case_table(scores), pooled_table(scores)};
  if (scores.protocol().surface) tables.push_back(distance_table(scores));
  return tables;
}

std::string scores_markdown(const SegmentationScores& scores) {
  std::string s;
  for (const ReportTable& t : score_tables(scores)) s += markdown_table(t) + "\n";
  s += closing_line(scores) + "\n\n";
  for (const std::string& note : protocol_notes(scores.protocol(), scores.class_names()))
    s += "- " + markdown_cell(note) + "\n";
  return s;
}

std::string scores_latex(const SegmentationScores& scores, const std::string& subject) {
  std::string s = latex_comment("Written by graphflow evaluate; needs \\usepackage{booktabs}.");
  for (const std::string& note : protocol_notes(scores.protocol(), scores.class_names())) s += latex_comment(note);
  s += latex_comment(closing_line(scores)) + "\n";
  for (const ReportTable& t : score_tables(scores))
    s += latex_table(t,
                     fmt::format("{} of {}, {}. Protocol {}.", t.title, subject, t.header[0], scores.protocol().name));
  return s;
}

}  // namespace gf
