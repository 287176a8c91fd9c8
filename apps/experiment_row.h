#pragma once
// OUTPUT/rows/ROW.json: what one trained network of an experiment scored, or why it could not be trained. The format is
// "graphflow row 1": README.md, Experiments, lists the keys; `graphflow compare` reads them.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "apps/experiment_plan.h"
#include "engine/device.h"

namespace gf {

// Scores checkpoints/best.gfm of the row's stage on the validation and the test part. Nothing where a stop was asked
// for meanwhile.
std::optional<nlohmann::ordered_json> evaluated_row(const ExperimentPlan& plan, const RowPlan& row,
                                                    const Device& device);
nlohmann::ordered_json failed_row(const ExperimentPlan& plan, const RowPlan& row, const Device& device,
                                  const std::string& error);
void write_row(const ExperimentPlan& plan, const RowPlan& row, const nlohmann::ordered_json& json);

enum class RowState { missing, failed, done };
struct RowStatus {
  RowState state = RowState::missing;
  std::vector<std::string> differences;  // from the settings it was made with
  std::string error;                     // of a failed one
  std::optional<double> validation_dice, test_dice;
  double evaluation_seconds = 0;
};
RowStatus row_status(const ExperimentPlan& plan, const RowPlan& row);

}  // namespace gf
