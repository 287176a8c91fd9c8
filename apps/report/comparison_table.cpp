#include "apps/report/comparison_table.h"

#include <fmt/format.h>

#include <cmath>

#include "apps/report/html_text.h"
#include "data/csv.h"

namespace gf {
namespace {

// A pipe ends a Markdown cell.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : c == '\n' ? std::string(" ") : std::string(1, c);
  return out;
}

std::string number(double v) { return std::isnan(v) ? "" : fmt::format("{}", v); }

std::string dice_row(const std::string& name, const std::vector<Scores>& per_class, const Scores& mean,
                     std::size_t classes) {
  std::string s = "| " + cell(name) + " |";
  for (std::size_t c = 1; c < classes; ++c)
    s += " " + score_text(c < per_class.size() ? per_class[c].dice : kUnknown) + " |";
  return s + " " + score_text(mean.dice) + " |\n";
}

std::string csv_rows(const ReportData& data, const std::string& start, const std::vector<Scores>& per_class,
                     const Scores& mean, const std::string& end) {
  const auto scores = [](const Scores& s) { return number(s.dice) + "," + number(s.iou) + "," + number(s.hd95); };
  std::string out;
  for (std::size_t c = 0; c < std::min(per_class.size(), data.class_names.size()); ++c) {
    out += start + "," + csv_field(data.class_names[c]) + "," + scores(per_class[c]) + ",,,,,\n";
  }
  return out + start + ",mean," + scores(mean) + "," + end + "\n";
}

}  // namespace

std::string comparison_markdown(const ReportData& data) {
  std::string s = fmt::format(
      "| Model | Parameters | MACs | Latency (ms) | Dice | IoU | HD95 ({}) | Accuracy | Gap closed |\n"
      "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
      data.distance_unit);
  for (const ModelResult& m : data.models) {
    const double gap = m.role == ModelRole::distilled ? gap_closed(data, m) : kUnknown;
    s += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", cell(m.name), count_text(m.parameters),
                     count_text(m.macs), score_text(m.latency_ms, 1), score_text(m.mean.dice), score_text(m.mean.iou),
                     score_text(m.mean.hd95, 2), score_text(m.accuracy),
                     std::isnan(gap) ? "–" : fmt::format("{:.0f} %", 100 * gap));
  }
  for (const ReferenceRow& r : data.references) {
    s += fmt::format("| *{}* | – | – | – | {} | {} | {} | – | – |\n", cell(r.name), score_text(r.mean.dice),
                     score_text(r.mean.iou), score_text(r.mean.hd95, 2));
  }
  const std::size_t classes = data.class_names.size();
  s += "\n| Dice |";
  for (std::size_t c = 1; c < classes; ++c) s += " " + cell(data.class_names[c]) + " |";
  s += " mean |\n|---|";
  for (std::size_t c = 0; c < std::max<std::size_t>(classes, 1); ++c) s += "---:|";
  s += "\n";
  for (const ModelResult& m : data.models) s += dice_row(m.name, m.per_class, m.mean, classes);
  for (const ReferenceRow& r : data.references) s += dice_row("*" + r.name + "*", r.per_class, r.mean, classes);
  return s;
}

std::string comparison_csv(const ReportData& data) {
  std::string s = "name,role,class,dice,iou,hd95,accuracy,parameters,macs,latency_ms,latency_p95_ms\n";
  for (const ModelResult& m : data.models) {
    s += csv_rows(data, csv_field(m.name) + "," + name_of(m.role), m.per_class, m.mean,
                  fmt::format("{},{},{},{},{}", number(m.accuracy), number(m.parameters), number(m.macs),
                              number(m.latency_ms), number(m.latency_p95_ms)));
  }
  for (const ReferenceRow& r : data.references) {
    s += csv_rows(data, csv_field(r.name) + ",reference", r.per_class, r.mean, ",,,,");
  }
  return s;
}

void read_comparison_csv(const std::string& path, ReportData& data) {
  const CsvTable table = CsvTable::read(path);
  data.class_names.clear();
  data.models.clear();
  data.references.clear();
  std::vector<std::string> classes;
  std::vector<Scores> per_class;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const auto text = [&](const char* column) -> const std::string& { return table.at(i, table.column(column)); };
    const Scores scores{table.number(i, "dice"), table.number(i, "iou"), table.number(i, "hd95")};
    if (text("class") != "mean") {
      classes.push_back(text("class"));
      per_class.push_back(scores);
      continue;
    }
    const std::string& role = text("role");
    if (role == "reference") {
      data.references.push_back({text("name"), per_class, scores});
    } else {
      ModelResult m;
      m.name = text("name");
      m.role = parse_role(role, table.path());
      m.parameters = table.number(i, "parameters");
      m.macs = table.number(i, "macs");
      m.latency_ms = table.number(i, "latency_ms");
      if (table.has("latency_p95_ms")) m.latency_p95_ms = table.number(i, "latency_p95_ms");
      m.accuracy = table.number(i, "accuracy");
      m.per_class = per_class;
      m.mean = scores;
      data.models.push_back(std::move(m));
    }
    if (data.class_names.empty()) data.class_names = classes;
    classes.clear();
    per_class.clear();
  }
}

}  // namespace gf
