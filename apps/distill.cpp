// graphflow distill: a student with Graph Flow, logits distillation and labels.
#include <fmt/format.h>

#include <filesystem>

#include "apps/commands.h"
#include "apps/evaluation.h"
#include "apps/interrupt.h"
#include "apps/mean_teacher.h"
#include "apps/model_check.h"
#include "apps/run_report.h"
#include "apps/session.h"
#include "apps/stage.h"
#include "distill/baselines/method.h"
#include "distill/distillation.h"
#include "distill/inference.h"
#include "distill/model_file.h"
#include "distill/taps.h"
#include "engine/autograd.h"
#include "kernels/error.h"

namespace gf {
namespace {

DistillationOptions distillation_options(const Config& config, const Dataset& dataset, const Network& teacher,
                                         const Network& student) {
  DistillationOptions o;
  const DistillConfig& d = config.distill;
  o.supervised = supervised_options(config, dataset);
  o.vertex_weight = d.graph.vertex_weight;
  o.edge_weight = d.graph.edge_weight;
  o.kd_weight = d.kd.weight;
  o.kd_tau = static_cast<float>(d.kd.tau);
  o.kd_element_mean = d.kd.element_mean;
  o.mask_wrong_teacher = d.mask_wrong_teacher;
  o.graph.salience = {d.graph.k, d.graph.salience == "window" ? SalienceMode::window : SalienceMode::peak,
                      d.graph.absolute};
  o.graph.graph.edges = d.graph.edges == "gram"        ? EdgeMode::gram
                        : d.graph.edges == "variation" ? EdgeMode::variation
                                                       : EdgeMode::distance;
  o.graph.graph.reduction = d.graph.reduction == "sum" ? GraphReduction::sum : GraphReduction::mean;
  const auto layers = static_cast<std::size_t>(d.graph.layers);
  o.teacher_taps = tap_pairs(d.teacher_taps, teacher, layers);
  o.student_taps = tap_pairs(d.student_taps, student, layers);
  o.warmup_steps = d.warmup_steps;
  o.auto_weights.step = d.auto_weights;
  const std::vector<std::string> terms = distillation_terms(config);
  for (std::size_t i = 0; i < terms.size() && !d.auto_shares.empty(); ++i)
    o.auto_weights.shares[terms[i]] = d.auto_shares[d.auto_shares.size() == 1 ? 0 : i];
  o.fold_bf16 = d.fold_bf16;
  if (d.method == "graph_flow") return o;
  o.vertex_weight = o.edge_weight = o.kd_weight = 0;
  return o;
}

AdversarialOptions adversarial_options(const Config& config, std::int64_t steps) {
  const AdversarialConfig& a = config.distill.adversarial;
  AdversarialOptions o;
  o.weight = a.weight;
  o.loss = parse_adversarial_loss(a.type);
  o.conditional = a.conditional;
  o.lambda_d = a.lambda_d;
  o.penalty = a.penalty;
  o.lr = a.lr;
  o.steps = steps;
  o.classes = config.model.num_classes;
  o.image_channels = config.model.in_channels;
  o.preprocess = parse_preprocess(a.preprocess);
  o.width = a.width;
  o.seed = static_cast<std::uint64_t>(config.train.seed);
  return o;
}

std::shared_ptr<Method> method_of(const Config& config, const DistillationOptions& o, Network& teacher,
                                  Network& student, const ParaphraserFile& paraphrasers) {
  const DistillConfig& d = config.distill;
  if (d.method == "graph_flow") return nullptr;
  const TapPair &of_teacher = o.teacher_taps.front(), &of_student = o.student_taps.front();
  const auto [ts, td] = tap_channels(teacher, of_teacher, config.model.in_channels);
  const auto [ss, sd] = tap_channels(student, of_student, config.model.in_channels);
  std::shared_ptr<Method> method =
      make_method(find_method(d.method),
                  {.teacher_shallow = {of_teacher.shallow, ts},
                   .teacher_deep = {of_teacher.deep, td},
                   .student_shallow = {of_student.shallow, ss},
                   .student_deep = {of_student.deep, sd},
                   .factors = paraphrasers.paraphrasers ? paraphrasers.description.sizes.front().factors : 0,
                   .classes = config.model.num_classes,
                   .tau = d.method_tau},
                  d.method_weights);
  method->initialise(static_cast<std::uint64_t>(config.train.seed));
  return method;
}

std::string describe(const MethodInfo& m) {
  std::string terms, needs;
  const auto add = [](std::string& list, const std::string& word) { list += (list.empty() ? "" : ", ") + word; };
  for (const MethodTerm& t : m.terms) add(terms, fmt::format("{} {:g}", t.name, t.weight));
  if (m.needs.logits) add(needs, "logits");
  if (m.needs.shallow) add(needs, "shallow taps");
  if (m.needs.deep) add(needs, "deep taps");
  if (m.needs.labels) add(needs, "labels");
  if (m.needs.paraphrasers) add(needs, "paraphrasers");
  if (!m.needs.teacher) add(needs, "no trained teacher");
  return fmt::format("{} ({}) {}\n  {}\n  weights: {}\n  needs: {}\n  two classes: {}\n", m.name, m.year, m.title,
                     m.formula, terms, needs, m.two_classes);
}

// Whether the paraphrasers in the file are those of this teacher's taps, and make as many factors as the student's taps
// have channels.
void check_paraphrasers(Network& student, const DistillationOptions& o, const ParaphraserFile& file,
                        const Config& config) {
  const auto misfit = [&](const std::string& what, const std::string& expected, const std::string& found) {
    throw Error(ErrorKind::usage,
                {what, config.distill.paraphrasers, expected, found,
                 "run graphflow paraphrase with this configuration (distill.graph.layers, taps, student)"});
  };
  const ParaphraserDescription& d = file.description;
  const std::vector<std::int64_t> factors = graph_flow_factors(student, o.student_taps, config.model.in_channels);
  if (d.sizes.size() < factors.size())
    misfit("too few paraphrasers", fmt::format("{} pairs, as many as the layers", factors.size()),
           std::to_string(d.sizes.size()));
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const TapPair &wanted = o.teacher_taps[i], &learnt = d.teacher_taps[i];
    if (wanted != learnt)
      misfit("the paraphrasers have learnt other taps", wanted.shallow + " and " + wanted.deep,
             learnt.shallow + " and " + learnt.deep);
    if (factors[i] != d.sizes[i].factors)
      misfit("the paraphrasers do not fit the student",
             fmt::format("{} factors for its taps {} and {}", factors[i], o.student_taps[i].shallow,
                         o.student_taps[i].deep),
             std::to_string(d.sizes[i].factors));
  }
}

// The default place is only a guess: where nothing is there, what is missing is a step before this one.
void require_paraphrasers(const Config& config) {
  if (std::filesystem::exists(config.distill.paraphrasers)) return;
  const bool graph = config.distill.method == "graph_flow";
  throw Error(ErrorKind::usage, {(graph ? "Graph Flow" : config.distill.method) + " needs the paraphrasers",
                                 config.distill.paraphrasers, "a file made by graphflow paraphrase", "no such file",
                                 std::string("run graphflow paraphrase with this configuration first, or give "
                                             "--paraphrasers FILE") +
                                     (graph ? "; without the graph (distill.graph.vertex_weight and edge_weight 0) "
                                              "none are needed"
                                            : "")});
}

}  // namespace

