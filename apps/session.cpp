#include "apps/session.h"

#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "apps/build_info.h"
#include "apps/scoring.h"
#include "data/paired_loader.h"
#include "data/split_file.h"
#include "data/training_range.h"
#include "distill/baselines/method.h"
#include "engine/device.h"
#include "kernels/error.h"
#include "kernels/losses.h"

namespace gf {

Config resolve_config(const RunFlags& flags, const std::string& subfolder) {
  std::vector<std::string> sets = flags.sets;
  if (!flags.output.empty()) sets.push_back("output.dir=" + flags.output);
  if (flags.threads >= 0) sets.push_back("train.threads=" + std::to_string(flags.threads));
  if (!flags.amp.empty()) sets.push_back("train.amp=" + flags.amp);
  std::string file = flags.config;
  if (file.empty() && flags.resume && !flags.output.empty()) file = flags.output + subfolder + "/config.toml";
  return load_config(file, sets);
}

Device start_engine(const std::string& name, int thread_count, bool quiet) {
  check_processor();
  const Device device = parse_device(name);
  set_threads(thread_count);
  if (!quiet) fmt::print(stderr, "graphflow {}: device {}, {} threads\n", kVersion, describe_device(device), threads());
  return device;
}

void require_bf16_device(const std::string& option, const std::string& device) {
  if (std::holds_alternative<Cpu>(parse_device(device)))
    throw Error(ErrorKind::usage, {option + " needs --device cuda or simt", "", "", "", ""});
}

Device start_training(const RunFlags& flags, const Config& config) {
  if (config.train.amp == "bf16") require_bf16_device("--amp bf16", flags.device);
  return with_tf32(start_engine(flags.device, config.train.threads, !flags.part_of.empty()), config.train.tf32);
}

StepGraphMode parse_step_graph(const std::string& word) {
  return word == "on" ? StepGraphMode::on : word == "off" ? StepGraphMode::off : StepGraphMode::automatic;
}

DType activation_dtype(const Config& config) { return config.train.amp == "bf16" ? DType::bf16 : DType::f32; }

namespace {

// Of a network that takes one size: {0, 0} where the configuration says nothing.
ImageSize image_size(const Config& config) {
  for (const std::vector<int>& size : {config.model.image_size, config.data.pad_to})
    if (!size.empty()) return {size.front(), size.back()};
  return {};
}

// A run opens its data set several times.
void say_once(const std::vector<std::string>& notes) {
  static std::set<std::string> said;
  for (const std::string& note : notes)
    if (said.insert(note).second) fmt::print(stderr, "{}\n", note);
}

Normalisation normalisation_of(const DataConfig& d) { return parse_normalisation(d.normalisation); }

Augmentation augmentation_of(const AugmentConfig& a) {
  Augmentation r;
  const auto number = [](double v) { return static_cast<float>(v); };
  r.hflip = a.hflip;
  r.vflip = a.vflip;
  r.rot90 = a.rot90;
  r.flip_or_rotate = a.flip_or_rotate;
  r.rotation_degrees = number(a.rotation_deg);
  r.rotation_share = number(a.rotation_share);
  r.zoom_share = number(a.zoom_share);
  r.zoom_max = number(1 + a.zoom);
  r.zoom_min = 1 / r.zoom_max;
  r.gain = number(a.intensity);
  r.offset = number(a.intensity / 2);
  r.gamma = number(a.intensity);
  Filters& f = r.filters;
  f.noise = number(a.noise), f.noise_share = number(a.noise_share);
  f.blur = number(a.blur), f.blur_share = number(a.blur_share);
  f.brightness = number(a.brightness), f.brightness_share = number(a.brightness_share);
  f.contrast = number(a.contrast), f.contrast_share = number(a.contrast_share);
  f.low_resolution = number(a.low_resolution), f.low_resolution_share = number(a.low_resolution_share);
  f.gamma = number(a.gamma), f.gamma_share = number(a.gamma_share);
  f.gamma_inverted_share = number(a.gamma_inverted_share);
  return r;
}

}  // namespace

PictureNeeds needs_of(const Network& network) { return {network.stride(), network.image_size()}; }

PictureNeeds configured_needs(const Config& config) {
  return needs_of(*make_network(config.model.arch, {.width = 0.01, .image_size = image_size(config)}));
}

PictureNeeds needs_of_both(const PictureNeeds& a, const PictureNeeds& b) {
  if (a.size != ImageSize{} && b.size != ImageSize{} && a.size != b.size)
    throw Error(ErrorKind::usage, {"the networks take pictures of different sizes", "model.image_size",
                                   fmt::format("{}x{}, the teacher's", a.size.h, a.size.w),
                                   fmt::format("{}x{}", b.size.h, b.size.w), "set it to the teacher's"});
  const PictureNeeds both{std::max(a.stride, b.stride), a.size == ImageSize{} ? b.size : a.size};
  if (both.size.h % both.stride != 0 || both.size.w % both.stride != 0)
    throw Error(ErrorKind::usage,
                {"one network's only picture size does not fit the other's stride", "model.image_size",
                 fmt::format("multiples of {}", both.stride), fmt::format("{}x{}", both.size.h, both.size.w),
                 "train the one that takes a single size with such a size"});
  return both;
}

DatasetSource configured_source(const DataConfig& d) {
  DatasetSource s{d.layout, d.root, d.class_names, d.split_file};
  s.class_order = d.class_order;
  s.keep_sequences = d.split_by == "sequence";
  s.subsets = d.subsets;
  s.fold = d.fold;
  s.val_share = d.val_share;
  s.test_share = d.test_share;
  s.split_seed = static_cast<std::uint64_t>(d.split_seed);
  return s;
}

Preprocessing configured_preprocessing(const Config& config, const PictureNeeds& needs) {
  const std::int64_t stride = needs.stride;
  const DataConfig& d = config.data;
  Preprocessing p;
  p.channels = d.channels;
  p.normalisation = normalisation_of(d);
  p.slice_axis = d.slice_axis;
  p.shrink = d.shrink;
  if (!d.clip.empty()) p.clip = {d.clip[0], d.clip[1]};
  p.percentiles = {d.percentiles[0], d.percentiles[1]};
  if (!d.resize.empty()) {
    p.resize_height = d.resize[0];
    p.resize_width = d.resize[1];
    p.resize_order = d.resize_order;
    p.zoom_border = d.zoom_border == "scipy" ? ZoomBorder::scipy : ZoomBorder::clamp;
  }
  p.stride = d.pad_multiple > 0 ? d.pad_multiple : static_cast<int>(stride);
  if (p.stride % stride != 0)
    throw Error(ErrorKind::usage, {"padding does not fit the network", "data.pad_multiple",
                                   fmt::format("a multiple of {}", stride), std::to_string(p.stride), "leave it at 0"});
  if (!d.pad_to.empty()) {
    p.min_height = d.pad_to[0];
    p.min_width = d.pad_to.back();
  }
  if (needs.size != ImageSize{}) {
    p.min_height = std::max(p.min_height, static_cast<int>(needs.size.h));
    p.min_width = std::max(p.min_width, static_cast<int>(needs.size.w));
  }
  for (const auto& [from, to] : d.label_map) p.label_map.entries[from] = to;
  if (d.ignore_index >= 0) p.label_map.ignore_index = d.ignore_index;
  return p;
}

Dataset open_configured_dataset(Config& config, const PictureNeeds& needs) {
  const DataConfig& d = config.data;
  Dataset dataset = open_dataset(configured_source(d), configured_preprocessing(config, needs));
  say_once(dataset.notes);
  const auto settle = [](int& value, int found, const char* key) {
    if (value == 0) value = found;
    if (value != found)
      throw Error(ErrorKind::usage, {"the configuration disagrees with the data set", key, std::to_string(found),
                                     std::to_string(value), std::string("leave ") + key + " at 0"});
  };
  settle(config.model.num_classes, dataset.classes(), "model.num_classes");
  settle(config.model.in_channels, dataset.preprocessing.channels, "model.in_channels");
  configured_scoring(config.eval, dataset);  // a mistake there would show after training
  return dataset;
}

LoaderOptions loader_options(const Config& config) {
  LoaderOptions o;
  o.batch_size = config.train.batch_size;
  o.threads = std::max(1, config.data.workers);
  o.cache_mb = config.data.cache_mb;
  o.seed = static_cast<std::uint64_t>(config.train.seed);
  o.augmentation = augmentation_of(config.data.augment);
  o.augment_later = config.data.augment_on == "device";
  o.augment_before_resize = config.data.augment_before_resize;
  return o;
}

std::unique_ptr<BatchSource> distillation_batches(const Config& config, const Dataset& dataset) {
  if (config.distill.semi_supervised) return std::make_unique<PairedLoader>(dataset, loader_options(config));
  return std::make_unique<Loader>(dataset, Split::train, loader_options(config));
}

std::int64_t total_steps(int max_iterations, int epochs, const BatchSource& batches) {
  const std::int64_t steps =
      max_iterations > 0 ? max_iterations : static_cast<std::int64_t>(epochs) * batches.steps_per_epoch();
  if (steps <= 0)
    throw Error(ErrorKind::usage, {"nothing to do", "max_iterations and epochs are both 0", "one of them above 0", "",
                                   "set train.max_iterations"});
  return steps;
}

TrainerOptions trainer_options(const Config& config, const OptimConfig& o, std::int64_t steps,
                               const std::string& checkpoints) {
  TrainerOptions t;
  t.max_iterations = steps;
  t.step.accumulate = config.train.accumulate;
  t.optimizer = {o.name, o.lr, o.momentum, o.beta1, o.beta2, o.eps, o.weight_decay};
  t.schedule = {o.schedule, o.power, {o.milestones.begin(), o.milestones.end()}, o.gamma};
  t.step.clip_norm = config.train.clip_norm;
  t.step.graph = parse_step_graph(config.train.step_graph);
  if (config.train.trace_nan && t.step.graph == StepGraphMode::automatic)
    t.step.graph = StepGraphMode::off;  // tracing reads every tensor
  if (config.train.on_nan == "lower_lr") t.on_not_finite = OnNotFinite::lower_lr;
  t.step.shadow_weights = activation_dtype(config) == DType::bf16;
  t.eval_every = config.train.eval_every;
  t.save_every = config.train.save_every;
  t.save_minutes = config.train.save_minutes;
  t.seed = static_cast<std::uint64_t>(config.train.seed);
  t.checkpoints = checkpoints;
  return t;
}

SupervisedOptions supervised_options(const Config& config, const Dataset& dataset) {
  SupervisedOptions o;
  o.ce = config.loss.ce;
  o.dice = config.loss.dice;
  o.activations = activation_dtype(config);
  o.ignore_index = dataset.preprocessing.label_map.ignore_index.value_or(kNoIgnore);
  const std::vector<double>& w = config.loss.class_weights;
  if (w.empty()) return o;
  if (static_cast<int>(w.size()) != dataset.classes())
    throw Error(ErrorKind::usage,
                {"wrong number of class weights", "loss.class_weights", std::to_string(dataset.classes()),
                 std::to_string(w.size()), "give one weight a class, background first"});
  o.class_weights = Tensor::from(std::vector<float>(w.begin(), w.end()), {1, 1, 1, dataset.classes()});
  return o;
}

NetworkOptions network_options(const Config& config) {
  return {config.model.in_channels, config.model.num_classes, config.model.width,
          static_cast<float>(config.model.dropout), configured_needs(config).size};
}

bool needs_paraphrasers(const Config& config) {
  const DistillConfig& d = config.distill;
  if (d.method == "graph_flow") return d.graph.vertex_weight != 0 || d.graph.edge_weight != 0;
  return find_method(d.method).needs.paraphrasers;
}

RunFolder open_run_folder(const std::string& path, const RunFlags& flags, const Config& config, const Device& device) {
  const ExistingRun existing = flags.resume      ? ExistingRun::resume
                               : flags.overwrite ? ExistingRun::overwrite
                                                 : ExistingRun::refuse;
  RunFolder folder(path, existing);
  folder.write_config(config_to_toml(config));
  Environment e = read_environment();
  e.insert(e.begin(), {"graphflow", kVersion});
  e.push_back({"backends", kBackends});
  e.push_back({"device", device_name(device)});
  e.push_back({"threads", std::to_string(threads())});
  folder.write_environment(e);
  return folder;
}

FileEntries checkpoint_entries(FileEntries description, const Config& config, const Dataset& dataset) {
  description["config"] = config_to_toml(config);
  description["version"] = kVersion;
  description["split"] = split_fingerprint(dataset);
  description.merge(measure_training_range(dataset).to_entries());
  return description;
}

std::string resume_file(const RunFolder& folder, const RunFlags& flags) {
  if (!flags.resume) return {};
  const std::string file = folder.checkpoints() + "/latest.gfm";
  if (!std::filesystem::exists(file))
    throw Error(ErrorKind::usage,
                {"nothing to resume", folder.path(), file, "no such file", "start it without --resume"});
  return file;
}

}  // namespace gf
