// What the report says of single cases and of their spread.
#include <cmath>

#include <fmt/format.h>

#include "apps/report/contours.h"
#include "apps/report/html_parts.h"
#include "apps/report/html_text.h"

namespace gf {
namespace {

std::string legend_entry(const std::array<std::uint8_t, 3>& color, const char* text) {
  return fmt::format("<span><i class=\"dot ring\" style=\"background:rgb({},{},{})\"></i>{}</span>", color[0], color[1],
                     color[2], text);
}

std::string shown_case(const GalleryCase& c) {
  const std::string name = c.place.empty() ? c.name : c.name + ", " + c.place;
  return fmt::format(
      "<figure><img src=\"{}\" alt=\"{}\"/><figcaption><strong>Dice {}</strong> · {}</figcaption></figure>\n",
      picture_source(c.image_uri), html_escape("contours of " + name), score_text(c.score), html_escape(name));
}

std::string group(const char* title, const std::vector<GalleryCase>& cases) {
  if (cases.empty()) return {};
  std::string figures;
  ReportTable without;
  without.header = {"Case", "Dice"};
  for (const GalleryCase& c : cases) {
    if (c.image_uri.empty())
      without.rows.push_back({c.name, score_text(c.score)});
    else
      figures += shown_case(c);
  }
  return fmt::format("<h3>{}</h3>\n", title) +
         (figures.empty() ? "" : "<div class=\"gallery\">" + figures + "</div>\n") +
         (without.rows.empty() ? "" : plain_table(without));
}

std::string interval_cell(const MeanInterval& m, int digits, int cases) {
  std::string below = std::isnan(m.low) ? "–" : score_text(m.low, digits) + " to " + score_text(m.high, digits);
  if (m.n != cases && m.n > 0) below += fmt::format(", n = {}", m.n);
  return "<td>" + score_text(m.mean, digits) + "<span class=\"gain muted\">" + below + "</span></td>";
}

}  // namespace

std::string case_gallery(const ReportData& data) {
  if (data.worst.empty() && data.best.empty()) return {};
  bool pictures = false, slices = false;
  for (const std::vector<GalleryCase>* cases : {&data.worst, &data.best})
    for (const GalleryCase& c : *cases) pictures |= !c.image_uri.empty(), slices |= !c.place.empty();
  std::string s = "<div class=\"card\">" + group("Worst", data.worst) +
                  group(data.worst.empty() ? "The only case" : "Best", data.best);
  if (pictures)
    s += "<div class=\"legend\">" + legend_entry(kReferenceColor, "reference") +
         legend_entry(kPredictionColor, "prediction") + legend_entry(kAgreedColor, "both") + "</div>\n";
  s += "<p class=\"small muted\">By the mean Dice of a case's classes.";
  if (slices) s += " Of a volume, the slice in which most pixels are foreground in the reference or the prediction.";
  return s + "</p>" +
         (data.gallery_note.empty() ? "" : "<p class=\"small muted\">" + html_escape(data.gallery_note) + "</p>") +
         "</div>\n";
}

std::string interval_table(const ReportData& data) {
  const IntervalTable& t = data.intervals;
  if (t.rows.empty()) return {};
  std::string s =
      "<div class=\"card\"><div class=\"scroll\"><table><thead><tr><th scope=\"col\">Mean over cases</th><th "
      "scope=\"col\">Cases</th>";
  for (const IntervalMeasure& m : t.measures) s += "<th scope=\"col\">" + html_escape(m.title) + "</th>";
  s += "</tr></thead><tbody>\n";
  for (const IntervalTable::Row& row : t.rows) {
    const int cases = row.values.empty() ? 0 : row.values[0].n;
    s += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td>", html_escape(row.name), cases);
    for (std::size_t i = 0; i < row.values.size(); ++i) s += interval_cell(row.values[i], t.measures[i].digits, cases);
    s += "</tr>\n";
  }
  return s +
         "</tbody></table></div>\n<p class=\"small muted\">Below each mean its 95 % confidence interval by Student's t "
         "over the cases, – where there are fewer than two. It speaks of other cases for this trained model, not of "
         "other seeds, and takes cases as independent: it is too narrow where several come from one "
         "patient.</p></div>\n";
}

}  // namespace gf
