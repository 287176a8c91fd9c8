#include "apps/report/html_report.h"

#include <fmt/format.h>

#include <cmath>

#include "apps/report/html_parts.h"
#include "apps/report/html_text.h"
#include "engine/io/atomic_file.h"

namespace gf {
namespace {

std::string section(const std::string& title, const std::string& html) {
  return html.empty() ? "" : "<section><h2>" + html_escape(title) + "</h2>\n" + html + "</section>\n";
}

std::string list(const char* kind, const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  std::string s = fmt::format("<ul{}>", kind);
  for (const std::string& line : lines) s += "<li>" + html_escape(line) + "</li>";
  return s + "</ul>\n";
}

// The numbers one looks for first: mean Dice of every model, and how much of the gap distillation closed.
std::string key_figures(const ReportData& data) {
  std::string s = "<div class=\"figures\">\n";
  const auto card = [&](const std::string& color, const std::string& name, const std::string& value,
                        const std::string& below) {
    s += fmt::format(
        "<div class=\"card\"><div class=\"name\"><i class=\"dot\" style=\"background:{}\"></i>{}</div>"
        "<div class=\"value\">{}</div><div class=\"small muted\">{}</div></div>\n",
        color, html_escape(name), value, below);
  };
  const ModelResult* student = find_role(data, ModelRole::student);
  for (std::size_t i = 0; i < data.models.size(); ++i) {
    const ModelResult& m = data.models[i];
    std::string below = "mean Dice · " + count_text(m.parameters) + " parameters";
    if (student && m.role == ModelRole::distilled) {
      const double change = m.mean.dice - student->mean.dice, gap = gap_closed(data, m);
      below = fmt::format("mean Dice · {}{:.3f} against the student alone{}", change < 0 ? "−" : "+", std::abs(change),
                          std::isnan(gap) ? "" : fmt::format(", {:.0f} % of the gap", 100 * gap));
    }
    card(series_color(model_color(data, i)), m.name, score_text(m.mean.dice), below);
  }
  for (const ReferenceRow& r : data.references)
    card("var(--axis)", r.name, score_text(r.mean.dice), "mean Dice · reference, no model");
  return s + "</div>\n";
}

std::string dice_chart(const ReportData& data) {
  if (data.models.empty() || data.class_names.size() < 2) return {};
  BarChart chart{"Dice per class", "Dice", {data.class_names.begin() + 1, data.class_names.end()}, {}, 1.0};
  for (std::size_t i = 0; i < data.models.size(); ++i) {
    BarSeries bars{data.models[i].name, {}, model_color(data, i)};
    for (std::size_t c = 1; c < data.models[i].per_class.size(); ++c)
      bars.values.push_back(data.models[i].per_class[c].dice);
    chart.series.push_back(std::move(bars));
  }
  return "<div class=\"card scroll wide\">" + bar_chart_svg(chart) + "</div>\n";
}

std::string curve_grid(const ReportData& data) {
  if (data.curves.empty()) return {};
  std::string s = "<div class=\"plots\">\n";
  for (const LinePlot& plot : data.curves) s += "<div class=\"card scroll\">" + line_plot_svg(plot) + "</div>\n";
  return s + "</div>\n";
}

std::string details(const std::string& title, const std::string& html) {
  return "<details><summary>" + html_escape(title) + "</summary>" + html + "</details>\n";
}

std::string environment_table(const ReportData& data) {
  ReportTable table;
  for (const auto& [name, value] : data.environment) table.rows.push_back({name, value});
  return table.rows.empty() ? "" : plain_table(table);
}

}  // namespace

std::string html_report(const ReportData& data) {
  std::string s =
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
      html_escape(data.title) + "</title>\n<style>" + html_style() +
      "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>" + html_escape(data.title) + "</h1>\n";
  if (!data.subtitle.empty()) s += "<p class=\"lead\">" + html_escape(data.subtitle) + "</p>\n";
  s += list(" class=\"notes\"", data.notes);
  if (!data.warnings.empty())
    s += "<div class=\"warnings\"><strong>Please note</strong>" + list("", data.warnings) + "</div>\n";
  s += key_figures(data) + "</header>\n";

  if (!data.models.empty()) {
    s += section("Models", model_table(data));
    s += section("Per class", "<div class=\"stack\">" + dice_chart(data) + per_class_tables(data) + "</div>\n");
  }
  if (!data.overlays.empty()) s += section("Cases", overlay_grid(data));
  s += section("Training", curve_grid(data));
  for (const ReportTable& table : data.tables) {
    s += section(table.title, (table.note.empty() ? "" : "<p class=\"muted\">" + html_escape(table.note) + "</p>\n") +
                                  plain_table(table));
  }
  std::string setting;
  for (const auto& [name, text] : data.configs)
    setting += details("Configuration: " + name, "<pre>" + html_escape(text) + "</pre>");
  if (const std::string table = environment_table(data); !table.empty()) setting += "<h3>Environment</h3>\n" + table;
  s += section("How it was run", setting);
  s += "<footer>\n<p>Dice = 2|A∩B| / (|A|+|B|), IoU = |A∩B| / |A∪B|; HD95: 95th percentile of the pooled surface "
       "distances "
       "of both directions. Means leave out the background. Gap closed: (distilled − student) / (teacher − student) in "
       "mean "
       "Dice. MACs: multiply-accumulate operations of one picture. Latency: one picture, median after warm-up.</p>\n"
       "<p>For research only, not for diagnosis. Written by graphflow.</p>\n</footer>\n</main>\n</body>\n</html>\n";
  return s;
}

void write_html_report(const std::string& path, const ReportData& data) {
  write_file_atomically(path, html_report(data));
}

}  // namespace gf
