#include "apps/mean_teacher.h"

#include "apps/evaluation.h"
#include "apps/interrupt.h"
#include "apps/run_report.h"
#include "apps/session.h"
#include "apps/stage.h"
#include "distill/baselines/method.h"
#include "distill/inference.h"
#include "distill/mean_teacher.h"
#include "engine/autograd.h"

namespace gf {
namespace {

MeanTeacherOptions mean_teacher_options(const Config& config, const Dataset& dataset, std::int64_t steps) {
  const DistillConfig& d = config.distill;
  const std::string term = find_method(d.method).terms[0].name;
  MeanTeacherOptions o;
  o.supervised = supervised_options(config, dataset);
  o.weight = d.method_weights.empty() ? find_method(d.method).terms[0].weight : d.method_weights[0];
  o.decay = d.mean_teacher.decay;
  o.rampup_steps = d.warmup_steps > 0 ? d.warmup_steps : 2 * steps / 5;
  o.noise = d.mean_teacher.noise;
  o.auto_weights.step = d.auto_weights;
  if (!d.auto_shares.empty()) o.auto_weights.shares[term] = d.auto_shares[0];
  return o;
}

}  // namespace

int mean_teacher_run(const DistillFlags& flags, Config& config) {
  const Device device = start_training(flags, config);
  trace_nan(config.train.trace_nan);
  const Dataset dataset = open_configured_dataset(config, configured_needs(config));
  const auto student = make_network(config.model.arch, network_options(config)),
             average = make_network(config.model.arch, network_options(config));
  student->initialise(static_cast<std::uint64_t>(config.train.seed));
  student->to(device);
  average->to(device);

  const std::unique_ptr<BatchSource> batches = distillation_batches(config, dataset);
  const std::int64_t steps = total_steps(config.train.max_iterations, config.train.epochs, *batches);
  const SplitCases validation(dataset, Split::val);
  RunFolder folder = open_run_folder(config.output.dir, flags, config, device);
  const NetworkDescription description{config.model.arch, network_options(config), dataset.class_names,
                                       dataset.preprocessing};
  MeanTeacherTask task(
      *student, *average, mean_teacher_options(config, dataset, steps),
      [&] { return segmentation_validation(*average, validation, dataset); },
      checkpoint_entries(description.to_entries(), config, dataset));

  std::vector<std::string> terms{"ce", "dice"};
  for (const std::string& name : distillation_terms(config)) terms.push_back(name);
  const Stage stage{"distill",
                    "mean teacher " + config.model.arch,
                    terms,
                    segmentation_value_names(dataset),
                    config.train.max_iterations,
                    config.train.epochs,
                    config.optim};
  if (run_stage(stage, task, *batches, folder, config, flags).interrupted) return kInterrupted;
  if (!flags.part_of.empty()) return 0;
  std::vector<ReportEntry> entries;
  if (!flags.compare.empty())
    entries.push_back({config.model.arch + " alone", ModelRole::student, best_or_final(flags.compare), flags.compare});
  entries.push_back(
      {config.model.arch + " + mean teacher", ModelRole::distilled, best_or_final(folder), folder.path()});
  report_run(folder, dataset, entries, config, device);
  return 0;
}

}  // namespace gf
