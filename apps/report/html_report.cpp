#include "apps/report/html_report.h"

#include <fmt/format.h>

#include <cmath>

#include "apps/report/html_page.h"
#include "apps/report/html_parts.h"
#include "apps/report/html_text.h"
#include "engine/io/atomic_file.h"

namespace gf {
namespace {

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
  std::vector<std::string> plots;
  for (const LinePlot& plot : data.curves) plots.push_back(line_plot_svg(plot));
  return html_plots(plots);
}

std::string details(const std::string& title, const std::string& html) {
  return "<details><summary>" + html_escape(title) + "</summary>" + html + "</details>\n";
}

// Values are sentences rather than numbers: they wrap.
std::string environment_table(const ReportData& data) {
  if (data.environment.empty()) return {};
  std::string s = "<div class=\"card\"><table class=\"facts\"><tbody>\n";
  for (const auto& [name, value] : data.environment)
    s += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", html_escape(name), html_escape(value));
  return s + "</tbody></table></div>\n";
}

std::string score_notes(const ReportData& data) {
  std::string s;
  for (const std::string& note : data.score_notes) s += (s.empty() ? "" : " ") + html_escape(note);
  return s.empty() ? s : "<p>" + s + "</p>\n";
}

}  // namespace

std::string html_report(const ReportData& data) {
  std::string s;
  if (!data.models.empty()) {
    s += html_section("Scores and efficiency", model_table(data));
    s += html_section("Per class", "<div class=\"stack\">" + dice_chart(data) + per_class_tables(data) + "</div>\n");
  }
  const std::string whose = data.models.size() > 1 ? ": " + data.models.back().name : "";
  s += html_section("Spread over cases" + whose, interval_table(data));
  s += html_section("Worst and best cases" + whose, case_gallery(data));
  if (!data.overlays.empty()) s += html_section("Cases", overlay_grid(data));
  s += html_section("Training", curve_grid(data));
  for (const ReportTable& table : data.tables) {
    s += html_section(
        table.title,
        (table.note.empty() ? "" : "<p class=\"muted\">" + html_escape(table.note) + "</p>\n") + plain_table(table));
  }
  std::string setting;
  for (const auto& [name, text] : data.configs)
    setting += details("Settings: " + name, "<pre>" + html_escape(text) + "</pre>");
  if (!data.log_end.empty()) setting += details("End of log.txt", "<pre>" + html_escape(data.log_end) + "</pre>");
  if (const std::string table = environment_table(data); !table.empty()) setting += "<h3>Environment</h3>\n" + table;
  s += html_section("How it was run", setting);
  return html_page({data.title, data.subtitle, data.notes, data.warnings, key_figures(data), s,
                    score_notes(data) + "<p>Gap closed: (distilled − student) / (teacher − student) in mean Dice. "
                                        "MACs: multiply-accumulate operations "
                                        "of one picture. Latency: one picture, median after warm-up.</p>\n"});
}

void write_html_report(const std::string& path, const ReportData& data) {
  write_file_atomically(path, html_report(data));
}

}  // namespace gf
