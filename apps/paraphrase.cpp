// graphflow paraphrase: the paraphrasers of a teacher, a pair for each pair of layers, trained on its features alone.
#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/model_check.h"
#include "apps/session.h"
#include "apps/stage.h"
#include "distill/inference.h"
#include "distill/model_file.h"
#include "distill/paraphrase.h"
#include "distill/taps.h"
#include "engine/autograd.h"
#include "kernels/error.h"

namespace gf {
namespace {

std::vector<Tensor> image_batches(const SplitCases& cases, const Preprocessing& preprocessing, std::size_t batch) {
  std::vector<Tensor> batches;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::shared_ptr<const PreparedCase> c = cases.at(i);
    for (std::size_t begin = 0; begin < c->images.size(); begin += batch)
      batches.push_back(image_batch(*c, begin, std::min(batch, c->images.size() - begin), preprocessing));
  }
  return batches;
}

ParaphraserDescription describe_paraphrasers(const Config& config, const NetworkFile& teacher) {
  const auto layers = static_cast<std::size_t>(config.distill.graph.layers);
  ParaphraserDescription d;
  d.teacher_taps = tap_pairs(config.distill.teacher_taps, *teacher.network, layers);
  std::vector<std::int64_t> factors(layers, config.paraphrase.factors);
  if (config.paraphrase.factors == 0) {
    const auto student = make_network(config.model.arch, network_options(config));
    factors = graph_flow_factors(*student, tap_pairs(config.distill.student_taps, *student, layers),
                                 config.model.in_channels);
  }
  for (std::size_t i = 0; i < layers; ++i) {
    const auto [shallow, deep] =
        tap_channels(*teacher.network, d.teacher_taps[i], teacher.description.options.in_channels);
    d.sizes.push_back({shallow, deep, factors[i]});
  }
  return d;
}

}  // namespace

int paraphrase_command(const DistillFlags& flags) {
  stop_requested();
  Config config = resolve_config(flags, kParaphraserFolder);
  if (!flags.teacher.empty()) config.distill.teacher = flags.teacher;
  require_keys(config, {"distill.teacher"});
  const Device device = start_training(flags, config);
  trace_nan(config.train.trace_nan);
  const NetworkFile teacher = load_network(config.distill.teacher, device);
  const Dataset dataset = open_configured_dataset(config, needs_of(*teacher.network));
  require_fit(teacher, dataset, config.distill.teacher);

  const ParaphraserDescription description = describe_paraphrasers(config, teacher);
  Paraphrasers paraphrasers(description.sizes);
  paraphrasers.initialise(static_cast<std::uint64_t>(config.train.seed));
  paraphrasers.to(device);

  Loader loader(dataset, Split::train, loader_options(config));
  const SplitCases validation(dataset, Split::val);
  RunFolder folder = open_run_folder(config.output.dir + kParaphraserFolder, flags, config, device);
  const FileEntries entries = checkpoint_entries(description.to_entries(), config, dataset);
  ParaphraseTask task(
      paraphrasers, *teacher.network, description.teacher_taps,
      [&] { return image_batches(validation, dataset.preprocessing, 8); }, entries, activation_dtype(config));

  const std::vector<std::string> terms = paraphraser_terms(paraphrasers.size());
  std::vector<std::string> values;
  for (const std::string& term : terms) values.push_back("val_error_" + term);
  const Stage stage{
      "paraphrase",           "paraphrasers", terms, values, config.paraphrase.max_iterations, config.paraphrase.epochs,
      config.paraphrase.optim};
  const TrainingResult result = run_stage(stage, task, loader, folder, config, flags);
  if (result.interrupted) return kInterrupted;
  if (!flags.part_of.empty()) return 0;
  fmt::print("paraphrasers: {}/best.gfm (step {})\n", folder.checkpoints(), result.best_step);
  return 0;
}

}  // namespace gf
