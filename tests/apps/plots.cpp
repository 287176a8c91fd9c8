#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "apps/report/html_text.h"
#include "apps/report/svg_axes.h"
#include "apps/report/svg_plot.h"
#include "apps/report/svg_spread_chart.h"
#include "tests/apps/fixtures.h"

using namespace gf;

namespace {

std::vector<std::string> labels(const std::vector<Tick>& ticks) {
  std::vector<std::string> out;
  for (const Tick& t : ticks) out.push_back(t.label);
  return out;
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t i = text.find(part); i != text.npos; i = text.find(part, i + 1)) ++n;
  return n;
}

using Labels = std::vector<std::string>;

}  // namespace

TEST_CASE("ticks are round numbers inside the range") {
  CHECK(labels(linear_ticks(0, 1, 5)) == Labels{"0", "0.2", "0.4", "0.6", "0.8", "1"});
  CHECK(labels(linear_ticks(-0.3, 0.31, 5)) == Labels{"-0.3", "-0.2", "-0.1", "0", "0.1", "0.2", "0.3"});
  CHECK(labels(linear_ticks(0, 400, 6)) == Labels{"0", "50", "100", "150", "200", "250", "300", "350", "400"});
  CHECK(labels(linear_ticks(1e6, 5e6, 4)) == Labels{"1e6", "2e6", "3e6", "4e6", "5e6"});
  CHECK(labels(log_ticks(0.01, 2)) == Labels{"0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"});
  CHECK(labels(log_ticks(1e-6, 1)) == Labels{"1e-6", "1e-5", "1e-4", "0.001", "0.01", "0.1", "1"});
  CHECK(log_ticks(1e-30, 1).size() < 15);
  CHECK(labels(symlog_ticks(-0.3, 0.55, 0.1)) == Labels{"-0.2", "-0.1", "0", "0.1", "0.2", "0.5"});
  CHECK(labels(symlog_ticks(-0.3, 100, 0.01)) == Labels{"-0.1", "-0.01", "0", "0.01", "0.1", "1", "10", "100"});
  CHECK(labels(symlog_ticks(-5, -0.5, 0.1)) == Labels{"-5", "-2", "-1", "-0.5"});
  CHECK(symlog_ticks(-1e6, 1e6, 1e-6).size() < 15);
}

TEST_CASE("axes map values to pixels, upwards, also on a log scale") {
  Axes a{50, 10, 250, 110, 0, 10, 1, 100, Scale::log};
  CHECK(a.px(5) == doctest::Approx(150));
  CHECK(a.py(1) == doctest::Approx(110));
  CHECK(a.py(10) == doctest::Approx(60));
  CHECK(a.py(100) == doctest::Approx(10));
}

TEST_CASE(
    "a symlog axis: powers of ten take as much room below 0 as above, and 0 to the first as much as one of them") {
  Axes a{50, 10,  250, 110,           0,
         10, -10, 100, Scale::symlog, 0.1};  // seven stretches: 0.1 to 10 and 0.1 to 100, two linear
  const double each = 100.0 / 7;
  CHECK(a.py(-10) == doctest::Approx(110));
  CHECK(a.py(-1) == doctest::Approx(110 - each));
  CHECK(a.py(-0.1) == doctest::Approx(110 - 2 * each));
  CHECK(a.py(-0.05) == doctest::Approx(110 - 2.5 * each));
  CHECK(a.py(0) == doctest::Approx(110 - 3 * each));
  CHECK(a.py(0.1) == doctest::Approx(110 - 4 * each));
  CHECK(a.py(1) == doctest::Approx(110 - 5 * each));
  CHECK(a.py(100) == doctest::Approx(10));
}

TEST_CASE("a line plot is well-formed and draws every series") {
  LinePlot plot{.title = "a < b & \"c\"", .x_label = "step", .y_label = "loss", .series = {}};
  plot.series = {{.name = "ce <raw>", .x = {0, 1, 2}, .y = {3, 2, 1}},
                 {.name = "dice", .x = {0, 1, 2}, .y = {1, 1, 1}, .dashed = true}};
  const std::string svg = line_plot_svg(plot);
  CHECK(markup_fault(svg) == "");
  CHECK(contains(svg, "a &lt; b &amp; &quot;c&quot;"));
  CHECK(contains(svg, "ce &lt;raw&gt;"));
  CHECK(contains(svg, "var(--s0,"));
  CHECK(contains(svg, "var(--s1,"));
  CHECK(contains(svg, "stroke-dasharray"));
  CHECK(count(svg, "<circle") == 6);
  CHECK(contains(svg, "step"));
}

