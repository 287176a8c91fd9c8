#pragma once
// What every plot shares: the frame, the ticks, the legend.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gf {

// symlog: logarithmic, the negative side too, with a linear stretch from -within to within around 0, which is as long
// as one power of ten.
enum class Scale { linear, log, symlog };

struct Tick {
  double value;
  std::string label;
};

// Round numbers (1, 2 or 5 times a power of ten) from low to high, about `wanted` of them.
std::vector<Tick> linear_ticks(double low, double high, int wanted);
// Powers of ten; with 2 and 5 between them where there are fewer than three.
std::vector<Tick> log_ticks(double low, double high);
// 0 and powers of ten from `within`, itself one, on both sides; with 2 and 5 between them where there is room.
std::vector<Tick> symlog_ticks(double low, double high, double within);

// The plot's area inside an svg of width x height, and the mapping of values to its pixels.
struct Axes {
  double left, top, right, bottom;  // pixels
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;
  Scale y_scale = Scale::linear;
  double linear_within = 1;  // of symlog

  double px(double x) const;
  double py(double y) const;
};

struct LegendEntry {
  std::string name, color;
  bool dashed = false, block = false;  // a block for bars, else a line
};

// Opens <svg>, writes the title and the legend below it, both in as many lines as they need; returns the text and the y
// at which the plot may begin.
std::pair<std::string, double> open_svg(int width, int height, const std::string& title,
                                        const std::vector<LegendEntry>& legend);
// Horizontal grid lines, tick labels of both axes, axis titles.
std::string draw_axes(const Axes& axes, const std::vector<Tick>& x_ticks, const std::vector<Tick>& y_ticks,
                      const std::string& x_label, const std::string& y_label);

// Pixels a text of this length takes at the plots' font size, roughly.
double text_width(std::string_view text);
// In lines of at most this many characters, broken at blanks and, where a word is longer, inside it.
std::vector<std::string> wrapped(std::string_view text, std::size_t characters);
// "0.001", "2e-5".
std::string number_label(double v);
// Cut to at most this many characters, with a point where something is missing.
std::string shortened(std::string_view text, std::size_t characters);

}  // namespace gf
