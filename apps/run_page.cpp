#include "apps/run_page.h"

#include <cmath>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "apps/case_pictures.h"
#include "apps/config.h"
#include "apps/json_file.h"
#include "apps/metrics_log.h"
#include "apps/report/comparison_table.h"
#include "apps/report_record.h"
#include "apps/run_curves.h"
#include "apps/session.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// What a reader may want the spread of, by the keys of summary.json.
struct ShownMeasure {
  const char* key;
  int digits;
  bool distance;
};
constexpr ShownMeasure kShown[] = {
    {"Dice", 3, false}, {"IoU", 3, false}, {"HD95", 2, true}, {"ASSD", 2, true}, {"NSD", 3, false}};

double number(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number() ? at->get<double>() : kUnknown;
}

const json& part(const json& object, const std::string& key) {
  static const json nothing = json::object();
  const auto at = object.find(key);
  return at == object.end() ? nothing : *at;
}

std::string whole_text(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string last_lines(const std::string& file, std::size_t count) {
  std::ifstream in(file);
  std::deque<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
    if (lines.size() > count) lines.pop_front();
  }
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// The mean of what is known.
double mean_of(const std::vector<double>& values) { return mean_interval95(values).mean; }

// summary.json, from which the parts of the page that speak of cases are made.
class Summary {
 public:
  Summary(const std::string& folder, const std::vector<std::string>& configured_classes)
      : folder_(folder),
        json_(parse_json_file(folder + "/summary.json", "write it anew with graphflow evaluate -o " + folder)) {
    if (!json_.is_object())
      bad_data("not scores of graphflow evaluate", folder + "/summary.json", "an object", "something else");
    const json& names = part(json_, "class_names");
    class_names = names.is_array() ? names.get<std::vector<std::string>>() : configured_classes;
    if (part(json_, "metric_per_case").is_array()) cases_ = &json_["metric_per_case"];
  }

  std::vector<std::string> class_names;

  std::size_t case_count() const { return cases_ ? cases_->size() : 0; }
  std::string unit() const { return part(json_, "protocol").value("unit", "mm"); }
  std::vector<std::string> notes() const { return part(json_, "protocol").value("notes", std::vector<std::string>()); }

  IntervalTable intervals() const {
    IntervalTable table;
    if (case_count() == 0) return table;
    std::vector<const ShownMeasure*> shown;
    for (const ShownMeasure& m : kShown) {
      if (!known(m.key)) continue;
      shown.push_back(&m);
      table.measures.push_back({m.distance ? fmt::format("{}, {}", m.key, unit()) : m.key, m.digits});
    }
    for (std::size_t id = 1; id < class_names.size(); ++id) {
      IntervalTable::Row row{class_names[id], {}};
      for (const ShownMeasure* m : shown) row.values.push_back(mean_interval95(of_class(id, m->key)));
      table.rows.push_back(std::move(row));
    }
    if (class_names.size() > 2) {
      IntervalTable::Row row{"all classes", {}};
      for (const ShownMeasure* m : shown) row.values.push_back(mean_interval95(of_cases(m->key)));
      table.rows.push_back(std::move(row));
    }
    return table;
  }

  // Pictures are those of the file where they belong to these scores.
  void choose_cases(ReportData& data) const {
    CaseGallery gallery;
    const std::vector<double> dice = of_cases("Dice");
    const std::map<std::size_t, GalleryCase> pictures = read_case_pictures(folder_);
    for (std::size_t i = 0; i < dice.size(); ++i)
      gallery.add({i, (*cases_)[i].value("case", fmt::format("case {}", i + 1)), dice[i], "", ""});
    data.worst = gallery.worst();
    data.best = gallery.best();
    bool missing = false;
    for (std::vector<GalleryCase>* group : {&data.worst, &data.best})
      for (GalleryCase& c : *group) {
        const auto at = pictures.find(c.index);
        if (at != pictures.end() && std::abs(at->second.score - c.score) < 1e-6) {
          c.place = at->second.place;
          c.image_uri = at->second.image_uri;
        }
        missing |= c.image_uri.empty();
      }
    if (missing)
      data.gallery_note = fmt::format(
          "Pictures are missing: the scores were made by an earlier version or from masks. graphflow evaluate -m "
          "CHECKPOINT -o {} makes them.",
          folder_);
  }

  // Scores of a model that no comparison.csv knows: pooled over all pixels, as there.
  void fill(ModelResult& m) const {
    m.accuracy = number(json_, "accuracy");
    const json &pooled = part(json_, "pooled"), &mean = part(json_, "mean"), &all = part(json_, "pooled_foreground");
    m.mean = {number(all, "Dice"), number(all, "IoU"), number(part(json_, "foreground_mean"), "HD95")};
    m.per_class.resize(1);
    for (std::size_t id = 1; id < class_names.size(); ++id) {
      const json& of_class = part(pooled, std::to_string(id));
      m.per_class.push_back(
          {number(of_class, "Dice"), number(of_class, "IoU"), number(part(mean, std::to_string(id)), "HD95")});
    }
  }

 private:
  double value(const json& of_case, std::size_t id, const char* key) const {
    return number(part(part(of_case, "metrics"), std::to_string(id)), key);
  }
  std::vector<double> of_class(std::size_t id, const char* key) const {
    std::vector<double> values;
    for (std::size_t i = 0; i < case_count(); ++i) values.push_back(value((*cases_)[i], id, key));
    return values;
  }
  // Each case's mean over the foreground classes.
  std::vector<double> of_cases(const char* key) const {
    std::vector<double> means;
    for (std::size_t i = 0; i < case_count(); ++i) {
      std::vector<double> values;
      for (std::size_t id = 1; id < class_names.size(); ++id) values.push_back(value((*cases_)[i], id, key));
      means.push_back(mean_of(values));
    }
    return means;
  }
  bool known(const char* key) const { return mean_interval95(of_cases(key)).n > 0; }

  std::string folder_;
  json json_;
  const json* cases_ = nullptr;
};

// Why there are no scores, and what to do.
std::string no_scores(const std::string& folder, const Config& config) {
  if (fs::exists(folder + "/checkpoints/final.gfm"))
    return fmt::format(
        "This run has no scores of its own. graphflow evaluate -m {0}/checkpoints/best.gfm -o {0}/test makes them.",
        folder);
  const MetricsTable metrics = read_metrics(folder + "/metrics.csv");
  std::string state =
      metrics.steps.empty() ? "no step was logged" : fmt::format("last logged step {}", metrics.steps.back());
  if (config.train.max_iterations > 0) state += fmt::format(" of {}", config.train.max_iterations);
  return fmt::format("This run has not ended ({}), so there are no scores. To go on: graphflow {} --resume -o {}",
                     state, config.distill.teacher.empty() ? "train" : "distill", folder);
}

ReportRecord assumed_record(const Config& config) {
  ReportRecord r;
  r.title = config.model.arch + " on " + config.data.layout;
  r.models = {{config.model.arch, config.distill.teacher.empty() ? ModelRole::student : ModelRole::distilled, ".", ""}};
  return r;
}

void read_scores(const std::string& folder, const char* split, const Config& config, const RecordedModel& own,
                 ReportData& data) try {
  const Summary summary(folder, data.class_names);
  if (data.models.empty()) {
    data.class_names = summary.class_names;
    data.models.push_back({.name = own.name, .role = own.role});
    summary.fill(data.models[0]);
  }
  data.distance_unit = summary.unit();
  data.score_notes = summary.notes();
  data.intervals = summary.intervals();
  summary.choose_cases(data);
  if (data.subtitle.empty())
    data.subtitle = fmt::format("data set {}, {} split, {} cases", config.data.layout, split, summary.case_count());
} catch (const json::exception& e) {
  bad_data("broken file of a run", folder + "/summary.json", "the keys of graphflow evaluate", e.what(),
           "write it anew with graphflow evaluate -o " + folder);
}

void read_environment_file(const std::string& file, ReportData& data) {
  if (!fs::exists(file)) return;
  const json env = parse_json_file(file, "move it away");
  for (const auto& [name, value] : env.items())
    data.environment.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
}

}  // namespace

