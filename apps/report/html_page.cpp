#include "apps/report/html_page.h"

#include <fmt/format.h>

#include "apps/report/html_text.h"

namespace gf {
namespace {

std::string list(const char* kind, const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  std::string s = fmt::format("<ul{}>", kind);
  for (const std::string& line : lines) s += "<li>" + html_escape(line) + "</li>";
  return s + "</ul>\n";
}

}  // namespace

std::string html_page(const HtmlPage& page) {
  std::string s =
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
      html_escape(page.title) + "</title>\n<style>" + html_style() +
      "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>" + html_escape(page.title) + "</h1>\n";
  if (!page.subtitle.empty()) s += "<p class=\"lead\">" + html_escape(page.subtitle) + "</p>\n";
  s += list(" class=\"notes\"", page.notes) + html_warnings(page.warnings) + page.head_html + "</header>\n";
  return s + page.body_html + "<footer>\n" + page.footer_html +
         "<p>For research only, not for diagnosis. Written by graphflow.</p>\n</footer>\n</main>\n</body>\n</html>\n";
}

std::string html_section(const std::string& title, const std::string& html) {
  return html.empty() ? "" : "<section><h2>" + html_escape(title) + "</h2>\n" + html + "</section>\n";
}

std::string html_warnings(const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  return "<div class=\"warnings\"><strong>Please note</strong>" + list("", lines) + "</div>\n";
}

std::string html_plots(const std::vector<std::string>& svgs) {
  if (svgs.empty()) return {};
  std::string s = "<div class=\"plots\">\n";
  for (const std::string& svg : svgs) s += "<div class=\"card scroll\">" + svg + "</div>\n";
  return s + "</div>\n";
}

}  // namespace gf
