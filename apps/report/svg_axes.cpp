#include "apps/report/svg_axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/report/html_text.h"

namespace gf {
namespace {

constexpr double kCharWidth = 6.6, kTitleCharWidth = 8, kLegendRow = 20, kLine = 15;

std::size_t fitting(double room, double char_width) {
  return static_cast<std::size_t>(std::max(room / char_width, 1.0));
}

// In UTF-8 the other bytes of a character are 10xxxxxx.
bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

// In powers of ten, the first from 0 to `within`.
double symlog(double y, double within) {
  const double size = std::abs(y) / within;
  return std::copysign(size > 1 ? 1 + std::log10(size) : size, y);
}

}  // namespace

std::string number_label(double v) {
  const double size = std::abs(v);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) {
    // "1e-5" rather than "1e-05"
    const int exponent = static_cast<int>(std::floor(std::log10(size) + 1e-9));
    return fmt::format("{:g}e{}", std::round(v / std::pow(10, exponent) * 1e6) / 1e6, exponent);
  }
  return fmt::format("{:g}", v);
}

double text_width(std::string_view text) {
  return kCharWidth * static_cast<double>(std::count_if(text.begin(), text.end(), starts_character));
}

std::vector<std::string> wrapped(std::string_view text, std::size_t characters) {
  std::vector<std::string> lines{""};
  std::size_t taken = 0, blank = std::string::npos;  // of the last line: characters, and where its last blank lies
  for (const char c : text) {
    if (starts_character(c) && taken == characters) {
      std::string& full = lines.back();
      const bool at_blank = c != ' ' && blank != std::string::npos;
      std::string rest = at_blank ? full.substr(blank + 1) : "";
      if (at_blank) full.resize(blank);
      taken = static_cast<std::size_t>(std::count_if(rest.begin(), rest.end(), starts_character));
      lines.push_back(std::move(rest));
      blank = std::string::npos;
      if (c == ' ') continue;
    }
    if (c == ' ') blank = lines.back().size();
    lines.back() += c;
    taken += starts_character(c);
  }
  if (lines.back().empty() && lines.size() > 1) lines.pop_back();  // the text ended with a blank
  return lines;
}

std::string shortened(std::string_view text, std::size_t characters) {
  std::size_t seen = 0, bytes = 0;
  for (; bytes < text.size(); ++bytes) {
    if (starts_character(text[bytes]) && seen++ == characters) return std::string(text.substr(0, bytes)) + ".";
  }
  return std::string(text);
}

std::vector<Tick> linear_ticks(double low, double high, int wanted) {
  const double rough = (high - low) / std::max(wanted, 1);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  std::vector<Tick> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + step * 1e-9; ++k) {
    const double v = k == 0 ? 0 : k * step;
    ticks.push_back({v, number_label(std::round(v / step * 1e6) / 1e6 * step)});
  }
  return ticks;
}

std::vector<Tick> log_ticks(double low, double high) {
  std::vector<Tick> ticks;
  const int first = static_cast<int>(std::floor(std::log10(low))), last = static_cast<int>(std::ceil(std::log10(high)));
  const bool few = std::log10(high / low) < 3;
  const int stride = std::max(1, (last - first) / 8);
  for (int e = first; e <= last; e += stride) {
    for (const int m : {1, 2, 5}) {
      const double v = m * std::pow(10, e);
      if ((m == 1 || few) && v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9)) ticks.push_back({v, number_label(v)});
    }
  }
  return ticks;
}

std::vector<Tick> symlog_ticks(double low, double high, double within) {
  const double powers = symlog(high, within) - symlog(low, within);
  const bool few = powers < 4;
  const int stride = std::max(1, static_cast<int>(powers / 8));
  std::vector<double> values{0};
  for (int e = static_cast<int>(std::lround(std::log10(within))); std::pow(10, e) <= std::max(-low, high) * (1 + 1e-9);
       e += stride)
    for (const int m : {1, 2, 5})
      if (m == 1 || few) values.insert(values.end(), {-m * std::pow(10, e), m * std::pow(10, e)});
  std::sort(values.begin(), values.end());
  std::vector<Tick> ticks;
  for (const double v : values)
    if (v >= low - std::abs(v) * 1e-9 && v <= high + std::abs(v) * 1e-9) ticks.push_back({v, number_label(v)});
  return ticks;
}

