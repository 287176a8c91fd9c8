#include "apps/experiment_row.h"

#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "apps/build_info.h"
#include "apps/config_settings.h"
#include "apps/evaluation.h"
#include "apps/experiment_stage.h"
#include "apps/interrupt.h"
#include "apps/json_file.h"
#include "apps/session.h"
#include "engine/io/atomic_file.h"
#include "engine/io/checkpoint.h"

namespace gf {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kFormat = "graphflow row 1";

ordered_json number(double v) { return std::isfinite(v) ? ordered_json(v) : ordered_json(nullptr); }

ordered_json means_of(const SegmentationScores& s) {
  ordered_json classes = ordered_json::array();
  for (int k = 1; k < s.pooled().classes(); ++k) {
    const ClassSummary c = s.summary(k);
    classes.push_back({{"class", s.class_names()[static_cast<std::size_t>(k)]},
                       {"dice", number(c.dice_mean)},
                       {"iou", number(c.iou_mean)},
                       {"hd95", number(c.hd95_mean)},
                       {"dice_pooled", number(c.dice_pooled)}});
  }
  return {{"dice", number(s.mean_dice())},
          {"iou", number(s.mean_iou())},
          {"accuracy", number(s.pooled().accuracy())},
          {"hd95", number(s.mean_hd95())},
          {"dice_pooled", number(s.pooled().foreground_dice())},
          {"iou_pooled", number(s.pooled().foreground_iou())},
          {"classes", classes}};
}

ordered_json cases_of(const SegmentationScores& s) {
  const auto mean = [](const CaseScore& c, double ClassScore::*value) {
    double sum = 0;
    int n = 0;
    for (std::size_t k = 1; k < c.classes.size(); ++k)
      if (!std::isnan(c.classes[k].*value)) {
        sum += c.classes[k].*value;
        ++n;
      }
    return n > 0 ? sum / n : std::nan("");
  };
  ordered_json list = ordered_json::array();
  for (const CaseScore& c : s.cases())
    list.push_back({{"case", c.id},
                    {"dice", number(mean(c, &ClassScore::dice))},
                    {"iou", number(mean(c, &ClassScore::iou))},
                    {"accuracy", number(c.confusion.accuracy())},
                    {"hd95", number(mean(c, &ClassScore::hd95))}});
  return list;
}

json row_made_with(const ExperimentPlan& plan, const RowPlan& row) {
  json j = made_with(plan, row.stage);
  j["evaluation"] = evaluation_json(plan.stages[row.stage].config);
  return j;
}

// What every row begins with.
ordered_json head(const ExperimentPlan& plan, const RowPlan& row, const Device& device, const char* status) {
  const StagePlan& stage = plan.stages[row.stage];
  const DataPlan& data = plan.data[stage.data];
  ordered_json j{{"format", kFormat}, {"experiment", plan.name}, {"row", row.id}, {"status", status}};
  j["role"] = row.role;
  j["dataset"] = row.dataset;
  if (!row.teacher.empty()) j["teacher"] = row.teacher;
  if (!row.student.empty()) j["student"] = row.student;
  if (!row.method.empty()) j["method"] = row.method;
  j["seed"] = row.seed;
  if (data.labelled_cases > 0) j["labelled"] = data.labelled_cases;
  j["train_cases"] = data.train_cases;
  j["made_with"] = row_made_with(plan, row);
  j["settings"] = j["made_with"]["settings"];
  j["run"] = stage.folder;
  j["device"] = describe_device(device);
  j["threads"] = threads();
  j["date"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  j["version"] = kVersion;
  return j;
}

}  // namespace

std::optional<ordered_json> evaluated_row(const ExperimentPlan& plan, const RowPlan& row, const Device& device) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  const StagePlan& stage = plan.stages[row.stage];
  const std::string best = best_or_final(stage.folder);
  const NetworkFile file = load_network(best, device);
  Config config = stage.config;
  Dataset dataset = open_configured_dataset(config, needs_of(*file.network));
  dataset.preprocessing = file.description.preprocessing;
  const Scoring scoring = configured_scoring(config.eval, dataset);

  ordered_json j = head(plan, row, device, "done");
  j["steps"] = read_checkpoint_state(stage.folder + "/checkpoints/final.gfm").step;
  j["best_step"] = read_checkpoint_state(best).step;
  ordered_json scores;
  for (const Split split : {Split::val, Split::test}) {
    const SplitCases cases(dataset, split);
    if (cases.empty()) continue;
    const SegmentationScores e = evaluate_network(*file.network, cases, dataset, scoring);
    if (stop_requested()) return {};
    const bool test = split == Split::test;
    scores[test ? "test" : "validation"] = means_of(e);
    scores[test ? "cases" : "val_cases"] = cases_of(e);
    if (j.contains("parameters")) continue;
    const Tensor picture = image_batch(*cases.at(0), 0, 1, dataset.preprocessing).to(device);
    const ModelResult r = model_result(row.id, ModelRole::student, *file.network, e, picture);
    j["parameters"] = static_cast<std::int64_t>(r.parameters);
    j["macs"] = static_cast<std::int64_t>(r.macs);
    j["macs_size"] = {picture.shape().h, picture.shape().w};
    j["latency_ms"] = number(r.latency_ms);
  }
  j["train_seconds"] = number(stage_status(plan, row.stage).seconds);
  j["evaluation_seconds"] = std::chrono::duration<double>(Clock::now() - start).count();
  j["protocol"] = scoring.protocol.name;
  j["distance_unit"] = scoring.protocol.unit();
  j.update(scores);
  return j;
}

ordered_json failed_row(const ExperimentPlan& plan, const RowPlan& row, const Device& device,
                        const std::string& error) {
  ordered_json j = head(plan, row, device, "failed");
  j["error"] = error;
  return j;
}

void write_row(const ExperimentPlan& plan, const RowPlan& row, const ordered_json& j) {
  std::filesystem::create_directories(plan.output + "/rows");
  // A file's name need not be UTF-8.
  write_file_atomically(plan.row_file(row), j.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

RowStatus row_status(const ExperimentPlan& plan, const RowPlan& row) {
  RowStatus s;
  const std::optional<json> j = read_json(plan.row_file(row), kFormat);
  if (!j) return s;
  s.state = j->value("status", "") == "done" ? RowState::done : RowState::failed;
  s.error = j->value("error", "");
  if (s.state == RowState::done) s.differences = made_with_diff(j->at("made_with"), row_made_with(plan, row));
  const auto dice = [&](const char* part) -> std::optional<double> {
    if (!j->contains(part) || !j->at(part).at("dice").is_number()) return {};
    return j->at(part).at("dice").get<double>();
  };
  s.validation_dice = dice("validation");
  s.test_dice = dice("test");
  s.evaluation_seconds = j->value("evaluation_seconds", 0.0);
  return s;
}

}  // namespace gf
