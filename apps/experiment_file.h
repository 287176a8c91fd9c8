#pragma once
// The file of `graphflow experiment`: what is compared with what.
//
//   name = "kd_comparison"
//   output = "runs/kd_comparison"   the default: runs/NAME
//   runs = "runs/shared"            folder of the runs themselves (default OUTPUT/runs): experiments that share it
//                                   train what they have in common once
//   include = "setup.toml"          another such file, relative to this one; it comes first, and may include, too
//   seeds = [1, 2, 3]
//   labelled = [20, 60, 0]          or ["20%", 0]; of the train part's cases; 0: all, the default
//   teacher_labels = "all"          teachers and paraphrasers see all labels, students their share (default "labelled")
//   alone = true                    the students without a teacher, too
//   [data] [train] [optim] ...       configuration keys of all runs
//   [[dataset]] [[teacher]] [[student]] [[method]]   `name` and configuration keys: model.arch = "enet"
//
// A run's configuration is the common part, then its data set's entry, its teacher's or its student's, its method's,
// and --set last. A list of entries replaces the included file's. Wrong keys are refused with file and line
// (ErrorKind::usage).
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "apps/config.h"

namespace gf {

struct ConfigLayer;  // a TOML table with the file it came from

// How many cases of the train part keep their labels.
struct LabelledShare {
  std::int64_t number = 0;  // 0: all
  bool percent = false;

  bool all() const { return number == 0; }
  std::string text() const { return std::to_string(number) + (percent ? "%" : ""); }
  std::string slug() const { return std::to_string(number) + (percent ? "pc" : ""); }
  bool operator==(const LabelledShare&) const = default;
};

struct ExperimentEntry {
  std::string name;  // in tables
  std::string slug;  // in row ids and folder names: letters, digits, . _ - +
  std::shared_ptr<const ConfigLayer> layer;
};

struct ExperimentFile {
  std::string path, name, output, runs;
  std::vector<std::int64_t> seeds;
  std::vector<LabelledShare> labelled;
  bool alone = true;
  bool teacher_sees_all = false;  // teacher_labels = "all"
  std::vector<ExperimentEntry> datasets, teachers, students, methods;
  std::vector<std::shared_ptr<const ConfigLayer>> common;
};

ExperimentFile load_experiment(const std::string& path);

// Also refuses keys that the experiment itself decides: seed, folders, checkpoints of teacher and paraphrasers.
Config layered_config(const ExperimentFile& file, std::initializer_list<const ExperimentEntry*> entries,
                      const std::vector<std::string>& overrides);

}  // namespace gf