double Axes::px(double x) const { return left + (x - x_low) / (x_high - x_low) * (right - left); }

double Axes::py(double y) const {
  const auto place = [&](double v) {
    return y_scale == Scale::log ? std::log10(v) : y_scale == Scale::symlog ? symlog(v, linear_within) : v;
  };
  return bottom - (place(y) - place(y_low)) / (place(y_high) - place(y_low)) * (bottom - top);
}

std::pair<std::string, double> open_svg(int width, int height, const std::string& title,
                                        const std::vector<LegendEntry>& legend) {
  std::string s = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\" "
      "font-family=\"system-ui, sans-serif\" font-size=\"12\" style=\"fill:var(--ink,#1c2430)\">\n",
      width, height, html_escape(title));
  double y = 8;
  if (!title.empty()) {
    y += 22 - kLine;
    for (const std::string& line : wrapped(title, fitting(width - 8, kTitleCharWidth))) {
      y += kLine;
      s += fmt::format("<text x=\"4\" y=\"{}\" font-size=\"14\" font-weight=\"600\">{}</text>\n", y - 12,
                       html_escape(line));
    }
  }
  double x = 4;
  if (!legend.empty()) y += kLegendRow;
  for (const LegendEntry& entry : legend) {
    const std::vector<std::string> lines = wrapped(entry.name, fitting(width - 30, kCharWidth));
    double w = 0;
    for (const std::string& line : lines) w = std::max(w, 30 + text_width(line) + 14);
    if (x > 4 && x + w > width) {
      x = 4;
      y += kLegendRow;
    }
    if (entry.block) {
      s += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"12\" rx=\"2\" style=\"fill:{}\"/>", x,
                       y - 12, entry.color);
    } else {
      s += fmt::format("<path d=\"M{:.1f} {:.1f}h20\" style=\"stroke:{};stroke-width:2.5{}\"/>", x, y - 6, entry.color,
                       entry.dashed ? ";stroke-dasharray:5 4" : "");
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i > 0) y += kLine;
      s += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + (entry.block ? 18 : 26), y - 2,
                       html_escape(lines[i]));
    }
    x += entry.block ? w - 8 : w;
  }
  return {s, y + 14};
}

std::string draw_axes(const Axes& axes, const std::vector<Tick>& x_ticks, const std::vector<Tick>& y_ticks,
                      const std::string& x_label, const std::string& y_label) {
  constexpr const char* muted = "style=\"fill:var(--muted,#5b6675)\"";
  constexpr const char* grid = "style=\"stroke:var(--grid,#e3e7ec)\"";
  std::string s;
  for (const Tick& t : y_ticks) {
    const double y = axes.py(t.value);
    s += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" {}/>", axes.left, y, axes.right, grid);
    s += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\" {}>{}</text>\n", axes.left - 8, y + 4, muted,
                     t.label);
  }
  for (const Tick& t : x_ticks) {
    const double x = axes.px(t.value);
    s += fmt::format("<path d=\"M{:.1f} {:.1f}v5\" style=\"stroke:var(--axis,#9aa4b1)\"/>", x, axes.bottom);
    s += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" {}>{}</text>\n", x, axes.bottom + 19,
                     muted, html_escape(t.label));
  }
  s += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" style=\"stroke:var(--axis,#9aa4b1)\"/>\n", axes.left, axes.bottom,
                   axes.right);
  if (!x_label.empty()) {
    s += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" {}>{}</text>\n",
                     (axes.left + axes.right) / 2, axes.bottom + 38, muted, html_escape(x_label));
  }
  if (!y_label.empty()) {
    const double y = (axes.top + axes.bottom) / 2;
    s += fmt::format(
        "<text x=\"14\" y=\"{:.1f}\" text-anchor=\"middle\" transform=\"rotate(-90 14 {:.1f})\" {}>{}</text>\n", y, y,
        muted, html_escape(y_label));
  }
  return s;
}

}  // namespace gf
