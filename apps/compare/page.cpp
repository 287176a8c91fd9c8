// The comparison in a browser.
#include <fmt/format.h>

#include "apps/compare/plots.h"
#include "apps/compare/tables.h"
#include "apps/compare/writers.h"
#include "apps/report/html_page.h"
#include "apps/report/html_parts.h"
#include "apps/report/html_text.h"

namespace gf {
namespace {

constexpr int kPlotWidth = 430, kPlotHeight = 290;  // small, so that they can be read on a phone

std::string titled_table(const ReportTable& t) {
  return "<h3>" + html_escape(t.title) + "</h3>\n" + plain_table(t) +
         (t.note.empty() ? "" : "<p class=\"muted small\">" + html_escape(t.note) + "</p>\n");
}

std::string group_html(const Comparison& c, const ComparedGroup& group, const GroupTables& tables) {
  std::vector<std::string> charts;
  for (const std::string& metric : c.shown)
    charts.push_back(spread_chart_svg(score_chart(c, group, metric), kPlotWidth));
  std::string s = "<div class=\"stack\">" + html_warnings(tables.warnings) + html_plots(charts) + "</div>\n" +
                  titled_table(tables.scores);
  for (const ReportTable& t : tables.gains) s += titled_table(t);
  return s + (tables.costs.rows.empty() ? "" : titled_table(tables.costs));
}

std::string curves_html(const Comparison& c) {
  std::vector<std::string> plots;
  for (const std::string& metric : c.shown)
    for (const LinePlot& plot : labelled_curves(c, metric))
      plots.push_back(line_plot_svg(plot, kPlotWidth, kPlotHeight));
  return html_plots(plots);
}

}  // namespace

std::string html_of(const Comparison& c) {
  std::size_t failed = 0;
  for (const RunRow& r : c.rows) failed += r.failed;
  std::string body = html_section("Against the number of labelled cases", curves_html(c));
  const std::vector<GroupTables> tables = tables_of(c);
  for (std::size_t i = 0; i < c.groups.size(); ++i)
    body += html_section(tables[i].title, group_html(c, c.groups[i], tables[i]));
  std::string footer;
  for (const std::string& note : reading_notes(c)) footer += "<p>" + html_escape(note) + "</p>\n";
  return html_page(
      {.title = title_of(c),
       .subtitle = fmt::format("{} trained models{}, {} split", c.rows.size() - failed,
                               failed > 0 ? fmt::format(", {} failed", failed) : "", c.on_test ? "test" : "validation"),
       .notes = {},
       .warnings = c.warnings,
       .head_html = {},
       .body_html = body,
       .footer_html = footer});
}

}  // namespace gf
