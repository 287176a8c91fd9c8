#include "apps/compare/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "apps/compare/tables.h"

namespace gf {
namespace {

// Teacher and student alone keep their colours from plot to plot, methods by their place.
int color_of(const ComparedModel& m, int place_among_methods) {
  return m.role == ModelRole::teacher ? 0 : m.role == ModelRole::student ? 1 : 2 + place_among_methods;
}

std::optional<std::int64_t> labels_of(const ComparedGroup& g) {
  if (g.labelled) return g.labelled;
  for (const ComparedModel& m : g.models)
    for (const RunRow* r : m.rows)
      if (m.role != ModelRole::teacher && r->train_cases) return r->train_cases;
  return std::nullopt;
}

// `level`: the teacher was trained with all labels, and not for this number of them.
void add_point(LinePlot& plot, const ComparedModel& m, const Spread& score, double labels, bool level) {
  const std::string name = level ? m.name + " (teacher, all labels)" : model_title(m);
  auto at = std::find_if(plot.series.begin(), plot.series.end(), [&](const PlotSeries& s) { return s.name == name; });
  if (at == plot.series.end()) {
    const auto methods =
        std::count_if(plot.series.begin(), plot.series.end(), [](const PlotSeries& s) { return s.color > 1; });
    plot.series.push_back({.name = name, .color = color_of(m, static_cast<int>(methods)), .dashed = level});
    at = plot.series.end() - 1;
  }
  at->x.push_back(labels);
  at->y.push_back(score.mean);
  at->spread.push_back(score.deviation);
}

// So that no curve lies on the frame.
void give_room(LinePlot& plot) {
  double low = INFINITY, high = -INFINITY;
  for (const PlotSeries& s : plot.series)
    for (std::size_t i = 0; i < s.y.size(); ++i) {
      const double spread = std::isfinite(s.spread[i]) ? s.spread[i] : 0;
      low = std::min(low, s.y[i] - spread);
      high = std::max(high, s.y[i] + spread);
    }
  if (!(high > low)) return;
  plot.y_low = low - 0.05 * (high - low);
  plot.y_high = high + 0.05 * (high - low);
}

}  // namespace

SpreadChart score_chart(const Comparison& c, const ComparedGroup& group, const std::string& metric) {
  SpreadChart chart{.title = metric_title(c, metric), .x_label = "", .rows = {}, .reference = -1};
  int methods = 0;
  for (const ComparedModel& m : group.models) {
    const Spread& s = m.scores.at(metric);
    if (m.role == ModelRole::student) chart.reference = static_cast<int>(chart.rows.size());
    chart.rows.push_back({model_title(m), s.values, s.mean, s.deviation, color_of(m, methods)});
    methods += m.role == ModelRole::distilled;
  }
  return chart;
}

std::vector<LinePlot> labelled_curves(const Comparison& c, const std::string& metric) {
  using Key = std::tuple<std::string, std::string, std::string>;
  std::vector<std::pair<Key, std::vector<std::pair<std::int64_t, const ComparedGroup*>>>> families;
  for (const ComparedGroup& g : c.groups) {
    const std::optional<std::int64_t> labels = labels_of(g);
    if (!labels || g.student.empty()) continue;
    const Key key{g.dataset, g.student, g.teacher};
    auto at = std::find_if(families.begin(), families.end(), [&](const auto& f) { return f.first == key; });
    if (at == families.end()) at = families.insert(families.end(), {key, {}});
    at->second.emplace_back(*labels, &g);
  }
  std::vector<LinePlot> plots;
  for (auto& [key, groups] : families) {
    std::sort(groups.begin(), groups.end());
    if (groups.front().first == groups.back().first) continue;
    LinePlot plot{.title = fmt::format("{}: {}, {}", metric_title(c, metric), std::get<0>(key), std::get<1>(key)),
                  .x_label = "labelled cases",
                  .y_label = metric_title(c, metric)};
    const bool any_level =
        std::any_of(groups.begin(), groups.end(), [](const auto& g) { return g.second->teacher_has_all_labels; });
    for (const auto& [labels, g] : groups)
      for (const ComparedModel& m : g->models) {
        const bool level = any_level && m.role == ModelRole::teacher && (g->teacher_has_all_labels || !g->labelled);
        if (!m.scores.at(metric).values.empty())
          add_point(plot, m, m.scores.at(metric), static_cast<double>(labels), level);
      }
    give_room(plot);
    plots.push_back(std::move(plot));
  }
  return plots;
}

}  // namespace gf