TEST_CASE("a line breaks at values that cannot be drawn") {
  LinePlot plot{.title = "",
                .x_label = "",
                .y_label = "",
                .series = {{.name = "s", .x = {0, 1, 2, 3, 4}, .y = {1, NAN, 2, 3, INFINITY}}}};
  const std::string linear = line_plot_svg(plot);
  CHECK(!contains(linear, "nan"));
  CHECK(!contains(linear, "inf"));
  CHECK(count(linear, "<circle") == 3);
  CHECK(contains(linear, "h0M"));  // the lonely first point is a dot, then a new line begins

  plot.series[0].y = {1, 0, -1, 100, 10};
  plot.y_scale = Scale::log;
  const std::string log = line_plot_svg(plot);
  CHECK(count(log, "<circle") == 3);
  CHECK(!contains(log, "nan"));
}

TEST_CASE("a symlog plot shows values below 0, keeps small curves apart and says where it is linear") {
  LinePlot plot{.title = "", .x_label = "", .y_label = "value", .series = {}, .y_scale = Scale::symlog};
  plot.series = {{.name = "ce", .x = {0, 1, 2}, .y = {2, 1, 0.5}},
                 {.name = "edge", .x = {0, 1, 2}, .y = {4e-4, 3e-4, 2e-4}},
                 {.name = "adv", .x = {0, 1, 2}, .y = {0.1, 1e-9, -0.1}}};
  const std::string svg = line_plot_svg(plot);
  CHECK(markup_fault(svg) == "");
  CHECK(count(svg, "<circle") == 9);
  CHECK(contains(svg, ">value, linear to ±1e-4</text>"));
  const auto height = [&](const std::string& title) {
    const std::size_t at = svg.rfind("cy=\"", svg.find("<title>" + title));
    return std::stod(svg.substr(at + 4));
  };
  CHECK(height("adv: 2") > height("adv: 1") + 50);
  CHECK(height("adv: 0") < height("edge: 0") - 30);
  CHECK(height("ce: 0") < height("adv: 0") - 15);
  const double zero = height("adv: 1");
  CHECK(height("adv: 2") - zero == doctest::Approx(zero - height("adv: 0")).epsilon(0.01));
  // One curve a million times smaller than the others is not what the axis is for.
  plot.series[1].y = {4e-12, 3e-12, 2e-12};
  CHECK(contains(line_plot_svg(plot), "±1e-6<"));
}

TEST_CASE("plots of nothing, of one value and of equal values are drawn") {
  for (const Scale scale : {Scale::linear, Scale::log, Scale::symlog}) {
    for (const std::vector<double>& y : std::vector<std::vector<double>>{{}, {NAN}, {0}, {5}, {5, 5}, {-5, -5}}) {
      LinePlot plot{
          .title = "t", .x_label = "x", .y_label = "y", .series = {{.name = "s", .x = {}, .y = y}}, .y_scale = scale};
      for (std::size_t i = 0; i < y.size(); ++i) plot.series[0].x.push_back(1);
      const std::string svg = line_plot_svg(plot);
      CHECK(markup_fault(svg) == "");
      CHECK(!contains(svg, "nan"));
      CHECK(!contains(svg, "inf"));
    }
  }
}

TEST_CASE("a long line is drawn by its extremes: small, and no spike is lost") {
  LinePlot plot{.title = "", .x_label = "", .y_label = "", .series = {{.name = "s"}}};
  for (int i = 0; i < 200000; ++i) {
    plot.series[0].x.push_back(i);
    plot.series[0].y.push_back(i == 123456 ? 50 : std::sin(i * 0.1));
  }
  const std::string svg = line_plot_svg(plot);
  CHECK(svg.size() < 60000);
  // The spike is the largest value: it alone reaches the top of the plot, all else stays in the lowest tenth.
  std::vector<double> heights;
  for (std::size_t at = svg.find('L'); at != std::string::npos; at = svg.find('L', at + 1)) {
    const std::size_t space = svg.find(' ', at);
    heights.push_back(std::atof(svg.c_str() + space));
  }
  std::sort(heights.begin(), heights.end());
  REQUIRE(heights.size() > 400);
  const double low = heights.back();
  CHECK(low - heights[0] > 180);
  CHECK(low - heights[1] < 15);
}

