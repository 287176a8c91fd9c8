#pragma once
// Rows with invented numbers, as structs and as the files of an experiment.
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <vector>

#include "apps/compare/run_row.h"
#include "tests/apps/fixtures.h"

namespace gf {

// Of data "nuclei", teacher "FANet", student "ENet"; `name`: "teacher", "alone", or a method.
inline RunRow sample_row(const std::string& name, std::int64_t seed, double dice, double hd95 = kUnknown) {
  RunRow r;
  r.experiment = "trial";
  r.id = name + "." + std::to_string(seed);
  r.file = "rows/" + r.id + ".json";
  r.role = name == "teacher" ? ModelRole::teacher : name == "alone" ? ModelRole::student : ModelRole::distilled;
  r.dataset = "nuclei";
  r.teacher = "FANet";
  if (r.role != ModelRole::teacher) r.student = "ENet";
  if (r.role == ModelRole::distilled) r.method = name;
  r.seed = seed;
  r.test.means = {{"dice", dice}};
  if (!std::isnan(hd95)) r.test.means["hd95"] = hd95;
  return r;
}

// Three seeds `step` apart around `dice`.
inline void add_seeds(std::vector<RunRow>& rows, const std::string& name, double dice, double step = 0.02) {
  for (int seed = 1; seed <= 3; ++seed) rows.push_back(sample_row(name, seed, dice + (seed - 2) * step));
}

// Teacher 0.92, student alone 0.82, method KD 0.87, each with a deviation of 0.02.
inline std::vector<RunRow> sample_rows() {
  std::vector<RunRow> rows;
  add_seeds(rows, "teacher", 0.92);
  add_seeds(rows, "alone", 0.82);
  add_seeds(rows, "KD", 0.87);
  return rows;
}

// One case a value: "c0", "c1", ...
inline void set_cases(RunRow& row, const std::vector<double>& dice) {
  row.test.cases.clear();
  for (std::size_t i = 0; i < dice.size(); ++i)
    row.test.cases.push_back({"c" + std::to_string(i), {{"dice", dice[i]}}});
}

// A row file as graphflow experiment writes it; `more` are further keys with a comma in front.
inline std::string row_json(const std::string& role, const std::string& id, int seed, double dice,
                            const std::string& more = "") {
  return fmt::format(
      R"({{"format": "graphflow row 1", "experiment": "trial", "row": "{}", "status": "done", "role": "{}",
 "dataset": "nuclei", "teacher": "FANet x0.5", "student": "ENet", "seed": {}, "train_cases": 81, "device": "cpu",
 "threads": 2, "steps": 2000, "parameters": 348996, "macs": 2100000000, "macs_size": [256, 256], "latency_ms": 9.5,
 "train_seconds": 610.5, "distance_unit": "voxel",
 "test": {{"dice": {}, "hd95": null, "cases": 2, "classes": []}},
 "cases": [{{"case": "a", "dice": {}, "hd95": null}}, {{"case": "b", "dice": {}}}]{}}})",
      id, role, seed, dice, dice - 0.01, dice + 0.01, more);
}

inline void write_sample_experiment(const std::string& folder) {
  std::filesystem::create_directories(folder + "/rows");
  for (int seed = 1; seed <= 3; ++seed) {
    const auto write = [&](const std::string& role, const std::string& name, double dice, const std::string& more) {
      const std::string id = name + "-" + std::to_string(seed);
      write_text(folder + "/rows/" + id + ".json", row_json(role, id, seed, dice + 0.01 * seed, more));
    };
    write("teacher", "teacher", 0.90, "");
    write("student", "alone", 0.80, "");
    write("method", "kd", 0.85, R"(, "method": "KD")");
  }
}

}  // namespace gf