ReportData read_run(const std::string& given) {
  const fs::path normal = fs::path(given).lexically_normal();
  const std::string folder = (normal.has_filename() ? normal : normal.parent_path()).string();
  const std::string config_file = folder + "/config.toml";
  if (!fs::exists(config_file))
    throw Error(ErrorKind::usage, {"no run to report on", folder, "the run folder of train, distill or paraphrase",
                                   fs::exists(folder) ? "a folder without config.toml" : "nothing", ""});
  const Config config = load_config(config_file);
  const bool paraphraser = "/" + fs::path(folder).filename().string() == kParaphraserFolder;
  ReportData data;
  const std::optional<ReportRecord> recorded = read_report_record(folder);
  const ReportRecord record = recorded ? *recorded : assumed_record(config);
  data.title = paraphraser ? "Paraphrasers" : record.title;
  data.subtitle = record.subtitle;
  data.notes = record.notes;
  data.warnings = record.warnings;
  data.overlay_columns = record.overlay_columns;
  data.overlays = record.overlays;

  const bool test = fs::exists(folder + "/test/summary.json");
  const std::string scores = folder + (test ? "/test" : "/validation");
  data.class_names = config.data.class_names;
  const bool compared = fs::exists(folder + "/comparison.csv");
  if (compared) read_comparison_csv(folder + "/comparison.csv", data);
  if (fs::exists(scores + "/summary.json")) {
    read_scores(scores, test ? "test" : "validation", config, record.models.back(), data);
    if (!recorded) data.notes.push_back(kPooledNote);
    if (!test && !recorded) data.warnings.push_back(kValidationOnly);
  } else if (!paraphraser) {
    data.warnings.push_back(no_scores(folder, config));
    data.log_end = last_lines(folder + "/log.txt", 15);
  }

  // Its cases may have been scored anew, in another unit.
  if (compared && !record.distance_unit.empty()) data.distance_unit = record.distance_unit;

  std::vector<CurveSource> sources;
  for (const RecordedModel& m : record.models) {
    if (!m.run_folder.empty()) sources.push_back({m.name, m.role, m.run_folder == "." ? folder : m.run_folder});
    if (!m.config.empty()) data.configs.emplace_back(m.name, m.config);
  }
  data.curves = training_curves(sources);
  if (data.configs.empty()) data.configs.emplace_back("config.toml", whole_text(config_file));
  read_environment_file(folder + "/env.json", data);
  return data;
}

}  // namespace gf
