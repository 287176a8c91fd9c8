#include "apps/report/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/report/html_text.h"

namespace gf {
namespace {

constexpr double kMarkedPoints = 40;  // a line of no more points shows each of them
constexpr double kRight = 20;         // half of the last tick's label lies there

// Okabe and Ito's colours, told apart with every kind of colour vision, without their black and yellow.
constexpr const char* kColors[kSeriesColors] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                "#e69f00", "#56b4e9", "#882255", "#666666"};

int color_index(int wanted, std::size_t place) { return wanted >= 0 ? wanted : static_cast<int>(place); }

bool drawable(double v, Scale scale) { return std::isfinite(v) && (scale != Scale::log || v > 0); }

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
};

// A range with room to draw in, also for no value, one value, or values that are all the same.
Range usable(Range r, Scale scale) {
  if (r.low > r.high) return scale == Scale::log ? Range{1, 10} : Range{0, 1};
  if (r.high > r.low) return r;
  if (scale == Scale::log) return {r.low / 2, r.low * 2};
  const double room = r.low == 0 ? 1 : std::abs(r.low) * 0.1;
  return {r.low - room, r.low + room};
}

// Where a symlog axis begins to be logarithmic: the power of ten below the usual size of the smallest curve, so that
// all are told apart. A curve on its way through 0 decides nothing, nor does one a million times smaller than the
// largest.
double linear_stretch(const std::vector<PlotSeries>& series, double largest) {
  constexpr double kMostDecades = 6;
  double smallest = largest;
  for (const PlotSeries& s : series) {
    std::vector<double> sizes;
    for (const double v : s.y)
      if (std::isfinite(v) && v != 0) sizes.push_back(std::abs(v));
    if (sizes.empty()) continue;
    const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
    std::nth_element(sizes.begin(), middle, sizes.end());
    smallest = std::min(smallest, *middle);
  }
  if (!(largest > 0)) return 1;
  return std::pow(10, std::floor(std::max(std::log10(smallest), std::log10(largest) - kMostDecades) + 1e-9));
}

struct Point {
  double x, y;  // pixels
};

// The first, lowest, highest and last point of each pixel column: looks like the whole line, at a bounded size.
std::vector<Point> thinned(const std::vector<Point>& points, double columns) {
  if (static_cast<double>(points.size()) <= 4 * columns) return points;
  std::vector<Point> out;
  for (std::size_t i = 0; i < points.size();) {
    std::size_t end = i, low = i, high = i;
    while (end < points.size() && std::floor(points[end].x) == std::floor(points[i].x)) {
      if (points[end].y < points[low].y) low = end;
      if (points[end].y > points[high].y) high = end;
      ++end;
    }
    std::vector<std::size_t> kept = {i, low, high, end - 1};
    std::sort(kept.begin(), kept.end());
    kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
    for (const std::size_t k : kept) out.push_back(points[k]);
    i = end;
  }
  return out;
}

double spread_at(const PlotSeries& s, std::size_t i) {
  return i < s.spread.size() && std::isfinite(s.spread[i]) ? s.spread[i] : 0;
}

// The band, broken where the line breaks; of a lonely point a bar.
std::string draw_band(const PlotSeries& s, const Axes& axes, const std::string& color) {
  std::string out, upper, lower;
  std::size_t points = 0;
  const auto end_run = [&] {
    if (points > 1)
      out += fmt::format("<path d=\"M{}L{}Z\" style=\"fill:{};fill-opacity:.14\"/>\n", upper.substr(1), lower.substr(1),
                         color);
    else if (points == 1)
      out += fmt::format("<path d=\"M{}L{}\" style=\"stroke:{};stroke-width:6;stroke-opacity:.3\"/>\n", upper.substr(1),
                         lower.substr(1), color);
    upper = lower = "";
    points = 0;
  };
  for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
    const double high = s.y[i] + spread_at(s, i), low = s.y[i] - spread_at(s, i);
    if (!std::isfinite(s.x[i]) || !drawable(high, axes.y_scale) || !drawable(low, axes.y_scale)) {
      end_run();
      continue;
    }
    const auto y = [&](double v) { return axes.py(std::clamp(v, axes.y_low, axes.y_high)); };
    upper += fmt::format("L{:.1f} {:.1f}", axes.px(s.x[i]), y(high));
    lower = fmt::format("L{:.1f} {:.1f}", axes.px(s.x[i]), y(low)) + lower;
    ++points;
  }
  end_run();
  return out;
}

std::string draw_series(const PlotSeries& s, const Axes& axes, const std::string& color) {
  std::string path, marks;
  std::vector<Point> run;
  const std::size_t count = std::min(s.x.size(), s.y.size());
  const auto end_run = [&] {
    const std::vector<Point> points = thinned(run, axes.right - axes.left);
    for (std::size_t i = 0; i < points.size(); ++i) {
      path += fmt::format("{}{:.1f} {:.1f}", i ? "L" : "M", points[i].x, points[i].y);
    }
    if (points.size() == 1) path += "h0";  // with round caps a dot
    run.clear();
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::isfinite(s.x[i]) || !drawable(s.y[i], axes.y_scale)) {
      end_run();
      continue;
    }
    run.push_back({axes.px(s.x[i]), axes.py(std::clamp(s.y[i], axes.y_low, axes.y_high))});
    if (static_cast<double>(count) <= kMarkedPoints) {
      marks += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" style=\"fill:{}\"><title>{}: {:g}, {:.4g}</title></circle>",
          run.back().x, run.back().y, color, html_escape(s.name), s.x[i], s.y[i]);
    }
  }
  end_run();
  if (path.empty()) return {};
  return fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\" "
      "style=\"stroke:{};stroke-width:1.8{}\"/>{}\n",
      path, color, s.dashed ? ";stroke-dasharray:5 4" : "", marks);
}

}  // namespace

