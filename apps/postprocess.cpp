// graphflow postprocess: which cleaning of a model's predictions raises its validation Dice. Writes the choice into the
// model's file, from where predict, evaluate, export and the C API take it, and what was tried beside it.
#include <filesystem>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/evaluation.h"
#include "apps/postprocess_file.h"
#include "apps/progress.h"
#include "apps/session.h"
#include "apps/writable.h"
#include "distill/model_file.h"
#include "engine/io/checkpoint.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

std::vector<PredictedCase> predictions(const NetworkFile& file, const Dataset& dataset) {
  std::vector<PredictedCase> all;
  const SplitCases cases(dataset, Split::val, 0);  // each is wanted once
  Progress progress("predict", static_cast<std::int64_t>(cases.size()));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::shared_ptr<const PreparedCase> p = cases.at(i);
    all.push_back({p->truth, predict_case(*file.network, *p, dataset.preprocessing), voxel_mm3(*p),
                   dataset.preprocessing.label_map.ignore_index.value_or(-1)});
    progress.update(static_cast<std::int64_t>(all.size()), 0, {});
  }
  return all;
}

void print_trials(const PostprocessingChoice& choice, const std::vector<std::string>& class_names) {
  fmt::print("\n{:<24} {:<24} {:>8} {:>8}\n", "class", "step", "before", "after");
  for (const PostprocessingTrial& t : choice.trials)
    fmt::print("{:<24} {:<24} {:>8.4f} {:>8.4f}{}\n",
               t.class_id == 0 ? "foreground" : class_names[static_cast<std::size_t>(t.class_id)], t.step,
               t.dice_before, t.dice_after, t.kept ? "  kept" : "");
}

// A run folder's model, or a checkpoint itself; and where the report of it goes.
struct Subject {
  std::string model, report;
};

Subject subject_of(const std::string& run) {
  if (fs::is_directory(run)) return {best_or_final(run), run + "/" + kPostprocessFile};
  return {run, fs::path(run).replace_extension(kPostprocessFile).string()};
}

// Tries everything on the validation part, keeps the best in the model's file, and says what it brought.
Postprocessing choose(const PostprocessCommandFlags& flags, const Subject& subject, const std::string& checksum) {
  const NetworkFile file = load_network(subject.model, start_engine(flags.device, flags.threads));
  Config config = model_configuration(file, subject.model, flags.config, flags.sets);
  const Dataset dataset = model_dataset(file, subject.model, config);
  std::vector<PredictedCase> cases = predictions(file, dataset);
  if (cases.empty())
    bad_data("nothing to choose on", config.data.root, "cases in split val", "none",
             "give the data set a validation part");
  const PostprocessingChoice choice = [&] {
    Progress progress("trials", postprocessing_trials(dataset.classes()));
    return choose_postprocessing(cases, dataset.classes(), [&](int done) { progress.update(done, 0, {}); });
  }();
  const std::vector<std::string>& names = file.description.class_names;
  print_trials(choice, names);
  write_postprocessing(subject.model, choice.chosen, checksum);
  write_postprocessing_report(subject.report, choice, names, fs::path(subject.model).filename().string(),
                              static_cast<int>(cases.size()));
  fmt::print("\nvalidation Dice {:.4f} -> {:.4f}; what was tried: {}\n", choice.dice_before, choice.dice_after,
             subject.report);
  return choice.chosen;
}

}  // namespace

int postprocess_command(const PostprocessCommandFlags& flags) {
  const Subject subject = subject_of(flags.run);
  const std::string checksum = checkpoint_checksum(subject.model);
  const std::vector<std::string> names =
      NetworkDescription::from_entries(read_checkpoint_entries(subject.model), subject.model).class_names;
  require_writable(subject.model);
  if (flags.from.empty()) require_writable(subject.report);
  Postprocessing p;
  if (flags.from.empty()) {
    p = choose(flags, subject, checksum);
  } else {
    p = read_postprocessing(flags.from, names);
    write_postprocessing(subject.model, p, checksum);
  }
  fmt::print("written into {}: {}\n", subject.model, describe(p, names));
  return 0;
}

}  // namespace gf
