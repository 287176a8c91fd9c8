#pragma once
// What an experiment file comes to: the stages to train, each once, and the rows they give.
//
//   RUNS/DATASET[/labelledN]/teachers/TEACHER/seedS                      a teacher
//   RUNS/DATASET[/labelledN]/teachers/TEACHER/seedS-factorsC-HASH/...    paraphrasers of its features, C channels
//   RUNS/DATASET[/labelledN]/students/STUDENT/alone/seedS
//   RUNS/DATASET[/labelledN]/students/STUDENT[/TEACHER]/METHOD/seedS     no TEACHER: a method that needs none
//   OUTPUT/rows/ROW.json     OUTPUT/splits/DATASET.labelledN.seedS.csv
#include <optional>
#include <string>
#include <vector>

#include "apps/config.h"
#include "apps/experiment_file.h"

namespace gf {

// One way to divide one data set.
struct DataPlan {
  std::string dataset;  // the entry's name
  Config config;        // its [data]; split_file as the user gave it
  LabelledShare labelled;
  std::uint64_t seed = 1;
  std::string split_file;  // that is written for `labelled`; empty: the data set's own parts
  // Filled by open_data().
  std::string fingerprint;
  std::int64_t train_cases = 0, labelled_cases = 0;  // labelled_cases: 0 for all; where patients have several cases,
                                                     // the last one's may be a few more
};

enum class StageKind { train, paraphrase, distill };
const char* name_of(StageKind kind);

struct StagePlan {
  StageKind kind = StageKind::train;
  std::string title;   // "teacher FANet x0.5, nuclei, seed 1"
  std::string bar;     // "FANet x0.5 seed 1", for the progress bar
  std::string folder;  // its run folder
  std::string group;   // stages that take about the same time
  Config config;
  std::size_t data = 0;                                        // in ExperimentPlan::data
  std::optional<std::size_t> teacher = {}, paraphrasers = {};  // stages that come first
};

struct RowPlan {
  std::string id;
  std::string role;  // teacher, student (alone), method
  std::string dataset, teacher = {}, student = {}, method = {};
  std::int64_t seed = 1;
  std::size_t stage = 0;
};

struct ExperimentPlan {
  std::string name, output;
  std::vector<DataPlan> data;
  std::vector<StagePlan> stages;
  std::vector<RowPlan> rows;       // seed by seed, so that a run cut short can be compared
  std::vector<std::string> notes;  // what was left out, for people

  std::string row_file(const RowPlan& row) const { return output + "/rows/" + row.id + ".json"; }
};

// `roots`: NAME=FOLDER or, where there is one data set, FOLDER: its data.root. A data set without a root is left out.
ExperimentPlan plan_experiment(const ExperimentFile& file, const std::vector<std::string>& overrides,
                               const std::vector<std::string>& roots);

// Opens every data set, writes the tables of labelled cases and fills in what is known then. Nothing is decoded.
void open_data(ExperimentPlan& plan);

}  // namespace gf
