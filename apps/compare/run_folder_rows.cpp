// Run folders of train and distill as rows: what they are from config.toml, how they did from the tables that the run's
// report left (test/ and validation/: summary.json, per_case.csv; comparison.csv), how long they took from metrics.csv.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <utility>

#include "apps/compare/read_rows.h"
#include "apps/config.h"
#include "apps/json_file.h"
#include "apps/metrics_log.h"
#include "apps/session.h"
#include "data/csv.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRemedy = "write it anew with graphflow evaluate -o";

struct RunRecord {
  std::string folder;
  Config config;
  RunRow row;
  bool distilled() const { return row.role == ModelRole::distilled; }
};

double number(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number() ? at->get<double>() : kUnknown;
}

std::string text(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

// A case's score: the mean over its classes where that is defined.
std::vector<RunCase> read_cases(const std::string& path) {
  const CsvTable table = CsvTable::read(path);
  struct Sum {
    double sum = 0;
    int n = 0;
  };
  std::vector<std::string> order;
  std::map<std::string, std::map<std::string, Sum>> sums;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string& id = table.at(row, table.column("case"));
    if (!sums.contains(id)) order.push_back(id);
    for (const char* metric : {"dice", "iou", "hd95", "assd", "nsd"}) {
      if (!table.has(metric)) continue;  // scores of before there was one
      const double v = table.number(row, metric);
      Sum& s = sums[id][metric];
      if (!std::isnan(v)) s = {s.sum + v, s.n + 1};
    }
  }
  std::vector<RunCase> cases;
  for (const std::string& id : order) {
    RunCase c{id, {}};
    for (const auto& [metric, s] : sums[id]) c.values[metric] = s.n > 0 ? s.sum / s.n : kUnknown;
    cases.push_back(std::move(c));
  }
  return cases;
}

// Empty where the run has no scores of this split.
RunScores read_scores(const std::string& folder, RunRow& row) {
  RunScores s;
  const std::string file = folder + "/summary.json";
  if (!fs::exists(file)) return s;
  const json summary = parse_json_file(file, kRemedy);
  if (!summary.is_object() || !summary.contains("foreground_mean"))
    bad_data("not scores of graphflow evaluate", file, "\"foreground_mean\"", "none");
  const json& mean = summary["foreground_mean"];
  if (summary.contains("protocol")) {
    row.distance_unit = text(summary["protocol"], "unit");
    row.protocol = text(summary["protocol"], "name");
    if (row.protocol.empty()) row.protocol = text(summary["protocol"], "hd95");  // of before there were protocols
  }
  s.means = {{"dice", number(mean, "Dice")}, {"iou", number(mean, "IoU")}, {"hd95", number(mean, "HD95")},
             {"assd", number(mean, "ASSD")}, {"nsd", number(mean, "NSD")}, {"accuracy", number(summary, "accuracy")}};
  if (fs::exists(folder + "/per_case.csv")) s.cases = read_cases(folder + "/per_case.csv");
  return s;
}

// Size and speed of the run's own model: the last line of means that is no reference's.
void read_size(const std::string& folder, RunRow& row) {
  const std::string file = folder + "/comparison.csv";
  if (!fs::exists(file)) return;
  const CsvTable table = CsvTable::read(file);
  for (std::size_t i = 0; i < table.rows(); ++i) {
    if (table.at(i, table.column("class")) != "mean" || table.at(i, table.column("role")) == "reference") continue;
    row.parameters = table.number(i, "parameters");
    row.macs = table.number(i, "macs");
    row.latency_ms = table.number(i, "latency_ms");
  }
}