std::string series_color(int index) {
  const int i = index % kSeriesColors;
  return fmt::format("var(--s{},{})", i, kColors[i]);
}

std::string line_plot_svg(const LinePlot& plot, int width, int height) {
  Range x, y;
  std::vector<LegendEntry> legend;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const PlotSeries& s = plot.series[i];
    legend.push_back({s.name, series_color(color_index(s.color, i)), s.dashed, false});
    for (std::size_t j = 0; j < std::min(s.x.size(), s.y.size()); ++j) {
      if (!std::isfinite(s.x[j]) || !drawable(s.y[j], plot.y_scale)) continue;
      x.add(s.x[j]);
      for (const double v : {s.y[j] - spread_at(s, j), s.y[j] + spread_at(s, j)})
        if (drawable(v, plot.y_scale)) y.add(v);
    }
  }
  x = usable(x, Scale::linear);
  y = usable(y, plot.y_scale);
  if (!std::isnan(plot.y_low)) y.low = plot.y_low;
  if (!std::isnan(plot.y_high)) y.high = plot.y_high;

  auto [out, top] = open_svg(width, height, plot.title, legend);
  Axes axes{62,    top,    width - kRight, height - (plot.x_label.empty() ? 28.0 : 46.0), x.low, x.high,
            y.low, y.high, plot.y_scale};
  std::string y_label = plot.y_label;
  if (plot.y_scale == Scale::symlog) {
    axes.linear_within = linear_stretch(plot.series, std::max(-y.low, y.high));
    y_label += fmt::format(", linear to ±{}", number_label(axes.linear_within));
  }
  const std::vector<Tick> y_ticks = plot.y_scale == Scale::log      ? log_ticks(y.low, y.high)
                                    : plot.y_scale == Scale::symlog ? symlog_ticks(y.low, y.high, axes.linear_within)
                                                                    : linear_ticks(y.low, y.high, 5);
  out += draw_axes(axes, linear_ticks(x.low, x.high, 6), y_ticks, plot.x_label, y_label);
  if (plot.y_scale == Scale::symlog && y.low < 0 && y.high > 0)  // where values change their sign
    out += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" style=\"stroke:var(--axis,#9aa4b1)\"/>\n", axes.left,
                       axes.py(0), axes.right);
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    if (!plot.series[i].spread.empty())
      out += draw_band(plot.series[i], axes, series_color(color_index(plot.series[i].color, i)));
  }
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    out += draw_series(plot.series[i], axes, series_color(color_index(plot.series[i].color, i)));
  }
  return out + "</svg>\n";
}

std::string bar_chart_svg(const BarChart& chart, int width, int height) {
  Range y{0, 0};
  std::vector<LegendEntry> legend;
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    legend.push_back({chart.series[i].name, series_color(color_index(chart.series[i].color, i)), false, true});
    for (const double v : chart.series[i].values) {
      if (std::isfinite(v)) y.add(v);
    }
  }
  y = usable({0, std::isnan(chart.y_high) ? y.high * 1.05 : chart.y_high}, Scale::linear);
  y.low = 0;

  auto [out, top] = open_svg(width, height, chart.title, legend);
  const double slots = std::max<double>(1, static_cast<double>(chart.categories.size()));
  Axes axes{62, top, width - 14.0, height - 28.0, 0, slots, y.low, y.high};
  const double slot = (axes.right - axes.left) / slots;
  std::vector<Tick> labels;
  for (std::size_t i = 0; i < chart.categories.size(); ++i) {
    const auto fits = static_cast<std::size_t>(std::max(1.0, slot / text_width("x") - 1));
    labels.push_back({static_cast<double>(i) + 0.5, shortened(chart.categories[i], fits)});
  }
  out += draw_axes(axes, labels, linear_ticks(y.low, y.high, 5), "", chart.y_label);

  const double bar = slot * 0.8 / std::max<double>(1, static_cast<double>(chart.series.size()));
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const BarSeries& s = chart.series[i];
    const std::string color = series_color(color_index(s.color, i));
    for (std::size_t c = 0; c < std::min(s.values.size(), chart.categories.size()); ++c) {
      if (!std::isfinite(s.values[c])) continue;
      const double x = axes.px(static_cast<double>(c)) + slot * 0.1 + bar * static_cast<double>(i);
      const double at = axes.py(std::clamp(s.values[c], y.low, y.high));
      out += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"1.5\" style=\"fill:{}\">"
          "<title>{}, {}: {:.4g}</title></rect>\n",
          x, at, std::max(bar - 2, 1.0), axes.bottom - at, color, html_escape(chart.categories[c]), html_escape(s.name),
          s.values[c]);
    }
  }
  return out + "</svg>\n";
}

}  // namespace gf
