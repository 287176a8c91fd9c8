// graphflow evaluate -g TRUTH -p PREDICTION: masks that exist already, without a model. A pair that cannot be scored is
// reported and the rest go on (exit code 4).
#include <algorithm>
#include <exception>
#include <filesystem>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/config.h"
#include "apps/evaluation.h"
#include "apps/interrupt.h"
#include "apps/one_line.h"
#include "apps/progress.h"
#include "data/layouts/dataset_json.h"
#include "data/mask_files.h"
#include "data/nifti.h"
#include "engine/device.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

constexpr std::int32_t kMostLabels = 254;

bool is_number(const std::string& s) { return !s.empty() && s.find_first_not_of("0123456789") == s.npos; }

std::vector<std::string> numbered_classes(int foreground) {
  std::vector<std::string> names = {"background"};
  for (int k = 1; k <= foreground; ++k) names.push_back(std::to_string(k));
  return names;
}

// nnU-Net's dataset.json beside the truth or one folder up; its last label may be called "ignore".
std::optional<std::vector<std::string>> classes_of_dataset(const std::string& truth, LabelMap& map) {
  const fs::path folder = fs::is_directory(truth) ? fs::path(truth) : fs::absolute(truth).parent_path();
  for (const fs::path& at : {folder, fs::absolute(folder / "x").parent_path().parent_path()}) {
    const std::string file = (at / "dataset.json").string();
    if (!fs::exists(file)) continue;
    std::vector<std::string> names = class_names_from_json(file);
    if (names.size() > 1 && names.back() == "ignore") {
      map.ignore_index = static_cast<std::int32_t>(names.size()) - 1;
      names.pop_back();
    }
    fmt::print("classes from {}\n", file);
    return names;
  }
  return std::nullopt;
}

// A call that scores masks of these labels. Predictions need no map where they hold class ids already.
std::string mapping_remedy(const std::set<std::int32_t>& labels, const std::vector<MaskFiles>& files) {
  constexpr std::size_t kMostMapped = 16;
  if (labels.size() > kMostMapped) return "are these pictures, or masks that were smoothed?";
  std::string map;
  for (std::int32_t id = 1; const std::int32_t label : labels)
    map += fmt::format("{}{} = {}", map.empty() ? "" : ", ", label, id++);
  const std::set<std::int32_t> predicted = stored_labels(files, &MaskFiles::prediction, {});
  const bool ids = !predicted.empty() && *predicted.rbegin() <= static_cast<std::int32_t>(labels.size()) &&
                   !std::includes(labels.begin(), labels.end(), predicted.begin(), predicted.end());
  return fmt::format("map them: --set data.label_map='{{ {} }}'{}", map,
                     ids ? " --class-ids, for the predictions hold class ids" : "");
}

// From --classes, the configuration, nnU-Net's dataset.json, or the labels there are; in this order.
std::vector<std::string> class_names(const EvaluateFlags& flags, const Config& config,
                                     const std::vector<MaskFiles>& files, LabelMap& map) {
  if (flags.classes.size() == 1 && is_number(flags.classes[0])) return numbered_classes(std::stoi(flags.classes[0]));
  std::vector<std::string> names = flags.classes.empty() ? config.data.class_names : flags.classes;
  if (!flags.classes.empty() && names[0] != "background") names.insert(names.begin(), "background");
  if (!names.empty()) return names;
  if (const auto found = classes_of_dataset(flags.truth, map)) return *found;
  std::int32_t greatest = 0;
  for (const auto& [from, to] : map.entries) greatest = std::max(greatest, to);
  std::set<std::int32_t> labels;
  if (map.entries.empty()) {
    labels = stored_labels(files, &MaskFiles::truth, map.ignore_index);
    if (!labels.empty()) greatest = *labels.rbegin();
  }
  if (greatest == 0)
    bad_data("no label in any truth mask", flags.truth, "foreground", "background only",
             "name them: --classes liver,spleen");
  if (greatest > kMostLabels)
    bad_data("the labels are no class numbers", flags.truth, fmt::format("0 to {}", kMostLabels),
             std::to_string(greatest), mapping_remedy(labels, files));
  return numbered_classes(greatest);
}

