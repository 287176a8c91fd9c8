#include "apps/run_report.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include <fmt/format.h>

#include "apps/evaluation.h"
#include "apps/metrics_log.h"
#include "apps/report/comparison_table.h"
#include "apps/report/html_report.h"
#include "apps/report/overlay.h"
#include "data/layouts/brain.h"
#include "distill/model_file.h"
#include "engine/io/atomic_file.h"

namespace gf {
namespace {

// Loss and validation curves of every entry that has a run folder.
std::vector<LinePlot> curves(const std::vector<ReportEntry>& entries) {
  LinePlot loss{.title = "Training loss", .x_label = "step", .y_label = "loss", .log_y = true};
  LinePlot dice{.title = "Validation Dice", .x_label = "step", .y_label = "mean Dice", .y_low = 0, .y_high = 1};
  std::vector<LinePlot> plots;
  for (const ReportEntry& e : entries) {
    if (e.run_folder.empty()) continue;
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
    LinePlot terms{.title = e.name + ": loss terms", .x_label = "step", .y_label = "weighted value", .log_y = true};
    LinePlot shares{
        .title = e.name + ": share of the gradient", .x_label = "step", .y_label = "share", .y_low = 0, .y_high = 1};
    LinePlot norms{
        .title = e.name + ": norm of each term's gradient", .x_label = "step", .y_label = "norm", .log_y = true};
    int color = 0;
    const std::string prefix = "share_";
    for (const std::string& column : table.columns) {
      if (!column.starts_with(prefix)) continue;
      const std::string term = column.substr(prefix.size());
      const auto add = [&](LinePlot& plot, const std::string& name) {
        PlotSeries s = series(name, term);
        s.color = color;
        if (!s.x.empty()) plot.series.push_back(std::move(s));
      };
      add(terms, term);
      add(shares, column);
      add(norms, "norm_" + term);
      ++color;
    }
    for (LinePlot* plot : {&terms, &shares, &norms})
      if (!plot->series.empty()) plots.push_back(std::move(*plot));
  }
  if (!loss.series.empty()) plots.insert(plots.begin(), {std::move(loss), std::move(dice)});
  return plots;
}

// Up to four slices or pictures with the most foreground, spread over the split.
struct Chosen {
  std::size_t case_index, slice;
};
std::vector<Chosen> choose_pictures(const std::vector<PreparedCase>& cases) {
  std::vector<Chosen> all;
  for (std::size_t i = 0; i < cases.size(); ++i)
    for (std::size_t j = 0; j < cases[i].images.size(); ++j)
      if (std::any_of(cases[i].truth[j].values.begin(), cases[i].truth[j].values.end(),
                      [](std::int32_t v) { return v > 0; }))
        all.push_back({i, j});
  constexpr std::size_t kRows = 4;
  std::vector<Chosen> some;
  for (std::size_t r = 0; r < std::min(kRows, all.size()); ++r)
    some.push_back(all[(2 * r + 1) * all.size() / (2 * std::min(kRows, all.size()))]);
  return some;
}

double picture_dice(const Mask& truth, const Mask& prediction, const Dataset& dataset) {
  ConfusionMatrix m(dataset.classes());
  m.add(truth.values, prediction.values, dataset.preprocessing.label_map.ignore_index);
  return m.foreground_dice();
}

void add_overlays(ReportData& data, const std::vector<PreparedCase>& cases, const Dataset& dataset,
                  const std::vector<Evaluation>& evaluations) {
  OverlayStyle style;
  style.quarter_turns = dataset.volumes && dataset.preprocessing.slice_axis != 2 ? 1 : 0;
  if (!cases.empty() && cases[0].full.w > 300) style.scale = 1;
  data.overlay_columns = {"truth"};
  for (const ModelResult& m : data.models) data.overlay_columns.push_back(m.name);
  for (const Chosen& at : choose_pictures(cases)) {
    const PreparedCase& c = cases[at.case_index];
    const Picture picture = unfit(c.images[at.slice], c.full, dataset.preprocessing);  // as the network saw it
    const std::string slice =
        c.volume ? fmt::format(" slice {}", c.first_slice + static_cast<std::int64_t>(at.slice)) : "";
    OverlayRow row{c.id + slice, {{png_data_uri(draw_overlay(picture, c.truth[at.slice], style)), ""}}};
    for (const Evaluation& e : evaluations) {
      const Mask& mask = e.predictions[at.case_index][at.slice];
      row.cells.push_back({png_data_uri(draw_overlay(picture, mask, style)),
                           fmt::format("Dice {:.2f}", picture_dice(c.truth[at.slice], mask, dataset))});
    }
    data.overlays.push_back(std::move(row));
  }
}

void add_brain_reference(ReportData& data, const Dataset& dataset) {
  const ConfusionMatrix mirror = brain_mirror_reference(dataset);
  ReferenceRow row{"copying the mirrored label", {}, {mirror.foreground_dice(), mirror.foreground_iou(), kUnknown}};
  for (int k = 0; k < mirror.classes(); ++k) row.per_class.push_back({mirror.dice(k), mirror.iou(k), kUnknown});
  data.references.push_back(std::move(row));
  data.notes.push_back(
      "One person's head: sagittal slices of the left half train, the right half is tested, so train and test are "
      "not independent. Copying the label of the mirrored slice (181 - i) is the reference any network here must "
      "be held against; it is strong because both halves belong to the same person.");
}

// A network that takes one size of picture has its pictures padded to that, whatever the others' see.
Dataset seen_by(const Network& network, Dataset dataset) {
  const ImageSize only = network.image_size();
  if (only == ImageSize{}) return dataset;
  dataset.preprocessing.stride = static_cast<int>(network.stride());
  dataset.preprocessing.min_height = static_cast<int>(only.h);
  dataset.preprocessing.min_width = static_cast<int>(only.w);
  return dataset;
}

}  // namespace

ReportData report_run(const RunFolder& folder, const Dataset& dataset, const std::vector<ReportEntry>& entries,
                      const Config& config, const Device& device) {
  Split split = Split::test;
  if (samples_of(dataset, split).empty()) split = Split::val;
  const std::vector<PreparedCase> cases = load_cases(dataset, split);
  const Protocol protocol = configured_protocol(config.eval, dataset.volumes, dataset.classes());
  ReportData data;
  data.title = entries.size() > 1 ? "Graph Flow: teacher and student" : entries[0].name + " on " + dataset.layout;
  data.subtitle = fmt::format("data set {}, {} split, {} pictures", dataset.layout, name_of(split),
                              samples_of(dataset, split).size());
  data.class_names = dataset.class_names;
  data.distance_unit = protocol.unit();
  data.score_notes = protocol_notes(protocol, dataset.class_names);
  if (split == Split::val)
    data.warnings.push_back(
        "The data set has no test split: these are validation scores, and the checkpoint was chosen on them.");
  std::vector<Evaluation> evaluations;
  for (const ReportEntry& e : entries) {
    const NetworkFile file = load_network(e.checkpoint, device);
    const Dataset seen = seen_by(*file.network, dataset);
    evaluations.push_back(evaluate_network(*file.network, cases, seen, protocol));
    const Tensor one = cases.empty() ? Tensor() : image_batch(cases[0], 0, 1, seen.preprocessing).to(device);
    data.models.push_back(model_result(e.name, e.role, *file.network, evaluations.back(), one));
    const auto it = file.entries.find("config");
    if (it != file.entries.end()) data.configs.emplace_back(e.name, it->second);
  }
  write_scores(split == Split::test ? folder.test() : folder.validation(), evaluations.back().scores);
  if (split == Split::test && !samples_of(dataset, Split::val).empty()) {
    const NetworkFile last = load_network(entries.back().checkpoint, device);
    const Evaluation validation = evaluate_network(*last.network, load_cases(dataset, Split::val), dataset, protocol);
    write_scores(folder.validation(), validation.scores);
  }
  data.notes.push_back(
      "Dice and IoU are pooled over all pixels of the split, at the file's resolution; means are over the classes but "
      "background. Checkpoints were chosen on the validation split.");
  if (dataset.layout == "brain") add_brain_reference(data, dataset);
  data.curves = curves(entries);
  add_overlays(data, cases, dataset, evaluations);
  data.environment = read_environment();
  write_html_report(folder.report_file(), data);
  write_file_atomically(folder.path() + "/comparison.md", comparison_markdown(data));
  write_file_atomically(folder.path() + "/comparison.csv", comparison_csv(data));
  fmt::print("{}\nreport: {}\n", comparison_markdown(data), folder.report_file());
  return data;
}

}  // namespace gf
