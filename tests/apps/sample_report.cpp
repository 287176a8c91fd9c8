#include "tests/apps/sample_report.h"

#include <cmath>

#include "apps/report/overlay.h"

namespace gf {
namespace {

struct Place {
  double radius, turns;  // 1 on the ellipse; 0..1 around it
};

Place place_of(std::int64_t h, std::int64_t w, std::int64_t y, std::int64_t x) {
  const double dy = (static_cast<double>(y) + 0.5) / static_cast<double>(h) * 2 - 1;
  const double dx = (static_cast<double>(x) + 0.5) / static_cast<double>(w) * 2 - 1;
  return {std::hypot(dy, dx) / 0.85, std::atan2(dy, dx) / (2 * 3.14159265358979) + 0.5};
}

Scores scores(double dice) { return {dice, dice / (2 - dice), 1 + 12 * (1 - dice)}; }

ModelResult model(std::string name, ModelRole role, double parameters, double macs, double ms,
                  std::vector<double> dice) {
  ModelResult m{.name = std::move(name), .role = role, .parameters = parameters, .macs = macs};
  m.latency_ms = ms;
  m.latency_p95_ms = ms * 1.08;
  m.per_class.push_back(scores(0.99));
  double sum = 0;
  for (const double d : dice) {
    m.per_class.push_back(scores(d));
    sum += d;
  }
  m.mean = scores(sum / static_cast<double>(dice.size()));
  m.accuracy = 0.9 + 0.1 * m.mean.dice;
  return m;
}

PlotSeries curve(const std::string& name, double start, double end, double noise, bool dashed) {
  PlotSeries s{.name = name, .dashed = dashed};
  for (int i = 0; i <= 400; i += 4) {
    s.x.push_back(i);
    s.y.push_back((end + (start - end) * std::exp(-i / 90.0)) * (1 + noise * std::sin(i * 12.9898)));
  }
  return s;
}

}  // namespace

Picture sample_picture(std::int64_t h, std::int64_t w) {
  Picture p(h, w, 1);
  for (std::int64_t y = 0; y < h; ++y) {
    for (std::int64_t x = 0; x < w; ++x) {
      const Place at = place_of(h, w, y, x);
      const double texture = 0.12 * std::sin(static_cast<double>(x) * 0.9) * std::cos(static_cast<double>(y) * 0.7);
      p.at(y, x) = static_cast<float>(at.radius < 1     ? 120 * (1 - 0.4 * at.radius + texture)
                                      : at.radius < 1.1 ? 150
                                                        : 5);
    }
  }
  return p;
}

Mask sample_mask(std::int64_t h, std::int64_t w, int classes, double error) {
  Mask m(h, w);
  for (std::int64_t y = 0; y < h; ++y) {
    for (std::int64_t x = 0; x < w; ++x) {
      const Place at = place_of(h, w, y, x);
      const double bend = error * std::sin(9 * at.radius + 20 * at.turns);
      if (at.radius * (1 + bend) > 0.95) continue;
      const int sector = static_cast<int>(std::floor((at.turns + 0.3 * bend) * (classes - 1)));
      m.at(y, x) = 1 + (sector % (classes - 1) + classes - 1) % (classes - 1);
    }
  }
  return m;
}

ReportData sample_report() {
  ReportData r;
  r.title = "Graph Flow on one brain";
  r.subtitle = "FANet at a quarter of its width teaches Mobile U-Net: 400 steps each, 2 CPU cores, seed 1";
  r.notes = {
      "Data set: T1 head ch2 (1 mm) with the AAL atlas, Debian package mricron-data; nine classes.",
      "One person: the left half trains (sagittal slices 17-85), the right half is tested (95-162). Scores say how "
      "well the networks learn, not how they would do on other people.",
      "Nothing was tuned or selected on the test half."};
  r.warnings = {
      "The reference \"mirrored label\" copies the label of the same person's other half: a strong rival that no "
      "real case has."};
  r.class_names = {"background", "frontal",   "insula",   "limbic",    "occipital",
                   "parietal",   "deep gray", "temporal", "cerebellum"};
  r.models = {model("FANet ×0.25", ModelRole::teacher, 2.4e6, 3.9e9, 41.2, {.88, .73, .73, .85, .85, .80, .88, .92}),
              model("Mobile U-Net", ModelRole::student, 4682351, 2.26e8, 9.8, {.80, .58, .62, .76, .75, .66, .80, .87}),
              model("Mobile U-Net + Graph Flow", ModelRole::distilled, 4682351, 2.26e8, 9.9,
                    {.83, .63, .65, .78, .78, .65, .83, .88})};
  r.models[2].per_class[6].hd95 = kUnknown;
  ReferenceRow mirrored{"mirrored label", {scores(.99)}, {.842, .73, kUnknown}};
  for (const double d : {.876, .750, .778, .827, .847, .892, .856, .913})
    mirrored.per_class.push_back({d, d / (2 - d), kUnknown});
  r.references = {mirrored};

  LinePlot loss{
      "Loss terms, Mobile U-Net + Graph Flow", "step", "weighted value, log", {}, Scale::log, kUnknown, kUnknown};
  loss.series = {curve("cross entropy", 2.1, 0.32, 0.12, false), curve("Dice loss", 0.85, 0.3, 0.05, false),
                 curve("vertices", 0.11, 0.05, 0.2, false), curve("edges", 0.03, 0.01, 0.3, false),
                 curve("logits", 0.2, 0.02, 0.1, true)};
  LinePlot dice{"Validation Dice", "step", "mean Dice", {}, Scale::linear, 0, 1};
  for (std::size_t i = 0; i < r.models.size(); ++i) {
    PlotSeries s{.name = r.models[i].name};
    for (int step = 100; step <= 400; step += 100) {
      s.x.push_back(step);
      s.y.push_back(r.models[i].mean.dice * (1 - 0.5 * std::exp(-step / 120.0)));
    }
    dice.series.push_back(s);
  }
  r.curves = {dice, loss};

  r.overlay_columns = {"truth", "FANet ×0.25", "Mobile U-Net", "+ Graph Flow"};
  for (const int i : {110, 126, 142}) {
    OverlayRow row{"x = " + std::to_string(i), {}};
    for (const double error : {0.0, 0.04, 0.12, 0.08}) {
      const Mask mask = sample_mask(109, 91, 9, error * i / 126);
      OverlayStyle style;
      style.quarter_turns = 1;
      row.cells.push_back({png_data_uri(draw_overlay(sample_picture(109, 91), mask, style)),
                           error == 0 ? "" : "Dice 0." + std::to_string(90 - static_cast<int>(error * 200))});
    }
    r.overlays.push_back(row);
  }
  r.intervals.measures = {{"Dice", 3}, {"HD95, mm", 2}};
  r.intervals.rows = {{"frontal", {{0.7, 0.612, 0.788, 5}, {3.5, 1.25, 5.75, 5}}},
                      {"insula", {{0.6, 0.512, 0.688, 5}, {4.25, kUnknown, kUnknown, 1}}}};
  const std::string picture =
      png_data_uri(draw_overlay(sample_picture(60, 60), sample_mask(60, 60, 3, 0.1), OverlayStyle()));
  r.worst = {{6, "case 7", 0.412, "slice 31", picture}};
  r.best = {{2, "case 3", 0.913, "slice 40", picture}};
  r.tables = {{"Loss terms",
               "Value and share of the gradient (norm of one term's gradient over the sum of all norms), first batch "
               "of the last epoch.",
               {"term", "weight", "value", "share"},
               {{"cross entropy", "0.5", "0.161", "44 %"},
                {"Dice", "0.5", "0.152", "31 %"},
                {"vertices", "1e-05", "0.052", "14 %"},
                {"edges", "1e-09", "0.011", "6 %"},
                {"logits", "1", "0.020", "5 %"}}}};
  r.configs = {{"teacher", "[model]\narch = \"fanet\"\nwidth = 0.25\n"},
               {"student + Graph Flow", "[distill.graph]\nk = 3  # <odd>\n"}};
  r.environment = {
      {"graphflow", "0.1.0"}, {"processor", "a processor with 2 cores & AVX2"}, {"oneDNN", "2.6.3"}, {"threads", "2"}};
  return r;
}

}  // namespace gf