int distill_command(const DistillFlags& flags) {
  if (flags.list) {
    for (const MethodInfo& m : methods()) fmt::print("{}", describe(m));
    return 0;
  }
  stop_requested();
  Config config = resolve_config(flags);
  if (!flags.teacher.empty()) config.distill.teacher = flags.teacher;
  if (!flags.paraphrasers.empty()) config.distill.paraphrasers = flags.paraphrasers;
  if (config.distill.paraphrasers.empty())
    config.distill.paraphrasers = config.output.dir + kParaphraserFolder + "/checkpoints/best.gfm";
  if (!find_method(config.distill.method).needs.teacher) return mean_teacher_run(flags, config);
  require_keys(config, {"distill.teacher"});
  const Device device = start_training(flags, config);
  trace_nan(config.train.trace_nan);

  const NetworkFile teacher = load_network(config.distill.teacher, device);
  const Dataset dataset =
      open_configured_dataset(config, needs_of_both(needs_of(*teacher.network), configured_needs(config)));
  require_fit(teacher, dataset, config.distill.teacher);
  const auto student = make_network(config.model.arch, network_options(config));
  student->initialise(static_cast<std::uint64_t>(config.train.seed));
  student->to(device);
  DistillationOptions options = distillation_options(config, dataset, *teacher.network, *student);
  ParaphraserFile paraphrasers;
  if (needs_paraphrasers(config)) {
    require_paraphrasers(config);
    paraphrasers = load_paraphrasers(config.distill.paraphrasers, device);
    check_paraphrasers(*student, options, paraphrasers, config);
  }
  options.method = method_of(config, options, *teacher.network, *student, paraphrasers);

  const std::unique_ptr<BatchSource> batches = distillation_batches(config, dataset);
  options.adversarial =
      adversarial_options(config, total_steps(config.train.max_iterations, config.train.epochs, *batches));
  const SplitCases validation(dataset, Split::val);
  RunFolder folder = open_run_folder(config.output.dir, flags, config, device);
  NetworkDescription description{config.model.arch, network_options(config), dataset.class_names,
                                 dataset.preprocessing};
  const FileEntries entries = checkpoint_entries(description.to_entries(), config, dataset);
  DistillationTask task(
      *student, *teacher.network, paraphrasers.paraphrasers.get(), options,
      [&] { return segmentation_validation(*student, validation, dataset); }, entries);

  std::vector<std::string> terms{"ce", "dice"}, values = segmentation_value_names(dataset);
  for (const std::string& name : distillation_terms(config)) terms.push_back(name);
  if (options.adversarial.weight != 0) values.insert(values.end(), {"d_teacher", "d_student", "d_penalty"});
  std::vector<std::string> notes;
  for (const std::string& doubt : doubts_about_teacher(teacher, dataset)) notes.push_back("warning: " + doubt);
  if (options.method && dataset.classes() == 2 && options.method->info().two_classes != "yes")
    notes.push_back(
        fmt::format("note: {} with two classes: {}", config.distill.method, options.method->info().two_classes));
  const Stage stage{"distill",
                    "distill " + config.model.arch,
                    terms,
                    values,
                    config.train.max_iterations,
                    config.train.epochs,
                    config.optim,
                    notes};
  if (run_stage(stage, task, *batches, folder, config, flags).interrupted) return kInterrupted;
  if (!flags.part_of.empty()) return 0;
  std::vector<ReportEntry> entries_of_report{
      {"teacher " + teacher.description.arch, ModelRole::teacher, config.distill.teacher, ""}};
  if (!flags.compare.empty())
    entries_of_report.push_back(
        {config.model.arch + " alone", ModelRole::student, best_or_final(flags.compare), flags.compare});
  entries_of_report.push_back({config.model.arch + " + " + (options.method ? config.distill.method : "Graph Flow"),
                               ModelRole::distilled, best_or_final(folder), folder.path()});
  report_run(folder, dataset, entries_of_report, config, device);
  return 0;
}

}  // namespace gf
