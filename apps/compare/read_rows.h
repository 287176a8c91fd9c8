#pragma once
// What `graphflow compare` can read. A RUN is
//
//   a folder of `graphflow experiment`   its rows/*.json
//   one of these JSON files              format "graphflow row 1"
//   a run folder of train or distill     config.toml, test/ and validation/ (summary.json, per_case.csv),
//   comparison.csv a folder of such run folders         each of them that was evaluated
//
// Errors are of kind bad_data and name the file: missing, broken JSON, another format, a key that is missing or has
// another type, two rows of one experiment with the same id.
#include <string>
#include <vector>

#include "apps/compare/run_row.h"

namespace gf {

// In the order given, files of a folder by name. A file reached twice counts once.
std::vector<RunRow> read_runs(const std::vector<std::string>& runs);

// The pieces of it.
RunRow read_row_file(const std::string& path);
bool is_run_folder(const std::string& path);  // of train or distill; a paraphraser's is none
// Of all run folders together, because only together they tell who was whose teacher: distilled are the runs of
// `graphflow distill`; teacher, the run whose checkpoint one of them names; the others are students alone. Where
// nothing was distilled on a data set and all its runs have ended, the network with the most parameters is the teacher.
std::vector<RunRow> read_run_folders(const std::vector<std::string>& folders);

}  // namespace gf
