#include "apps/report/svg_spread_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/report/html_text.h"
#include "apps/report/svg_axes.h"
#include "apps/report/svg_plot.h"

namespace gf {
namespace {

constexpr double kRow = 28, kRight = 18;
constexpr double kSeeds = 8;  // seeds lie that far below the mean, which would hide them
constexpr std::size_t kNameCharacters = 26;

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
};

// With room at both ends, so that no dot lies on the frame.
Range range_of(const SpreadChart& chart) {
  Range r;
  for (const SpreadRow& row : chart.rows) {
    for (const double v : row.values) r.add(v);
    r.add(row.mean);
    r.add(row.mean - row.deviation);
    r.add(row.mean + row.deviation);
  }
  if (r.low > r.high) return {0, 1};
  const double room = r.high > r.low ? (r.high - r.low) * 0.06 : std::max(std::abs(r.low) * 0.1, 1e-3);
  return {r.low - room, r.high + room};
}

std::string vertical(const Axes& axes, double x, const char* style) {
  return fmt::format("<path d=\"M{:.1f} {:.1f}V{:.1f}\" style=\"{}\"/>\n", axes.px(x), axes.top, axes.bottom, style);
}

std::string draw_reference(const SpreadRow& row, const Axes& axes, const std::string& color) {
  std::string s;
  if (!std::isfinite(row.mean)) return s;
  if (std::isfinite(row.deviation))
    s += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" style=\"fill:{};fill-opacity:.12\"/>\n",
        axes.px(row.mean - row.deviation), axes.top,
        std::max(axes.px(row.mean + row.deviation) - axes.px(row.mean - row.deviation), 0.5), axes.bottom - axes.top,
        color);
  return s + vertical(axes, row.mean, fmt::format("stroke:{};stroke-dasharray:4 4;stroke-opacity:.7", color).c_str());
}

std::string draw_row(const SpreadRow& row, const Axes& axes, double y, const std::string& color) {
  const std::string name = html_escape(row.name);
  std::string s = fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", axes.left - 10, y + 4,
                              html_escape(shortened(row.name, kNameCharacters)));
  if (!std::isfinite(row.mean))
    return s + fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" style=\"fill:var(--muted,#5b6675)\">–</text>\n",
                           axes.left + 8, y + 4);
  if (std::isfinite(row.deviation))
    s += fmt::format(
        "<path d=\"M{0:.1f} {2:.1f}H{1:.1f}m0 -4v8M{0:.1f} {3:.1f}v8\" fill=\"none\" "
        "style=\"stroke:{4};stroke-width:1.8\"/>\n",
        axes.px(row.mean - row.deviation), axes.px(row.mean + row.deviation), y, y - 4, color);
  for (const double v : row.values) {
    if (!std::isfinite(v)) continue;
    s += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" style=\"fill:{};fill-opacity:.6\"><title>{}: "
        "{:.4g}</title></circle>",
        axes.px(v), y + kSeeds, color, name, v);
  }
  const std::string spread = std::isfinite(row.deviation) ? fmt::format(" ± {:.2g}", row.deviation) : "";
  return s + fmt::format(
                 "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" "
                 "style=\"fill:{};stroke:var(--card,#fff);stroke-width:1.2\"><title>{}: {:.4g}{}</title></circle>\n",
                 axes.px(row.mean), y, color, name, row.mean, spread);
}

}  // namespace

std::string spread_chart_svg(const SpreadChart& chart, int width) {
  double names = 40;
  for (const SpreadRow& row : chart.rows) names = std::max(names, text_width(shortened(row.name, kNameCharacters)));
  const auto rows = static_cast<double>(std::max<std::size_t>(chart.rows.size(), 1));
  const double top = chart.title.empty() ? 10 : 34, bottom = top + rows * kRow + 6;
  const int height = static_cast<int>(bottom + (chart.x_label.empty() ? 28 : 46));
  const Range x = range_of(chart);
  const Axes axes{names + 16, top, width - kRight, bottom, x.low, x.high, 0, 1, false};
  const std::vector<Tick> ticks = linear_ticks(x.low, x.high, 5);
  const auto color = [&](std::size_t i) {
    return series_color(chart.rows[i].color >= 0 ? chart.rows[i].color : static_cast<int>(i));
  };
  std::string out = open_svg(width, height, chart.title, {}).first;
  for (const Tick& t : ticks) out += vertical(axes, t.value, "stroke:var(--grid,#e3e7ec)");
  if (chart.reference >= 0 && chart.reference < static_cast<int>(chart.rows.size())) {
    const auto i = static_cast<std::size_t>(chart.reference);
    out += draw_reference(chart.rows[i], axes, color(i));
  }
  out += draw_axes(axes, ticks, {}, chart.x_label, "");
  for (std::size_t i = 0; i < chart.rows.size(); ++i)
    out += draw_row(chart.rows[i], axes, top + (static_cast<double>(i) + 0.5) * kRow, color(i));
  return out + "</svg>\n";
}

}  // namespace gf