// What the steps took. Steps between logged ones count as the median of those that measured no gradient shares, which
// take longer. A resumed run's metrics hold every step once, whichever process made it.
double training_seconds(const std::string& folder) {
  const MetricsTable table = read_metrics(folder + "/metrics.csv");
  const auto at = std::find(table.columns.begin(), table.columns.end(), "seconds");
  if (at == table.columns.end()) return kUnknown;
  const auto column = static_cast<std::size_t>(at - table.columns.begin());
  double logged = 0;
  std::int64_t last = 0;
  std::vector<double> all, plain;
  for (std::size_t i = 0; i < table.steps.size(); ++i) {
    const double seconds = table.values[i][column];
    if (std::isnan(seconds)) continue;  // a validation's row
    bool shares = false;
    for (std::size_t j = 0; j < table.columns.size(); ++j)
      shares |= table.columns[j].starts_with("share_") && !std::isnan(table.values[i][j]);
    logged += seconds;
    last = table.steps[i];
    all.push_back(seconds);
    if (!shares) plain.push_back(seconds);
  }
  if (all.empty()) return kUnknown;
  std::vector<double>& usual = plain.empty() ? all : plain;
  const auto middle = usual.begin() + static_cast<std::ptrdiff_t>(usual.size() / 2);
  std::nth_element(usual.begin(), middle, usual.end());
  return logged + static_cast<double>(last - static_cast<std::int64_t>(all.size())) * *middle;
}

std::string network_name(const ModelConfig& m) {
  return m.width == 1 ? m.arch : fmt::format("{} x{:g}", m.arch, m.width);
}

std::string method_name(const DistillConfig& d) {
  std::string name = d.method == "graph_flow" ? "Graph Flow" : d.method;
  if (d.adversarial.weight > 0) name += " + adversarial";
  if (d.semi_supervised) name += ", semi-supervised";
  return name;
}

// The training cases that a table of `graphflow split` leaves their labels; none where it takes no labels away.
std::optional<std::int64_t> labelled_cases(const std::string& split_file) {
  if (split_file.empty() || !fs::exists(split_file)) return std::nullopt;
  const CsvTable table = CsvTable::read(split_file);
  const std::size_t split = table.column("split");
  std::int64_t labelled = 0, unlabelled = 0;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    labelled += table.at(row, split) == "train";
    unlabelled += table.at(row, split) == "unlabelled";
  }
  return unlabelled > 0 ? std::optional(labelled) : std::nullopt;
}

// Of runs/x/checkpoints/best.gfm: runs/x.
fs::path run_of(const std::string& checkpoint) { return fs::weakly_canonical(checkpoint).parent_path().parent_path(); }

RunRecord read_record(const std::string& folder) {
  RunRecord r{folder, load_config(folder + "/config.toml"), {}};
  const Config& c = r.config;
  RunRow& row = r.row;
  row.file = folder;
  row.experiment = fs::weakly_canonical(folder).string();
  row.id = fs::path(folder).lexically_normal().filename().string();
  const fs::path root(c.data.root);
  row.dataset = (root.has_filename() ? root : root.parent_path()).filename().string();
  if (row.dataset.empty()) row.dataset = c.data.layout;
  row.seed = c.train.seed;
  row.labelled = labelled_cases(c.data.split_file);
  if (c.train.max_iterations > 0) row.steps = c.train.max_iterations;
  row.student = network_name(c.model);
  if (!c.distill.teacher.empty()) {
    row.role = ModelRole::distilled;
    row.method = method_name(c.distill);
  }
  if (fs::exists(folder + "/env.json")) {
    const json env = parse_json_file(folder + "/env.json", kRemedy);
    row.device = text(env, "device");
    row.version = text(env, "graphflow");
    const std::string threads = text(env, "threads");
    std::int64_t n = 0;
    if (std::from_chars(threads.data(), threads.data() + threads.size(), n).ec == std::errc()) row.threads = n;
  }
  row.test = read_scores(folder + "/test", row);
  row.validation = read_scores(folder + "/validation", row);
  read_size(folder, row);
  row.train_seconds = training_seconds(folder);
  if (row.test.means.empty() && row.validation.means.empty()) {
    row.failed = true;
    row.error = "no scores: the run has not ended (graphflow train or distill --resume -o " + folder + ")";
  }
  return r;
}

