#pragma once
// Line plots and grouped bar charts as SVG text, for reports that work without scripts.
//
// Colours are CSS variables with fallbacks (--s0 ... --s7 for series, --ink, --grid), so a page gives them a light and
// a dark set, and the SVG alone still looks right on white. Values that are NaN are left out: a line breaks there.
#include <limits>
#include <string>
#include <vector>

#include "apps/report/svg_axes.h"

namespace gf {

constexpr int kSeriesColors = 8;
// "var(--s2,#009e73)"; beyond kSeriesColors they repeat.
std::string series_color(int index);

struct PlotSeries {
  std::string name;
  std::vector<double> x = {}, y = {};
  std::vector<double> spread = {};  // a band of y - spread to y + spread; NaN, or none at all: no band there
  int color = -1;                   // of series_color; -1: its place in the plot
  bool dashed = false;
};

struct LinePlot {
  std::string title, x_label, y_label;
  std::vector<PlotSeries> series = {};
  // log: values <= 0 are left out. symlog: linear up to about where the smallest of the curves lies, which the axis
  // says.
  Scale y_scale = Scale::linear;
  double y_low = std::numeric_limits<double>::quiet_NaN();  // NaN: from the data
  double y_high = std::numeric_limits<double>::quiet_NaN();
};

struct BarSeries {
  std::string name;
  std::vector<double> values = {};  // one a category
  int color = -1;
};

struct BarChart {
  std::string title, y_label;
  std::vector<std::string> categories;
  std::vector<BarSeries> series = {};
  double y_high = std::numeric_limits<double>::quiet_NaN();  // bars start at 0
};

// An <svg> element. A line of more points than the plot has pixels is drawn by its extremes in each pixel column.
std::string line_plot_svg(const LinePlot& plot, int width = 520, int height = 300);
std::string bar_chart_svg(const BarChart& chart, int width = 1040, int height = 330);

}  // namespace gf