TEST_CASE("bars: one a class and series, heights in proportion, unknown values left out") {
  BarChart chart{.title = "Dice", .y_label = "Dice", .categories = {"a", "b & c", "d"}, .series = {}, .y_high = 1};
  chart.series = {{.name = "teacher", .values = {0.5, 1.0, 0.25}}, {.name = "student", .values = {0.5, NAN, 0.5}}};
  const std::string svg = bar_chart_svg(chart);
  CHECK(markup_fault(svg) == "");
  CHECK(count(svg, "<title>") == 5);
  CHECK(contains(svg, "<title>b &amp; c, teacher: 1</title>"));
  const auto height_of = [&](const std::string& title) {
    const std::size_t end = svg.find(title), at = svg.rfind("height=\"", end);
    return std::stod(svg.substr(at + 8));
  };
  CHECK(height_of("<title>a, teacher") == doctest::Approx(height_of("<title>b &amp; c, teacher") / 2).epsilon(0.01));
  CHECK(height_of("<title>d, teacher") == doctest::Approx(height_of("<title>b &amp; c, teacher") / 4).epsilon(0.01));

  CHECK(markup_fault(bar_chart_svg({})) == "");
}

TEST_CASE("a band lies around its line, breaks with it, and is inside the plot") {
  LinePlot plot{.title = "",
                .x_label = "",
                .y_label = "",
                .series = {{.name = "s", .x = {0, 1, 2, 3}, .y = {1, 2, NAN, 3}, .spread = {0.5, NAN, 0.5, 1}}}};
  const std::string svg = line_plot_svg(plot);
  CHECK(markup_fault(svg) == "");
  CHECK(!contains(svg, "nan"));
  CHECK(count(svg, "fill-opacity:.14") == 1);   // of the first two points
  CHECK(count(svg, "stroke-opacity:.3") == 1);  // of the last, a bar
  const std::string lonely = svg.substr(svg.rfind("<path d=\"M", svg.find("stroke-opacity:.3")) + 10);
  double x = 0, high = 0, low = 0;
  REQUIRE(std::sscanf(lonely.c_str(), "%lf %lfL%*f %lf", &x, &high, &low) == 3);
  CHECK(x == doctest::Approx(520 - 20));
  CHECK(high == doctest::Approx(42));  // 4, the top of the plot
  CHECK(low == doctest::Approx(272 - 230 * (2 - 0.5) / (4 - 0.5)).epsilon(0.001));
  plot.series[0].spread.clear();
  CHECK(!contains(line_plot_svg(plot), "opacity"));
}

TEST_CASE("a spread chart: mean, deviation and seeds in proportion, the unknown as a dash") {
  SpreadChart chart{.title = "Dice <all>", .x_label = "", .rows = {}, .reference = 0};
  chart.rows = {{"alone", {0.2, 0.4}, 0.3, 0.1, 1}, {"one & only", {0.8}, 0.8, NAN, 2}, {"failed", {}, NAN, NAN, 3}};
  const std::string svg = spread_chart_svg(chart);
  CHECK(markup_fault(svg) == "");
  CHECK(!contains(svg, "nan"));
  CHECK(contains(svg, "Dice &lt;all&gt;"));
  CHECK(contains(svg, "<title>alone: 0.3 ± 0.1</title>"));
  CHECK(contains(svg, "<title>one &amp; only: 0.8</title>"));
  CHECK(count(svg, "<circle") == 3 + 2);
  CHECK(contains(svg, ">–</text>"));
  const auto x_of = [&](const std::string& title) {
    const std::size_t at = svg.rfind("cx=\"", svg.find("<title>" + title));
    return std::stod(svg.substr(at + 4));
  };
  // 0.2, 0.3, 0.4, 0.8 at the same scale
  const double unit = (x_of("one &amp; only: 0.8<") - x_of("alone: 0.3 ")) / 5;
  CHECK(x_of("alone: 0.4<") - x_of("alone: 0.3 ") == doctest::Approx(unit).epsilon(0.01));
  CHECK(x_of("alone: 0.3 ") - x_of("alone: 0.2<") == doctest::Approx(unit).epsilon(0.01));
  CHECK(markup_fault(spread_chart_svg({})) == "");
}

