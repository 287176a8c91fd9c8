#include "apps/report/prediction_page.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "apps/report/html_page.h"
#include "apps/report/html_parts.h"
#include "apps/report/html_text.h"
#include "apps/report/overlay.h"

namespace gf {
namespace {

constexpr std::size_t kPictures = 60;

std::string case_name(const Prediction& p) { return std::filesystem::path(p.input).filename().string(); }

std::string legend(const std::vector<std::string>& names) {
  std::string s;
  for (std::size_t k = 1; k < names.size(); ++k) {
    const auto [r, g, b] = class_color(static_cast<int>(k));
    s += fmt::format("<span><i class=\"dot\" style=\"background:rgb({},{},{})\"></i>{}</span>", r, g, b,
                     html_escape(names[k]));
  }
  return "<div class=\"legend\">" + s + "</div>\n";
}

std::string pictures(const PredictionReport& report) {
  std::string s;
  std::size_t shown = 0, there = 0;
  for (const Prediction& p : report.predictions) {
    if (p.picture.bytes.empty()) continue;
    ++there;
    if (shown == kPictures) continue;
    ++shown;
    s += fmt::format("<figure><img alt=\"{0}\" src=\"{1}\"/><figcaption>{0}</figcaption></figure>\n",
                     html_escape(case_name(p)), png_data_uri(p.picture));
  }
  if (s.empty()) return {};
  const std::string more =
      there > shown ? fmt::format("<p class=\"muted\">The first {} of {}.</p>\n", shown, there) : "";
  return legend(report.class_names) + "<div class=\"thumbs\">" + s + "</div>\n" + more;
}

ReportTable amounts(const PredictionReport& report) {
  const bool volumes =
      std::any_of(report.predictions.begin(), report.predictions.end(), [](const Prediction& p) { return p.volume; });
  ReportTable t;
  t.header = {"Case"};
  for (std::size_t k = 1; k < report.class_names.size(); ++k)
    t.header.push_back(report.class_names[k] + (volumes ? ", ml" : ", pixels"));
  for (const Prediction& p : report.predictions) {
    std::vector<std::string> row{case_name(p)};
    for (const ClassAmount& a : p.amounts)
      row.push_back(p.volume ? fmt::format("{:.2f}", a.millilitres) : std::to_string(a.voxels));
    t.rows.push_back(std::move(row));
  }
  return t;
}

}  // namespace

std::string prediction_page(const PredictionReport& report) {
  HtmlPage page;
  page.title = "Prediction";
  page.subtitle = fmt::format("{} cases, {} failed", report.predictions.size(), report.failed.size());
  page.notes = {"Model: " + report.model, report.settings};
  for (const std::string& line : report.failed) page.warnings.push_back("Failed: " + line);
  for (const Prediction& p : report.predictions)
    for (const std::string& line : p.warnings) page.warnings.push_back(case_name(p) + ": " + line);
  page.body_html = html_section("Pictures", pictures(report)) + html_section("Amounts", plain_table(amounts(report)));
  return html_page(page);
}

}  // namespace gf
