#include "apps/evaluation.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "apps/model_check.h"
#include "apps/session.h"
#include "engine/autograd.h"
#include "engine/ops/mac_counter.h"
#include "kernels/error.h"

namespace gf {

std::vector<std::string> segmentation_value_names(const Dataset& dataset) {
  std::vector<std::string> names{"val_dice", "val_iou", "val_accuracy", "val_dice_grid"};
  for (std::size_t i = 1; i < dataset.class_names.size(); ++i)
    names.push_back(validation_dice_name(dataset.class_names[i]));
  return names;
}

static ScoreOptions score_options(const PreparedCase& c, const Dataset& dataset, const Scoring& scoring) {
  ScoreOptions options;
  options.protocol = scoring.protocol;
  if (scoring.protocol.millimetres) options.spacing = scoring.spacing.value_or(c.spacing_mm);
  options.volume = c.volume;
  options.ignore = dataset.preprocessing.label_map.ignore_index;
  return options;
}

Config model_configuration(const NetworkFile& file, const std::string& model, const std::string& config,
                           const std::vector<std::string>& sets) {
  if (!config.empty()) return load_config(config, sets);
  const auto it = file.entries.find("config");
  if (it == file.entries.end())
    throw Error(ErrorKind::usage,
                {"which data?", model, "a configuration inside the checkpoint", "none", "give --config FILE"});
  return parse_config(it->second, model, sets);
}

Dataset model_dataset(const NetworkFile& file, const std::string& model, Config& config) {
  Dataset dataset = open_configured_dataset(config, needs_of(*file.network));
  // What the model was trained to see decides, not what the configuration says now.
  dataset.preprocessing = file.description.preprocessing;
  require_fit(file, dataset, model);
  return dataset;
}

// A protocol that takes the tiles' middles counts the cores, every place of the picture once; the others score the
// picture put together, at its own size.
static CaseScore score_tiles(const PreparedCase& c, int classes, const std::vector<Mask>& prediction,
                             ScoreOptions options) {
  const Crop crop = options.protocol.crop;
  if (crop == Crop::none)
    return score_case(c.id, classes, {c.whole_truth}, {merge_tiles(prediction, *c.tiles)}, options);
  options.protocol.crop = Crop::none;
  const std::int64_t offset = crop == Crop::centre_authors && c.tiles->offset > 0 ? -1 : 0;
  return score_case(c.id, classes, {tile_cores(c.truth, *c.tiles, offset)}, {tile_cores(prediction, *c.tiles, offset)},
                    options);
}

SegmentationScores evaluate_network(const Network& network, const SplitCases& cases, const Dataset& dataset,
                                    const Scoring& scoring, const Postprocessing& postprocessing, const CaseUse& use) {
  SegmentationScores scores(dataset.class_names, scoring.protocol);
  scores.set_postprocessing(describe(postprocessing, dataset.class_names));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::shared_ptr<const PreparedCase> held = cases.at(i);
    const PreparedCase& c = *held;
    std::vector<Mask> prediction = predict_case(network, c, dataset.preprocessing);
    clean(prediction, postprocessing, voxel_mm3(c));
    const ScoreOptions options = score_options(c, dataset, scoring);
    CaseScore score = c.tiles ? score_tiles(c, dataset.classes(), prediction, options)
                              : score_case(c.id, dataset.classes(), c.truth, prediction, options);
    score.reference_file = cases.listed(i).label;
    score.more_reference_files = cases.listed(i).more_labels;
    if (use) use(i, c, prediction, score);
    scores.add(std::move(score));
  }
  return scores;
}

SegmentationScores round_trip_scores(const SplitCases& cases, const Dataset& dataset, const Scoring& scoring) {
  SegmentationScores scores(dataset.class_names, scoring.protocol);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::shared_ptr<const PreparedCase> held = cases.at(i);
    const PreparedCase& c = *held;
    std::vector<Mask> back;
    for (const Mask& m : c.labels)
      back.push_back(
          restore(pad(m, padded_extent({m.h, m.w}, dataset.preprocessing), 0), c.full, dataset.preprocessing));
    scores.add(score_case(c.id, dataset.classes(), c.truth, back, score_options(c, dataset, scoring)));
  }
  return scores;
}

void write_scores(const std::string& folder, const SegmentationScores& scores) {
  scores.write_summary_json(folder + "/summary.json");
  scores.write_per_case_csv(folder + "/per_case.csv");
  scores.write_per_class_csv(folder + "/per_class.csv");
}

namespace {

struct Latency {
  double median_ms, p95_ms;
};

Latency measure_latency(const Network& network, const Tensor& picture) {
  using Clock = std::chrono::steady_clock;
  constexpr int kWarmUp = 3, kRuns = 20;
  const NoGrad off;
  Random unused;
  std::vector<double> ms;
  for (int i = 0; i < kWarmUp + kRuns; ++i) {
    const auto start = Clock::now();
    network.forward(picture, unused);
    if (i >= kWarmUp) ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::sort(ms.begin(), ms.end());
  return {ms[ms.size() / 2], ms[ms.size() * 95 / 100]};
}

std::int64_t count_macs(const Network& network, const Tensor& picture) {
  const NoGrad off;
  Random unused;
  const MacCounter counter;
  network.forward(picture, unused);
  return counter.count();
}

}  // namespace

ModelResult model_result(const std::string& name, ModelRole role, const Network& network, const SegmentationScores& s,
                         const Tensor& one_picture) {
  ModelResult r;
  r.name = name;
  r.role = role;
  r.parameters = static_cast<double>(network.parameter_count());
  r.macs = static_cast<double>(count_macs(network, one_picture));
  const Latency latency = measure_latency(network, one_picture);
  r.latency_ms = latency.median_ms;
  r.latency_p95_ms = latency.p95_ms;
  const ConfusionMatrix& pooled = s.pooled();
  r.accuracy = pooled.accuracy();
  for (int k = 0; k < pooled.classes(); ++k)
    r.per_class.push_back({pooled.dice(k), pooled.iou(k), s.summary(k).hd95_mean});
  r.mean = {pooled.foreground_dice(), pooled.foreground_iou(), s.mean_hd95()};
  if (s.protocol().averaging == Averaging::pooled) r.mean.iou = s.mean_iou();  // the background is one of its classes
  return r;
}

std::string best_or_final(const std::string& run_folder) {
  for (const char* name : {"best.gfm", "final.gfm"}) {
    const std::string file = run_folder + "/checkpoints/" + name;
    if (std::filesystem::exists(file)) return file;
  }
  throw Error(ErrorKind::usage, {"no trained model in the run folder", run_folder, "checkpoints/best.gfm or final.gfm",
                                 "neither", "finish the run first: graphflow train --resume -o " + run_folder});
}

}  // namespace gf