TEST_CASE("a spread chart shows long names whole, in lines, and makes room for them") {
  const auto chart_of = [](const std::string& name) {
    SpreadChart chart{.title = "Dice", .x_label = "", .rows = {}};
    chart.rows = {{name, {}, 0.3, NAN, 0}, {"KD", {}, 0.4, NAN, 1}};
    return spread_chart_svg(chart, 430);
  };
  const auto height = [](const std::string& svg) {
    double h = 0;
    REQUIRE(std::sscanf(svg.c_str() + svg.find("viewBox"), "viewBox=\"0 0 430 %lf", &h) == 1);
    return h;
  };
  const std::string one = chart_of("Graph Flow, adversarial 0.01"),
                    two = chart_of("Mobile U-Net x0.25, 3000 steps alone"),
                    three = chart_of("Graph Flow + adversarial (distill.graph.edges=distance, distill.kd.weight=0.5)");
  CHECK(contains(one, ">Graph Flow, adversarial 0.01</text>"));
  CHECK(contains(two, ">Mobile U-Net x0.25, 3000 steps</text>"));
  CHECK(contains(two, ">alone</text>"));
  CHECK(contains(three, ">Graph Flow + adversarial</text>"));
  CHECK(contains(three, "0.5)</text>"));
  CHECK(height(two) > height(one));
  CHECK(height(three) > height(two));
  CHECK(markup_fault(three) == "");
  const auto baseline = [&](const std::string& text) {
    return std::stod(three.substr(three.rfind(" y=\"", three.find(text)) + 4));
  };
  CHECK(baseline(">KD</text>") > baseline("0.5)</text>") + 20);  // the next row begins below the last line
  SpreadChart fine{.title = "Accuracy", .x_label = "", .rows = {}};
  fine.rows = {{"Mobile U-Net x0.25, 3000 steps", {}, 0.983, NAN, 0}, {"KD", {}, 0.987, NAN, 1}};
  CHECK(contains(spread_chart_svg(fine, 520), ">0.985</text>"));  // every thousandth
  CHECK(!contains(spread_chart_svg(fine, 380), ">0.985</text>"));
  CHECK(contains(spread_chart_svg(fine, 380), ">0.984</text>"));
  // No line begins left of the picture.
  for (const std::string& svg : {one, two, three})
    for (std::size_t at = svg.find("\" text-anchor=\"end\">"); at != svg.npos;
         at = svg.find("\" text-anchor=\"end\">", at + 1)) {
      const std::size_t text = svg.find('>', at) + 1, x = svg.rfind("x=\"", at);
      CHECK(std::stod(svg.substr(x + 3)) >= text_width(svg.substr(text, svg.find('<', text) - text)));
    }
}

TEST_CASE("titles and names in legends that are wider than the plot go on in the next line") {
  const auto plot_of = [](const std::string& title, const std::string& name) {
    return line_plot_svg({.title = title, .x_label = "", .y_label = "", .series = {{.name = name, .x = {1}, .y = {1}}}},
                         200);
  };
  const auto top = [](const std::string& svg) {
    double y = 0;
    REQUIRE(std::sscanf(svg.c_str() + svg.find("<circle"), "<circle cx=\"%*f\" cy=\"%lf", &y) == 1);
    return y;
  };
  const std::string narrow = plot_of("Dice", "KD"), title = plot_of("Dice: nuclei, Mobile U-Net x0.25", "KD"),
                    name = plot_of("Dice", "Mobile U-Net x0.25, 3000 steps alone");
  CHECK(contains(narrow, ">Dice</text>"));
  CHECK(contains(title, ">Dice: nuclei, Mobile</text>"));
  CHECK(contains(title, ">U-Net x0.25</text>"));
  CHECK(contains(name, ">Mobile U-Net x0.25, 3000</text>"));
  CHECK(contains(name, ">steps alone</text>"));
  CHECK(top(title) > top(narrow));
  CHECK(top(name) > top(narrow));
}

TEST_CASE("texts are wrapped at blanks, and inside words that are longer than a line") {
  CHECK(wrapped("cerebellum", 20) == Labels{"cerebellum"});
  CHECK(wrapped("", 20) == Labels{""});
  CHECK(wrapped("left right", 5) == Labels{"left", "right"});
  CHECK(wrapped("left right", 9) == Labels{"left", "right"});
  CHECK(wrapped("left right", 10) == Labels{"left right"});
  CHECK(wrapped("a b c d", 3) == Labels{"a b", "c d"});
  CHECK(wrapped("abcde ", 5) == Labels{"abcde"});
  CHECK(wrapped("größe größe", 5) == Labels{"größe", "größe"});
  CHECK(wrapped("x cerebellum", 6) == Labels{"x", "cerebe", "llum"});
}

TEST_CASE("long class names are cut at whole characters") {
  CHECK(shortened("cerebellum", 20) == "cerebellum");
  CHECK(shortened("cerebellum", 4) == "cere.");
  CHECK(shortened("größe", 4) == "größ.");
  CHECK(shortened("größe", 5) == "größe");
}

TEST_CASE("numbers as people write them") {
  CHECK(score_text(0.8424) == "0.842");
  CHECK(score_text(NAN) == "–");
  CHECK(score_text(INFINITY, 2) == "∞");
  CHECK(count_text(38292162) == "38.29 M");
  CHECK(count_text(171.5e9) == "171.5 G");
  CHECK(count_text(912) == "912");
  CHECK(count_text(NAN) == "–");
  CHECK(html_escape("<a href=\"x\">'&'\x01") == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39; ");
}