// What sets a run apart from another of the same name, as "key=value, ...": all but what differs from seed to seed and
// from machine to machine.
std::string variant(const Config& first, const Config& other) {
  constexpr std::string_view kOwn[] = {"train.seed",       "train.threads",      "train.log_every",
                                       "train.save_every", "train.save_minutes", "data.workers",
                                       "data.cache_mb",    "data.root",          "data.split_file"};
  std::string text;
  for (const std::string& line : config_diff(first, other)) {
    const std::string key = line.substr(0, line.find(':'));
    if (std::find(std::begin(kOwn), std::end(kOwn), key) != std::end(kOwn) || key.starts_with("output.") ||
        key.starts_with("eval.") || key == "distill.teacher" || key == "distill.paraphrasers" ||
        key.starts_with("paraphrase."))
      continue;
    text += (text.empty() ? "" : ", ") + key + "=" + line.substr(line.rfind("-> ") + 3);
  }
  return text;
}

// With nothing distilled: the largest network of a data set, where all sizes are known and not the same.
bool is_largest(const RunRecord& run, const std::vector<RunRecord>& runs) {
  bool larger = false;
  for (const RunRecord& r : runs) {
    if (r.row.dataset != run.row.dataset) continue;
    if (r.distilled() || !(run.row.parameters >= r.row.parameters)) return false;
    larger |= run.row.parameters > r.row.parameters;
  }
  return larger;
}

void set_roles(std::vector<RunRecord>& runs) {
  std::vector<RunRecord*> teachers;
  for (RunRecord& r : runs) {
    const fs::path self = fs::weakly_canonical(r.folder);
    const bool named = std::any_of(runs.begin(), runs.end(), [&](const RunRecord& d) {
      return d.distilled() && run_of(d.config.distill.teacher) == self;
    });
    if (!r.distilled() && (named || is_largest(r, runs))) teachers.push_back(&r);
  }
  for (RunRecord* r : teachers) {
    r->row.role = ModelRole::teacher;
    r->row.teacher = std::exchange(r->row.student, "");
  }
  // A distilled run's teacher, by the configuration of the run its checkpoint belongs to; else by the checkpoint's
  // name.
  for (RunRecord& d : runs) {
    if (!d.distilled()) continue;
    const fs::path config = run_of(d.config.distill.teacher) / "config.toml";
    d.row.teacher = fs::exists(config) ? network_name(load_config(config.string()).model) : d.config.distill.teacher;
  }
}

// Runs that share role and name but not their settings become models of their own.
void name_variants(std::vector<RunRecord>& runs) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    RunRow& row = runs[i].row;
    const auto same = [&](const RunRecord& r) {
      return r.row.role == row.role && r.row.name() == row.name() && r.row.student == row.student &&
             r.row.dataset == row.dataset && r.row.labelled == row.labelled;
    };
    const auto first = std::find_if(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(i), same);
    const std::string apart = variant(first->config, runs[i].config);
    if (apart.empty()) continue;
    std::string& name = row.role == ModelRole::teacher   ? row.teacher
                        : row.role == ModelRole::student ? row.student
                                                         : row.method;
    name += " (" + apart + ")";
  }
}

}  // namespace

bool is_run_folder(const std::string& path) {
  const fs::path folder = fs::path(path).lexically_normal();
  const fs::path name = folder.has_filename() ? folder : folder.parent_path();
  return fs::exists(folder / "config.toml") && "/" + name.filename().string() != kParaphraserFolder;
}

std::vector<RunRow> read_run_folders(const std::vector<std::string>& folders) {
  std::vector<RunRecord> runs;
  for (const std::string& folder : folders) runs.push_back(read_record(folder));
  set_roles(runs);
  name_variants(runs);
  std::vector<RunRow> rows;
  for (RunRecord& r : runs) rows.push_back(std::move(r.row));
  return rows;
}

}  // namespace gf
