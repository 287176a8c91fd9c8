#pragma once
// Scores of a trained network on a split, and what a report says of its size and speed.
#include <functional>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "apps/config.h"
#include "apps/report/report_data.h"
#include "apps/run_folder.h"
#include "apps/scoring.h"
#include "data/metrics/segmentation_metrics.h"
#include "data/postprocess.h"
#include "distill/inference.h"
#include "distill/model_file.h"

namespace gf {

// Names of segmentation_validation's values, for metrics.csv.
std::vector<std::string> segmentation_value_names(const Dataset& dataset);

// Called with each case as it is scored: its place in the list, and its class maps, one a slice at the file's size.
using CaseUse = std::function<void(std::size_t index, const PreparedCase& c, const std::vector<Mask>& prediction,
                                   const CaseScore& score)>;

// The configuration of a model's data: this file, or where it is "" the one in the checkpoint.
Config model_configuration(const NetworkFile& file, const std::string& model, const std::string& config,
                           const std::vector<std::string>& sets);
// Its data set, prepared as the model was trained to see it; refuses one of other classes.
Dataset model_dataset(const NetworkFile& file, const std::string& model, Config& config);

// Class maps are kept no longer than `use` sees them.
SegmentationScores evaluate_network(const Network& network, const SplitCases& cases, const Dataset& dataset,
                                    const Scoring& scoring, const Postprocessing& postprocessing = {},
                                    const CaseUse& use = {});

// What the truth itself would score after the way to the network's size and back: no network can be expected to do
// better. Of cases that are resized or shrunk.
SegmentationScores round_trip_scores(const SplitCases& cases, const Dataset& dataset, const Scoring& scoring);

// summary.json, per_case.csv, per_class.csv.
void write_scores(const std::string& folder, const SegmentationScores& scores);

// The two ways of `graphflow evaluate` end here: tables to the terminal, files where the flags ask for them. `subject`
// names what was scored.
void report_scores(const EvaluateFlags& flags, const SegmentationScores& scores, const std::string& subject);
void require_writable_scores(const EvaluateFlags& flags);  // before the work
// Usage error where --spacing was given and these distances are not in mm.
void require_spacing_used(const EvaluateFlags& flags, const Protocol& protocol);
int evaluate_folders(const EvaluateFlags& flags);

// The row of a report: scores pooled over the split, parameters, MACs and latency of one picture of this size.
ModelResult model_result(const std::string& name, ModelRole role, const Network& network,
                         const SegmentationScores& scores, const Tensor& one_picture);

// The file to use of a run: best.gfm, else final.gfm. Throws where the run has neither.
std::string best_or_final(const std::string& run_folder);
inline std::string best_or_final(const RunFolder& folder) { return best_or_final(folder.path()); }

}  // namespace gf
