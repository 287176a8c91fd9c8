#include "apps/report/verify_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "apps/report/html_page.h"
#include "apps/report/html_parts.h"
#include "apps/report/html_text.h"
#include "apps/report/overlay.h"
#include "data/verify/thumbnail.h"

namespace gf {
namespace {

constexpr std::int64_t kSide = 160;                      // pixels of a thumbnail
constexpr std::size_t kWithFindings = 60, kOthers = 12;  // thumbnails at most

std::string card(const std::string& name, const std::string& value, const std::string& below, const char* kind = "") {
  return fmt::format(
      "<div class=\"card\"><div class=\"name\">{}</div><div class=\"value{}\">{}</div><div class=\"small muted\">{}"
      "</div></div>\n",
      html_escape(name), kind, value, html_escape(below));
}

std::string figures(const Verification& v) {
  const std::size_t errors = v.count(Severity::error), warnings = v.count(Severity::warning);
  const std::string parts = parts_text(v);
  const std::size_t colon = parts.find(": ");
  return "<div class=\"figures\">\n" +
         card("Cases", std::to_string(v.listing.dataset.cases.size()),
              colon == parts.npos ? "" : parts.substr(colon + 2)) +
         card("Errors", std::to_string(errors), errors == 0 ? "nothing stands in the way of training" : "to be mended",
              errors == 0 ? " up" : " down") +
         card("Warnings", std::to_string(warnings), warnings == 0 ? "" : "worth a look") + "</div>\n";
}

// Alike findings together: the check, and a line a case.
std::string findings_html(const Verification& v) {
  std::string s;
  for (std::size_t i = 0; i < v.findings.size();) {
    const Finding& first = v.findings[i];
    std::size_t end = i;
    std::string lines;
    for (;
         end < v.findings.size() && v.findings[end].check == first.check && v.findings[end].severity == first.severity;
         ++end) {
      const Finding& f = v.findings[end];
      lines += "<li>" + (f.case_id.empty() ? "" : "<strong>" + html_escape(f.case_id) + "</strong> ") +
               html_escape(f.message) + "</li>\n";
    }
    const bool error = first.severity == Severity::error;
    s += fmt::format(
        "<h3><span class=\"{}\">{}</span> {} <span class=\"muted\">{}</span></h3>\n<ul class=\"findings\">{}"
        "</ul>\n",
        error ? "down" : "muted", error ? "error" : "warning", name_of(first.check), end - i, lines);
    i = end;
  }
  return s.empty() ? "<p>Nothing was found.</p>\n" : "<div class=\"card\">" + s + "</div>\n";
}

std::string classes_html(const Verification& v) {
  const ReportTable table = class_table(v);
  if (table.rows.empty()) return {};
  std::string legend;
  for (const auto& [id, name] : class_names(v)) {
    const auto [r, g, b] = class_color(id);
    if (id > 0)
      legend += fmt::format("<span><i class=\"dot\" style=\"background:rgb({},{},{})\"></i>{}</span>", r, g, b,
                            html_escape(name));
  }
  return plain_table(table) + "<div class=\"legend\">" + legend + "</div>\n";
}

// Labels without a class in a colour of their own would need a legend; what is no class is left bare.
Mask as_classes(const Verification& v, const Mask& stored) {
  const LabelMap& map = v.listing.dataset.preprocessing.label_map;
  Mask out = stored;
  for (std::int32_t& value : out.values) {
    const auto to = map.entries.find(value);
    if (map.ignore_index == value)
      value = 0;
    else if (to != map.entries.end())
      value = to->second;
  }
  return out;
}

std::string thumbnail(const Verification& v, std::size_t i, const std::string& caption) {
  const Case& c = v.listing.dataset.cases[i];
  Picture picture;
  Mask mask;
  if (!thumbnail_of(v.listing, c, kSide, picture, mask)) return {};
  OverlayStyle style;
  style.scale = std::max(picture.h, picture.w) <= kSide / 2 ? 2 : 1;
  style.quarter_turns = v.listing.dataset.volumes && v.listing.dataset.preprocessing.slice_axis != 2 ? 1 : 0;
  return fmt::format(
      "<figure><img src=\"{}\" alt=\"{}\"/><figcaption><strong>{}</strong><br/>{}</figcaption></figure>\n",
      png_data_uri(draw_overlay(picture, as_classes(v, mask), style)), html_escape(c.id), html_escape(c.id),
      html_escape(caption));
}

std::string gallery(const Verification& v, bool with_findings, std::size_t most) {
  std::string s;
  std::size_t shown = 0, left_out = 0;
  for (std::size_t i = 0; i < v.facts.size(); ++i) {
    const Case& c = v.listing.dataset.cases[i];
    std::set<std::string> checks;
    for (const Finding& f : v.findings)
      if (f.case_id == c.id) checks.insert(name_of(f.check));
    if (checks.empty() == with_findings) continue;
    if (shown == most) {
      ++left_out;
      continue;
    }
    std::string caption = name_of(c.split);
    for (const std::string& check : checks) caption += ", " + check;
    const std::string figure = thumbnail(v, i, caption);
    shown += !figure.empty();
    s += figure;
  }
  if (s.empty()) return s;
  s = "<div class=\"card\"><div class=\"thumbs\">" + s + "</div>";
  if (left_out > 0) s += fmt::format("<p class=\"small muted\">{} more are not shown.</p>", left_out);
  return s + "</div>\n";
}

std::string intensities(const Verification& v) {
  const ReportTable table = intensity_table(v);
  if (table.rows.empty()) return {};
  return "<details><summary>" + fmt::format("{} images, as stored", table.rows.size()) + "</summary>" +
         plain_table(table) + "</details>\n";
}

}  // namespace

std::string verification_page(const Verification& v) {
  const std::string body = html_section("Findings", findings_html(v)) +
                           html_section("Cases with findings", gallery(v, true, kWithFindings)) +
                           html_section("Cases without findings", gallery(v, false, kOthers)) +
                           html_section("Classes", classes_html(v)) + html_section("Intensities", intensities(v));
  std::vector<std::string> warnings;
  if (v.interrupted) warnings.push_back("The check was stopped before the end: later cases have not been looked at.");
  return html_page(
      {"Data set check: " + totals_text(v), v.listing.dataset.root, v.listing.dataset.notes, warnings, figures(v), body,
       "<p>Of a volume the slice with most foreground is shown. Contours: the label, a colour a class.</p>\n"});
}

}  // namespace gf
