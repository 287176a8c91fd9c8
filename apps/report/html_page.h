#pragma once
// The frame of every page that graphflow writes: one self-contained HTML file, no script, no font or picture from
// elsewhere, readable on a phone, in light and dark, and when printed. Well-formed as XML, so that it can be checked
// and processed.
#include <string>
#include <vector>

#include "apps/report/svg_plot.h"

namespace gf {

// Text is escaped by the functions; html must be already.
struct HtmlPage {
  std::string title, subtitle;
  std::vector<std::string> notes;     // below the title
  std::vector<std::string> warnings;  // what a reader must not overlook
  std::string head_html;              // the end of the header
  std::string body_html;              // sections
  std::string footer_html;            // paragraphs; "For research only" is added
};
std::string html_page(const HtmlPage& page);

const char* html_style();

std::string html_section(const std::string& title, const std::string& html);  // "" for no html
std::string html_warnings(const std::vector<std::string>& lines);             // a box; "" for no lines
std::string html_plots(const std::vector<std::string>& svgs);                 // side by side where there is room

}  // namespace gf
