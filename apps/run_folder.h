#pragma once
// The folder of one run:
//
//   config.toml   the resolved configuration         metrics.csv   metrics.jsonl   one row a logged step
//   env.json      versions, threads, processor       checkpoints/  validation/  test/
//   log.txt       what was printed, with times       report.html   report.json   postprocess.json (what was tried)
//   initial_weights.txt   what came of every tensor of model.init
//
// A run never writes over another one by accident: the caller says whether an existing folder is an error, is emptied
// or is continued. Only a folder that holds a run (a config.toml) is ever emptied, and only of the names above.
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gf {

enum class ExistingRun { refuse, overwrite, resume };

// What env.json holds, in order: {"graphflow", "0.1.0"}, {"processor", "..."}, ...
using Environment = std::vector<std::pair<std::string, std::string>>;

// What this process can find out itself: compiler, processor, cores, memory, system, time. Callers add versions of
// libraries, device and threads.
Environment read_environment();

class RunFolder {
 public:
  // Makes the folder and its subfolders and tries to write there, so that an unwritable place is known before hours of
  // training. `resume` of a folder that holds no run is an error of kind usage, as is `refuse` of one that does.
  RunFolder(std::string path, ExistingRun existing);

  const std::string& path() const { return path_; }
  std::string config_file() const { return path_ + "/config.toml"; }
  std::string checkpoints() const { return path_ + "/checkpoints"; }
  std::string validation() const { return path_ + "/validation"; }
  std::string test() const { return path_ + "/test"; }
  std::string report_file() const { return path_ + "/report.html"; }

  void write_config(std::string_view toml) const;
  void write_environment(const Environment& environment) const;
  // One line a tensor of the file that training started from.
  void write_initial_weights(const std::string& file, const std::string& table) const;
  // One line of log.txt with the time in front, flushed.
  void log(std::string_view line);

 private:
  std::string path_;
  std::ofstream log_;
};

}  // namespace gf
