#include <fmt/format.h>

#include <cmath>

#include "apps/report/html_parts.h"
#include "apps/report/html_text.h"
#include "apps/report/overlay.h"

namespace gf {
namespace {

struct Metric {
  const char* title;
  double Scores::*value;
  int digits;
  bool higher_is_better;
};
constexpr Metric kMetrics[] = {
    {"Dice", &Scores::dice, 3, true}, {"IoU", &Scores::iou, 3, true}, {"HD95", &Scores::hd95, 2, false}};

std::string th(const std::string& text, const char* kind = "") {
  return fmt::format("<th scope=\"col\"{}>{}</th>", kind, html_escape(text));
}
std::string td(const std::string& html, const char* kind = "") { return fmt::format("<td{}>{}</td>", kind, html); }

std::string row_head(const std::string& name, const std::string& below) {
  return fmt::format("<th scope=\"row\">{}{}</th>", html_escape(name),
                     below.empty() ? "" : "<span class=\"role\">" + html_escape(below) + "</span>");
}

const char* role_text(ModelRole role) {
  return role == ModelRole::teacher   ? "teacher"
         : role == ModelRole::student ? "student, trained alone"
                                      : "student, distilled";
}

// "+0.021" in green below a distilled model's score, against the student alone.
std::string gain(double v, double baseline, const Metric& metric) {
  if (!std::isfinite(v) || !std::isfinite(baseline)) return {};
  const double change = v - baseline, rounding = 0.5 * std::pow(10, -metric.digits);
  const char* kind = std::abs(change) < rounding ? "" : (change > 0) == metric.higher_is_better ? " up" : " down";
  return fmt::format("<span class=\"gain{}\">{}{:.{}f}</span>", kind,
                     change >= rounding    ? "+"
                     : change <= -rounding ? "−"
                                           : "±",
                     std::abs(change), metric.digits);
}

// The median, and below it the 95th percentile.
std::string latency(const ModelResult& m) {
  if (std::isnan(m.latency_p95_ms)) return score_text(m.latency_ms, 1);
  return score_text(m.latency_ms, 1) + "<span class=\"gain muted\">p95 " + score_text(m.latency_p95_ms, 1) + "</span>";
}

double at(const std::vector<Scores>& per_class, std::size_t c, const Metric& m) {
  return c < per_class.size() ? per_class[c].*m.value : kUnknown;
}

bool known_anywhere(const ReportData& data, const Metric& metric) {
  for (const ModelResult& m : data.models) {
    if (!std::isnan(m.mean.*metric.value)) return true;
  }
  return false;
}

std::string per_class_table(const ReportData& data, const Metric& metric) {
  const ModelResult* student = find_role(data, ModelRole::student);
  std::string s = "<div class=\"card scroll\"><table><thead><tr><th scope=\"col\">";
  s += metric.title;
  if (!metric.higher_is_better) s += " in " + html_escape(data.distance_unit) + ", less is better";
  s += "</th>";
  for (std::size_t c = 1; c < data.class_names.size(); ++c) s += th(data.class_names[c]);
  s += th("mean", " class=\"mean\"") + "</tr></thead><tbody>\n";
  for (const ModelResult& m : data.models) {
    const bool compare = student && m.role == ModelRole::distilled;
    const auto cell = [&](double v, double baseline, const char* kind) {
      return td(score_text(v, metric.digits) + (compare ? gain(v, baseline, metric) : ""), kind);
    };
    s += "<tr>" + row_head(m.name, "");
    for (std::size_t c = 1; c < data.class_names.size(); ++c) {
      s += cell(at(m.per_class, c, metric), compare ? at(student->per_class, c, metric) : kUnknown, "");
    }
    s += cell(m.mean.*metric.value, compare ? student->mean.*metric.value : kUnknown, " class=\"mean\"") + "</tr>\n";
  }
  for (const ReferenceRow& r : data.references) {
    s += "<tr class=\"reference\">" + row_head(r.name, "");
    for (std::size_t c = 1; c < data.class_names.size(); ++c)
      s += td(score_text(at(r.per_class, c, metric), metric.digits));
    s += td(score_text(r.mean.*metric.value, metric.digits), " class=\"mean\"") + "</tr>\n";
  }
  return s + "</tbody></table></div>\n";
}

}  // namespace

int model_color(const ReportData& data, std::size_t model) {
  const ModelRole role = data.models[model].role;
  if (role == ModelRole::teacher) return 0;
  if (role == ModelRole::student) return 1;
  int color = 2;
  for (std::size_t i = 0; i < model; ++i) color += data.models[i].role == ModelRole::distilled;
  return color;
}

std::string model_table(const ReportData& data) {
  const ModelResult* student = find_role(data, ModelRole::student);
  std::string s = "<div class=\"card scroll\"><table><thead><tr><th scope=\"col\">Model</th>";
  for (const char* title : {"Parameters", "MACs", "Latency, ms", "Accuracy"}) s += th(title);
  s += th("Mean Dice", " class=\"mean\"") + th("Mean IoU") + th("HD95, " + data.distance_unit) + th("Gap closed");
  s += "</tr></thead><tbody>\n";
  for (const ModelResult& m : data.models) {
    const bool compare = student && m.role == ModelRole::distilled;
    const double gap = compare ? gap_closed(data, m) : kUnknown;
    s += "<tr>" + row_head(m.name, role_text(m.role)) + td(count_text(m.parameters)) + td(count_text(m.macs)) +
         td(latency(m)) + td(score_text(m.accuracy)) +
         td(score_text(m.mean.dice) + (compare ? gain(m.mean.dice, student->mean.dice, kMetrics[0]) : ""),
            " class=\"mean\"") +
         td(score_text(m.mean.iou)) + td(score_text(m.mean.hd95, 2)) +
         td(std::isnan(gap) ? "–" : fmt::format("{:.0f} %", 100 * gap)) + "</tr>\n";
  }
  for (const ReferenceRow& r : data.references) {
    s += "<tr class=\"reference\">" + row_head(r.name, "reference, no model");
    for (int i = 0; i < 4; ++i) s += td("–");
    s += td(score_text(r.mean.dice), " class=\"mean\"") + td(score_text(r.mean.iou)) + td(score_text(r.mean.hd95, 2)) +
         td("–") + "</tr>\n";
  }
  return s + "</tbody></table></div>\n";
}

std::string per_class_tables(const ReportData& data) {
  std::string s;
  for (const Metric& m : kMetrics) {
    if (known_anywhere(data, m)) s += per_class_table(data, m);
  }
  return s;
}

std::string plain_table(const ReportTable& table) {
  std::string s = "<div class=\"card scroll\"><table><thead><tr>";
  for (const std::string& h : table.header) s += th(h);
  s += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    s += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) s += i == 0 ? row_head(row[i], "") : td(html_escape(row[i]));
    s += "</tr>\n";
  }
  return s + "</tbody></table></div>\n";
}

