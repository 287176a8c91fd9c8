#include "apps/run_curves.h"

#include <algorithm>
#include <cmath>

#include "apps/metrics_log.h"

namespace gf {

// An adversarial term, and a loss with one, may be below 0, which a logarithmic axis would leave out.
static void show_negative(LinePlot& plot) {
  for (const PlotSeries& s : plot.series)
    if (std::ranges::any_of(s.y, [](double v) { return v < 0; })) plot.y_scale = Scale::symlog;
}

std::vector<LinePlot> training_curves(const std::vector<CurveSource>& sources) {
  LinePlot loss{.title = "Training loss", .x_label = "step", .y_label = "loss", .y_scale = Scale::log};
  LinePlot dice{.title = "Validation Dice", .x_label = "step", .y_label = "mean Dice", .y_low = 0, .y_high = 1};
  std::vector<LinePlot> plots;
  for (const CurveSource& e : sources) {
    const MetricsTable table = read_metrics(e.run_folder + "/metrics.csv");
    const auto series = [&](const std::string& column, const std::string& name) {
      PlotSeries s{.name = name, .color = static_cast<int>(e.role)};
      const auto at = std::find(table.columns.begin(), table.columns.end(), column);
      if (at == table.columns.end()) return s;
      const auto j = static_cast<std::size_t>(at - table.columns.begin());
      for (std::size_t i = 0; i < table.steps.size(); ++i)
        if (!std::isnan(table.values[i][j])) {
          s.x.push_back(static_cast<double>(table.steps[i]));
          s.y.push_back(table.values[i][j]);
        }
      return s;
    };
    loss.series.push_back(series("loss", e.name));
    dice.series.push_back(series("val_dice", e.name));
    if (e.role != ModelRole::distilled) continue;
    LinePlot terms{
        .title = e.name + ": loss terms", .x_label = "step", .y_label = "weighted value", .y_scale = Scale::log};
    LinePlot shares{
        .title = e.name + ": share of the gradient", .x_label = "step", .y_label = "share", .y_low = 0, .y_high = 1};
    LinePlot norms{.title = e.name + ": norm of each term's gradient",
                   .x_label = "step",
                   .y_label = "norm",
                   .y_scale = Scale::log};
    // The penalty is below 1 where scores are hundreds.
    LinePlot scores{.title = e.name + ": discriminator", .x_label = "step", .y_label = "mean score"};
    LinePlot penalty{
        .title = e.name + ": gradient penalty of the discriminator", .x_label = "step", .y_label = "penalty"};
    int color = 0;
    const auto add = [&](LinePlot& plot, const std::string& column, const std::string& name) {
      PlotSeries s = series(column, name);
      s.color = color;
      plot.series.push_back(std::move(s));
    };
    const std::string prefix = "share_";
    for (const std::string& column : table.columns) {
      if (!column.starts_with(prefix)) continue;
      const std::string term = column.substr(prefix.size());
      add(terms, term, term);
      add(shares, column, term);
      add(norms, "norm_" + term, term);
      ++color;
    }
    color = static_cast<int>(ModelRole::teacher);
    add(scores, "d_teacher", "of the teacher's logits");
    color = static_cast<int>(ModelRole::distilled);
    add(scores, "d_student", "of the student's logits");
    scores.series.back().dashed = true;  // the two lie close together
    add(penalty, "d_penalty", "before its weight");
    show_negative(terms);
    for (LinePlot* plot : {&terms, &shares, &norms, &scores, &penalty}) plots.push_back(std::move(*plot));
  }
  show_negative(loss);
  plots.insert(plots.begin(), {std::move(loss), std::move(dice)});
  for (LinePlot& plot : plots) std::erase_if(plot.series, [](const PlotSeries& s) { return s.x.empty(); });
  std::erase_if(plots, [](const LinePlot& plot) { return plot.series.empty(); });
  return plots;
}

}  // namespace gf
