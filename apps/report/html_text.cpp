#include "apps/report/html_text.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/io/utf8.h"

namespace gf {

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : to_valid_utf8(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
    }
  }
  return out;
}

std::string picture_source(std::string_view uri) {
  return uri.starts_with("data:image/") ? html_escape(uri) : "data:,";
}

std::string score_text(double v, int digits) {
  if (std::isnan(v)) return "–";
  return std::isinf(v) ? (v > 0 ? "∞" : "−∞") : fmt::format("{:.{}f}", v, digits);
}

std::string count_text(double v) {
  if (!std::isfinite(v)) return "–";
  for (const auto& [unit, name] : {std::pair{1e9, "G"}, {1e6, "M"}, {1e3, "k"}}) {
    if (v >= unit) return fmt::format("{:.{}f} {}", v / unit, v >= 100 * unit ? 1 : 2, name);
  }
  return fmt::format("{:.0f}", v);
}

}  // namespace gf
