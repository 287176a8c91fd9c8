// graphflow train: a network on labels alone.
#include <optional>

#include "apps/commands.h"
#include "apps/evaluation.h"
#include "apps/interrupt.h"
#include "apps/run_report.h"
#include "apps/session.h"
#include "apps/stage.h"
#include "distill/inference.h"
#include "distill/model_file.h"
#include "engine/autograd.h"
#include "engine/io/weights.h"

namespace gf {
namespace {

// What was loaded; nothing where nothing is asked for.
std::optional<LoadReport> load_initial_weights(Network& network, const ModelConfig& model) {
  if (model.init.empty()) return {};
  return load_weights(network, model.init, model.init_strict ? LoadMode::strict : LoadMode::by_name,
                      network.foreign_names());
}

}  // namespace

int train_command(const TrainFlags& flags) {
  stop_requested();
  Config config = resolve_config(flags);
  if (!flags.init.empty()) config.model.init = flags.init;
  const Device device = start_training(flags, config);
  trace_nan(config.train.trace_nan);
  const Dataset dataset = open_configured_dataset(config, configured_needs(config));
  const auto network = make_network(config.model.arch, network_options(config));
  network->initialise(static_cast<std::uint64_t>(config.train.seed));
  const std::optional<LoadReport> initial = load_initial_weights(*network, config.model);
  network->to(device);

  Loader loader(dataset, Split::train, loader_options(config));
  const SplitCases validation(dataset, Split::val);
  RunFolder folder = open_run_folder(config.output.dir, flags, config, device);
  if (initial) folder.write_initial_weights(config.model.init, initial->table());
  NetworkDescription description{config.model.arch, network_options(config), dataset.class_names,
                                 dataset.preprocessing};
  const FileEntries entries = checkpoint_entries(description.to_entries(), config, dataset);
  SupervisedTask task(
      *network, supervised_options(config, dataset),
      [&] { return segmentation_validation(*network, validation, dataset); }, entries);

  const Stage stage{"train",
                    "train " + config.model.arch,
                    {"ce", "dice"},
                    segmentation_value_names(dataset),
                    config.train.max_iterations,
                    config.train.epochs,
                    config.optim,
                    initial ? std::vector{config.model.init + ": " + initial->text()} : std::vector<std::string>{}};
  if (run_stage(stage, task, loader, folder, config, flags).interrupted) return kInterrupted;
  if (!flags.part_of.empty()) return 0;
  report_run(folder, dataset, {{config.model.arch, ModelRole::student, best_or_final(folder), folder.path()}}, config,
             device);
  return 0;
}

}  // namespace gf
