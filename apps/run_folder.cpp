#include "apps/run_folder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

constexpr const char* kParts[] = {"env.json",      "initial_weights.txt", "log.txt",        "metrics.csv",
                                  "metrics.jsonl", "report.html",         "checkpoints",    "validation",
                                  "test",          "comparison.md",       "comparison.csv", "postprocess.json",
                                  "report.json",   "config.toml"};
constexpr const char* kSubfolders[] = {"checkpoints", "validation", "test"};

[[noreturn]] void usage(std::string what, std::string where, std::string found, std::string remedy) {
  throw Error(ErrorKind::usage, {std::move(what), std::move(where), {}, std::move(found), std::move(remedy)});
}

std::string local_time() { return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(std::time(nullptr))); }

// The value of the first line of /proc/cpuinfo or /proc/meminfo that starts with `name`.
std::string proc_value(const char* file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", line.find(':') + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return {};
}

// "" where the folder is empty, holds only what a run killed at its start left, or other runs (a folder of runs may
// itself be one: a student's holds its paraphraser's).
std::string first_foreign_entry(const std::string& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool part = std::find(std::begin(kParts), std::end(kParts), name) != std::end(kParts);
    if (!part && !fs::exists(entry.path() / "config.toml", error)) return name;
  }
  return {};
}

// A run refused or killed before its first checkpoint left nothing worth keeping.
bool has_checkpoint(const std::string& folder) {
  std::error_code error;
  return fs::directory_iterator(folder, error) != fs::directory_iterator();
}

}  // namespace

Environment read_environment() {
  Environment e;
  e.emplace_back("started", local_time());
#if defined(__clang__)
  e.emplace_back("compiler", "clang " __clang_version__);
#else
  e.emplace_back("compiler", "g++ " __VERSION__);
#endif
  e.emplace_back("processor", proc_value("/proc/cpuinfo", "model name"));
  e.emplace_back("cores", std::to_string(std::thread::hardware_concurrency()));
  e.emplace_back("memory", proc_value("/proc/meminfo", "MemTotal"));
  utsname system{};
  if (::uname(&system) == 0)
    e.emplace_back("system", fmt::format("{} {} {}", system.sysname, system.release, system.machine));
  std::erase_if(e, [](const auto& entry) { return entry.second.empty(); });
  return e;
}

RunFolder::RunFolder(std::string path, ExistingRun existing) : path_(std::move(path)) {
  std::error_code error;
  const bool exists = fs::exists(path_, error);
  if (exists && !fs::is_directory(path_, error))
    usage("cannot use run folder", path_, "a file", "set output.dir to another name");
  const bool holds_run = fs::exists(config_file(), error);
  if (existing == ExistingRun::refuse && holds_run && has_checkpoint(checkpoints())) {
    usage("run folder is in use", path_, "a run",
          "continue it with --resume, replace it with --overwrite or set output.dir");
  }
  if (existing == ExistingRun::resume && !holds_run) {
    usage("nothing to resume", path_, exists ? "no config.toml" : "no such folder", "start it without --resume");
  }
  if (!holds_run && exists) {
    const std::string foreign = first_foreign_entry(path_);
    if (!foreign.empty()) {
      usage("run folder holds something else", path_, foreign + ", but no config.toml",
            "set output.dir to a new folder");
    }
  }

  fs::create_directories(path_, error);
  if (!error && existing == ExistingRun::overwrite) {
    // config.toml goes last: a folder half emptied by a kill is still seen as a run.
    for (const char* part : kParts) {
      if (!error) fs::remove_all(path_ + "/" + part, error);
    }
  }
  for (const char* name : kSubfolders) {
    if (!error) fs::create_directories(path_ + "/" + name, error);
  }
  remove_stale_partials(path_);
  remove_stale_partials(checkpoints());
  if (!error) {
    errno = 0;
    log_.open(path_ + "/log.txt", std::ios::app);
    if (!log_) error = std::error_code(errno, std::generic_category());
  }
  if (error) fail("cannot write run folder", path_, {}, error.message(), "set output.dir to a folder you may write to");
}

void RunFolder::write_config(std::string_view toml) const { write_file_atomically(config_file(), toml); }

void RunFolder::write_environment(const Environment& environment) const {
  nlohmann::ordered_json json;
  for (const auto& [name, value] : environment) json[name] = value;
  write_file_atomically(path_ + "/env.json", json.dump(2) + "\n");
}

void RunFolder::write_initial_weights(const std::string& file, const std::string& table) const {
  write_file_atomically(path_ + "/initial_weights.txt", file + "\n" + table);
}

void RunFolder::log(std::string_view line) {
  log_ << local_time() << "  " << line << std::endl;
  if (!log_) fail("cannot write log", path_ + "/log.txt", {}, std::strerror(errno), "is the disk full?");
}

}  // namespace gf