std::string overlay_grid(const ReportData& data) {
  const std::size_t columns = std::max<std::size_t>(data.overlay_columns.size(), 1);
  // The narrowest a picture may become before the row scrolls sideways.
  constexpr int kSmallest = 120, kNames = 76;
  std::string s = fmt::format(
      "<div class=\"card\"><div class=\"scroll\"><div class=\"cases\" style=\"grid-template-columns:"
      "{}px repeat({},minmax({}px,1fr))\">\n<span></span>",
      kNames, columns, kSmallest);
  for (const std::string& name : data.overlay_columns) s += "<span class=\"head\">" + html_escape(name) + "</span>";
  s += "\n";
  for (const OverlayRow& row : data.overlays) {
    s += "<span class=\"case\">" + html_escape(row.name) + "</span>";
    for (std::size_t i = 0; i < columns; ++i) {
      if (i >= row.cells.size() || row.cells[i].image_uri.empty()) {
        s += "<span></span>";
        continue;
      }
      const std::string column = i < data.overlay_columns.size() ? data.overlay_columns[i] : "";
      s += fmt::format("<figure><img src=\"{}\" alt=\"{}\"/><figcaption>{}</figcaption></figure>\n",
                       picture_source(row.cells[i].image_uri), html_escape(row.name + ", " + column),
                       html_escape(row.cells[i].caption));
    }
  }
  s += "</div></div><div class=\"legend\">";
  for (std::size_t c = 1; c < data.class_names.size(); ++c) {
    const auto [r, g, b] = class_color(static_cast<int>(c));
    s += fmt::format("<span><i class=\"dot\" style=\"background:rgb({},{},{})\"></i>{}</span>", r, g, b,
                     html_escape(data.class_names[c]));
  }
  return s + "</div></div>\n";
}

}  // namespace gf
