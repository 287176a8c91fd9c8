#include "apps/report/svg_spread_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/report/html_text.h"
#include "apps/report/svg_axes.h"
#include "apps/report/svg_plot.h"

namespace gf {
namespace {

constexpr double kRow = 28, kLine = 14, kRight = 18;
constexpr double kSeeds = 8;  // seeds lie that far below the mean, which would hide them
constexpr std::size_t kNameCharacters =
    30;  // in a line: names are wrapped, never cut, since they may differ at the end

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

bool crowded(const std::vector<Tick>& ticks, const Axes& axes) {
  constexpr double kGap = 8;
  for (std::size_t i = 1; i < ticks.size(); ++i) {
    const double labels = (text_width(ticks[i - 1].label) + text_width(ticks[i].label)) / 2;
    if (axes.px(ticks[i].value) - axes.px(ticks[i - 1].value) < labels + kGap) return true;
  }
  return false;
}

// As many as have room for their labels, but two at least.
std::vector<Tick> fitting_ticks(const Axes& axes) {
  std::vector<Tick> ticks;
  for (int wanted = 5; wanted >= 2; --wanted) {
    std::vector<Tick> fewer = linear_ticks(axes.x_low, axes.x_high, wanted);
    if (!ticks.empty() && fewer.size() < 2) break;
    ticks = std::move(fewer);
    if (!crowded(ticks, axes)) break;
  }
  return ticks;
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

// As high as its name has lines.
double height_of(const SpreadRow& row) {
  return kRow + kLine * static_cast<double>(wrapped(row.name, kNameCharacters).size() - 1);
}

// Around the height y.
std::string draw_name(const SpreadRow& row, double right, double y) {
  std::string s;
  const std::vector<std::string> lines = wrapped(row.name, kNameCharacters);
  double baseline = y + 4 - kLine * 0.5 * static_cast<double>(lines.size() - 1);
  for (const std::string& line : lines) {
    s += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", right, baseline,
                     html_escape(line));
    baseline += kLine;
  }
  return s;
}

std::string draw_row(const SpreadRow& row, const Axes& axes, double y, const std::string& color) {
  const std::string name = html_escape(row.name);
  std::string s = draw_name(row, axes.left - 10, y);
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
  double names = 40, rows = chart.rows.empty() ? kRow : 0;
  for (const SpreadRow& row : chart.rows) {
    rows += height_of(row);
    for (const std::string& line : wrapped(row.name, kNameCharacters)) names = std::max(names, text_width(line));
  }
  const double top = chart.title.empty() ? 10 : 34, bottom = top + rows + 6;
  const int height = static_cast<int>(bottom + (chart.x_label.empty() ? 28 : 46));
  const Range x = range_of(chart);
  const Axes axes{names + 16, top, width - kRight, bottom, x.low, x.high, 0, 1};
  const std::vector<Tick> ticks = fitting_ticks(axes);
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
  double y = top;
  for (std::size_t i = 0; i < chart.rows.size(); ++i) {
    out += draw_row(chart.rows[i], axes, y + height_of(chart.rows[i]) / 2, color(i));
    y += height_of(chart.rows[i]);
  }
  return out + "</svg>\n";
}

}  // namespace gf