CaseScore score_pair(const MaskFiles& files, const MaskReading& reading, const Scoring& scoring) {
  const MaskPictures masks = read_mask_pair(files, reading);
  ScoreOptions options;
  options.protocol = scoring.protocol;
  options.volume = masks.volume;
  options.ignore = reading.label_map.ignore_index;
  if (scoring.protocol.millimetres) options.spacing = scoring.spacing.value_or(masks.spacing);
  CaseScore score = score_case(files.id, reading.classes, masks.truth, masks.prediction, options);
  score.reference_file = files.truth;
  score.prediction_file = files.prediction;
  return score;
}

struct Outcome {
  std::optional<CaseScore> score;
  std::string error;
};

}  // namespace

int evaluate_folders(const EvaluateFlags& flags) {
  const std::atomic<bool>& stop = stop_requested();
  const Config config = load_config(flags.config, flags.sets);
  set_threads(flags.threads);
  const MaskFolders folders = pair_masks(flags.truth, flags.prediction);
  MaskReading reading;
  for (const auto& [from, to] : config.data.label_map) reading.label_map.entries[from] = to;
  if (config.data.ignore_index >= 0) reading.label_map.ignore_index = config.data.ignore_index;
  const std::vector<std::string> names = class_names(flags, config, folders.pairs, reading.label_map);
  reading.classes = static_cast<int>(names.size());
  reading.prediction_has_ids = flags.class_ids;
  const bool volumes = is_nifti_name(folders.pairs[0].truth);
  const Scoring scoring =
      configured_scoring(config.eval, volumes ? MaskSource::volumes : MaskSource::pictures, reading.classes);
  require_spacing_used(flags, scoring.protocol);
  require_writable_scores(flags);

  SegmentationScores scores(names, scoring.protocol);
  const auto failed = [&](const std::string& id, const std::string& error) {
    fmt::print(stderr, "failed: {}\n", one_line(error));
    scores.add_failed({id, error});
  };
  for (const UnpairedMask& u : folders.unpaired) failed(u.id, u.error);
  // Pictures are scored side by side; a volume has work for all threads by itself, and needs the memory.
  const std::int64_t total = static_cast<std::int64_t>(folders.pairs.size()), together = volumes ? 1 : 64;
  {
    Progress progress("evaluate", total);
    for (std::int64_t begin = 0; begin < total && !stop; begin += together) {
      const std::int64_t count = std::min(together, total - begin);
      std::vector<Outcome> outcomes(static_cast<std::size_t>(count));
      std::exception_ptr fatal;
#pragma omp parallel for schedule(dynamic) if (count > 1)
      for (std::int64_t i = 0; i < count; ++i) {
        Outcome& outcome = outcomes[static_cast<std::size_t>(i)];
        try {
          outcome.score = score_pair(folders.pairs[static_cast<std::size_t>(begin + i)], reading, scoring);
        } catch (const Error& e) {
          outcome.error = e.what();
        } catch (...) {
#pragma omp critical
          fatal = std::current_exception();
        }
      }
      if (fatal) std::rethrow_exception(fatal);
      for (std::int64_t i = 0; i < count; ++i) {
        Outcome& outcome = outcomes[static_cast<std::size_t>(i)];
        const std::string& id = folders.pairs[static_cast<std::size_t>(begin + i)].id;
        if (outcome.score)
          scores.add(std::move(*outcome.score));
        else if (total == 1)
          throw Error(ErrorKind::bad_data, {outcome.error, "", "", "", ""});
        else
          scores.add_failed({id, outcome.error}), progress.note(one_line("failed: " + outcome.error));
      }
      progress.update(begin + count, 0, {});
    }
  }
  if (stop) return kInterrupted;
  if (scores.cases().empty())
    bad_data("no pair of masks could be scored", flags.truth + " and " + flags.prediction, "", "",
             "the lines above say why");
  report_scores(flags, scores, fs::path(flags.prediction).filename().string());
  return scores.failed().empty() ? 0 : static_cast<int>(ErrorKind::some_cases_failed);
}

}  // namespace gf
