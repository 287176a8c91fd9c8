// graphflow postprocess: which cleaning of a run's predictions raises its validation Dice. Writes the choice into the
// run folder, from where predict and evaluate take it.
#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/evaluation.h"
#include "apps/postprocess_file.h"
#include "apps/progress.h"
#include "apps/session.h"
#include "distill/model_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

std::vector<PredictedCase> predictions(const NetworkFile& file, const Dataset& dataset) {
  std::vector<PredictedCase> all;
  std::size_t wanted = 0;
  for (const Case& c : dataset.cases) wanted += c.split == Split::val ? 1 : 0;
  Progress progress("predict", static_cast<std::int64_t>(wanted));
  for (const Case& c : dataset.cases) {
    if (c.split != Split::val) continue;
    const PreparedCase p = load_case(dataset, c, Purpose::evaluation);
    all.push_back({p.truth, predict_case(*file.network, p, dataset.preprocessing), voxel_mm3(p),
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

}  // namespace

int postprocess_command(const PostprocessCommandFlags& flags) {
  const Device device = start_engine(flags.device, flags.threads);
  const std::string model = best_or_final(flags.run);
  const NetworkFile file = load_network(model, device);
  Config config = model_configuration(file, model, flags.config, flags.sets);
  const Dataset dataset = model_dataset(file, model, config);
  std::vector<PredictedCase> cases = predictions(file, dataset);
  if (cases.empty())
    bad_data("nothing to choose on", config.data.root, "cases in split val", "none",
             "give the data set a validation part");
  const std::vector<std::string>& names = dataset.class_names;
  const PostprocessingChoice choice = [&] {
    Progress progress("trials", postprocessing_trials(dataset.classes()));
    return choose_postprocessing(cases, dataset.classes(), [&](int done) { progress.update(done, 0, {}); });
  }();
  print_trials(choice, names);
  const std::string written = flags.run + "/" + kPostprocessFile;
  write_postprocessing(written, choice, names, model.substr(model.rfind('/') + 1), static_cast<int>(cases.size()));
  fmt::print("\nvalidation Dice {:.4f} -> {:.4f} with: {}\nwritten: {}\n", choice.dice_before, choice.dice_after,
             describe(choice.chosen, names), written);
  return 0;
}

}  // namespace gf
