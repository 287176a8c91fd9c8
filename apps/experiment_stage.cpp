#include "apps/experiment_stage.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <new>

#include <fmt/format.h>

#include "apps/config_settings.h"
#include "apps/file_lock.h"
#include "apps/interrupt.h"
#include "apps/json_file.h"
#include "apps/progress.h"
#include "apps/run_folder.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFormat = "graphflow stage 1";

double now() {
  using Seconds = std::chrono::duration<double>;
  return std::chrono::duration_cast<Seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// 0 where there is no such file.
double written_at(const std::string& file) {
  struct stat s {};
  if (::stat(file.c_str(), &s) != 0) return 0;
  return static_cast<double>(s.st_mtim.tv_sec) + 1e-9 * static_cast<double>(s.st_mtim.tv_nsec);
}

std::string record_file(const StagePlan& s) { return s.folder + "/stage.json"; }

void diff(const std::string& above, const json& before, const json& now, std::vector<std::string>& lines) {
  const auto text = [](const json& j, const std::string& key) {
    return j.contains(key) ? j[key].dump() : key == "evaluation" ? "an older version's" : "the default";
  };
  std::map<std::string, bool> keys;
  for (const json* j : {&before, &now})
    for (const auto& [key, value] : j->items()) keys[key] = value.is_object() && key.find('.') == std::string::npos;
  for (const auto& [key, nested] : keys) {
    if (before.contains(key) && now.contains(key) && before[key] == now[key]) continue;
    if (key == "split" && (before[key] == "" || now[key] == "")) continue;  // the data set was not looked at
    if (nested && before.contains(key) && now.contains(key))
      diff(key == "settings" ? above : above + key + " ", before[key], now[key], lines);
    else if (nested && key != "evaluation")
      lines.push_back(above + (now.contains(key) ? "now with " : "now without ") + key);
    else
      lines.push_back(above + key + ": " + text(before, key) + " -> " + text(now, key));
  }
}

}  // namespace

nlohmann::json made_with(const ExperimentPlan& plan, std::size_t index) {
  const StagePlan& s = plan.stages[index];
  json j{{"kind", name_of(s.kind)}, {"settings", settings_json(s.config)}, {"split", plan.data[s.data].fingerprint}};
  if (s.teacher) j["teacher"] = made_with(plan, *s.teacher);
  if (s.paraphrasers) {
    j["paraphrasers"] = made_with(plan, *s.paraphrasers);
    j["paraphrasers"].erase("teacher");  // the same
  }
  return j;
}

std::vector<std::string> made_with_diff(const nlohmann::json& before, const nlohmann::json& now) {
  std::vector<std::string> lines;
  diff("", before, now, lines);
  return lines;
}

StageStatus stage_status(const ExperimentPlan& plan, std::size_t index) {
  const StagePlan& s = plan.stages[index];
  StageStatus status;
  const std::optional<json> record = read_json(record_file(s), kFormat);
  if (!record) return status;
  status.seconds = record->value("seconds", 0.0);
  if (record->contains("since"))
    status.seconds +=
        std::max(0.0, written_at(s.folder + "/checkpoints/latest.gfm") - record->at("since").get<double>());
  status.differences = made_with_diff(record->at("made_with"), made_with(plan, index));
  if (fs::exists(s.folder + "/checkpoints/final.gfm"))
    status.state = StageState::done;
  else if (fs::exists(s.folder + "/checkpoints/latest.gfm"))
    status.state = StageState::begun;
  else
    status.differences.clear();  // nothing of it is left to be mixed with
  return status;
}

StageOutcome StageRunner::make(std::size_t index) {
  const StagePlan& s = plan_.stages[index];
  if (const auto it = failed_.find(index); it != failed_.end()) fail(it->second, "");
  if (stop_requested()) return StageOutcome::stopped;
  for (const auto& before : {s.teacher, s.paraphrasers})
    if (before)
      if (const StageOutcome o = make(*before); o != StageOutcome::done) return o;
  const std::optional<FileLock> lock = FileLock::take(s.folder + "/lock");
  if (!lock) return StageOutcome::busy;
  StageStatus status = stage_status(plan_, index);
  if (!status.differences.empty()) {
    if (!flags_.overwrite)
      throw Error(ErrorKind::usage,
                  {"made with other settings",
                   s.folder,
                   {},
                   {},
                   fmt::format("{}; --overwrite makes it anew", fmt::join(status.differences, ", "))});
    RunFolder(s.folder, ExistingRun::overwrite);
    status = {};
  }
  if (status.state == StageState::done) return StageOutcome::done;

  const bool resume = status.state == StageState::begun;
  const double start = now();
  json record{
      {"format", kFormat}, {"made_with", made_with(plan_, index)}, {"seconds", status.seconds}, {"since", start}};
  write_file_atomically(s.folder + "/config.toml", config_to_toml(s.config));
  write_file_atomically(record_file(s), record.dump(1) + "\n");
  const auto spent = [&] {
    record["seconds"] = status.seconds + now() - start;
    record.erase("since");
    write_file_atomically(record_file(s), record.dump(1) + "\n");
  };
  const auto failed = [&](const std::string& text) {
    spent();
    failed_[index] = s.title + ": " + text;
  };
  int code = 0;
  try {
    code = train(s, resume);
  } catch (const std::bad_alloc&) {
    failed("out of memory");
    fail(failed_[index], "");
  } catch (const std::exception& e) {
    failed(e.what());
    fail(failed_[index], "");
  }
  spent();
  if (!flags_.quiet) {
    fmt::print("  {}: {}{}\n", s.title, duration_text(record["seconds"].get<double>()),
               code == kInterrupted ? ", stopped and saved"
               : resume             ? ", resumed"
                                    : "");
    std::fflush(stdout);
  }
  if (code == kInterrupted) return StageOutcome::stopped;
  ++finished_;
  return StageOutcome::done;
}

int StageRunner::train(const StagePlan& s, bool resume) {
  const auto with_flags = [&](auto flags) {
    flags.config = s.folder + "/config.toml";
    flags.device = flags_.device;
    flags.threads = flags_.threads;
    flags.resume = resume;
    flags.overwrite = !resume;
    flags.quiet = flags_.quiet;
    flags.part_of = s.bar;
    return flags;
  };
  switch (s.kind) {
    case StageKind::train:
      return train_command(with_flags(TrainFlags()));
    case StageKind::paraphrase:
      return paraphrase_command(with_flags(DistillFlags()));
    default:
      return distill_command(with_flags(DistillFlags()));
  }
}

}  // namespace gf
