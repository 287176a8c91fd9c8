#pragma once
// Models by one score, one a row under its whole name: the mean a large dot with a line of one standard deviation to
// both sides, below it a small dot a seed. Not bars: those would have to begin at 0, where scores a few hundredths
// apart look the same. A shaded column shows one row's mean and deviation all the way down, so that the others can be
// held against it.
#include <limits>
#include <string>
#include <vector>

namespace gf {

struct SpreadRow {
  std::string name;
  std::vector<double> values = {};  // one a seed
  double mean = std::numeric_limits<double>::quiet_NaN();
  double deviation = std::numeric_limits<double>::quiet_NaN();  // NaN: no line
  int color = -1;                                               // of series_color; -1: its place in the chart
};

struct SpreadChart {
  std::string title, x_label;
  std::vector<SpreadRow> rows = {};
  int reference = -1;  // the row whose column is shaded; -1: none
};

// An <svg> element, as high as it has rows. Rows without a finite value keep their place, with a dash.
std::string spread_chart_svg(const SpreadChart& chart, int width = 520);

}  // namespace gf
