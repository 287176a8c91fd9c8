#pragma once
// The run configuration: plain structs, filled from built-in defaults, then a TOML file, then `--set a.b=c`.
//
// A member is named as its key (`config.train.batch_size` is `train.batch_size`); config_keys.cpp says for each key
// what it means and what it may hold. A key that does not exist, a value of the wrong type and a value outside its
// range are refused with file and line (ErrorKind::usage). Words ("adam", "gram") stay text here: the code that uses
// one turns it into its own enum, so this file needs to know none of them.
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gf {

struct AugmentConfig {
  bool hflip = false, vflip = false, rot90 = false, flip_or_rotate = false;
  double rotation_deg = 0, rotation_share = 1;
  double zoom = 0, zoom_share = 1;
  double intensity = 0;
  double noise = 0, noise_share = 0.1;
  double blur = 0, blur_share = 0.2;
  double brightness = 0, brightness_share = 0.15;
  double contrast = 0, contrast_share = 0.15;
  double low_resolution = 1, low_resolution_share = 0.25;
  double gamma = 0, gamma_share = 0.3, gamma_inverted_share = 0.1;

  bool operator==(const AugmentConfig&) const = default;
};

struct DataConfig {
  std::string layout = "images_masks";
  std::string root;
  std::string split_file;
  int split_seed = 1;
  std::string split_by = "sequence";
  double val_share = 0.1, test_share = 0.2;
  int fold = 0;
  std::vector<std::string> subsets;
  std::string class_order;
  std::map<int, int> label_map;
  int ignore_index = -1;
  std::vector<std::string> class_names;
  int channels = 1;
  std::string normalisation = "percentile";
  std::vector<double> clip;
  std::vector<double> percentiles = {0.5, 99.5};
  int slice_axis = 2;
  int shrink = 1;
  std::vector<int> resize;
  int resize_order = 3;
  std::string zoom_border = "clamp";
  int pad_multiple = 0;
  std::vector<int> pad_to;
  int cache_mb = 2048;
  int workers = 1;
  std::string augment_on = "loader";
  std::string augment_preset = "none";
  bool augment_before_resize = false;
  AugmentConfig augment;

  bool operator==(const DataConfig&) const = default;
};

struct ModelConfig {
  std::string arch = "mobile_unet";
  double width = 1;
  double dropout = -1;
  int num_classes = 0;
  int in_channels = 0;
  std::vector<int> image_size;
  std::string init;
  bool init_strict = true;

  bool operator==(const ModelConfig&) const = default;
};

struct TrainConfig {
  int max_iterations = 0;
  int epochs = 200;
  int batch_size = 8;
  int accumulate = 1;
  std::int64_t seed = 1;
  int threads = 0;
  int log_every = 10;
  int eval_every = 500;
  int save_every = 500;
  double save_minutes = 10;
  double clip_norm = 0;
  bool trace_nan = false;
  std::string on_nan = "stop";
  std::string step_graph = "auto";
  std::string amp = "off";
  bool tf32 = false;

  bool operator==(const TrainConfig&) const = default;
};

struct OptimConfig {
  std::string name = "adam";
  double lr = 3e-4;
  double momentum = 0.9;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 2e-4;
  std::string schedule = "poly";
  double power = 0.9;
  std::vector<int> milestones = {};
  double gamma = 0.1;

  bool operator==(const OptimConfig&) const = default;
};

struct LossConfig {
  double ce = 1, dice = 0;
  std::vector<double> class_weights;

  bool operator==(const LossConfig&) const = default;
};

struct GraphConfig {
  double vertex_weight = 1e-5, edge_weight = 1e-9;
  int layers = 1;
  int k = 3;
  std::string edges = "gram";
  std::string salience = "peak";
  bool absolute = false;
  std::string reduction = "sum";

  bool operator==(const GraphConfig&) const = default;
};

struct LogitsConfig {
  double weight = 1, tau = 1;
  bool element_mean = true;

  bool operator==(const LogitsConfig&) const = default;
};

struct AdversarialConfig {
  double weight = 0;
  std::string type = "wgan_gp";
  bool conditional = false;
  std::string preprocess = "tanh";
  double width = 1;
  double lr = 3e-5;
  double lambda_d = 1, penalty = 10;

  bool operator==(const AdversarialConfig&) const = default;
};

struct MeanTeacherConfig {
  double decay = 0.99, noise = 0.1;

  bool operator==(const MeanTeacherConfig&) const = default;
};

struct DistillConfig {
  std::string method = "graph_flow";
  std::vector<double> method_weights;
  double method_tau = 0;
  std::string teacher, paraphrasers;
  std::vector<std::string> teacher_taps, student_taps;
  int warmup_steps = 0;
  int auto_weights = 0;
  std::vector<double> auto_shares;
  bool fold_bf16 = false;
  bool semi_supervised = false;
  bool mask_wrong_teacher = false;
  GraphConfig graph;
  LogitsConfig kd;
  AdversarialConfig adversarial;
  MeanTeacherConfig mean_teacher;

  bool operator==(const DistillConfig&) const = default;
};

struct ParaphraseConfig {
  int factors = 0;
  int max_iterations = 0;
  int epochs = 200;
  OptimConfig optim = {.name = "sgd"};

  bool operator==(const ParaphraseConfig&) const = default;
};

struct EvalConfig {
  std::string protocol = "standard";
  std::string distance = "auto";
  std::vector<double> spacing;
  std::vector<double> nsd_tolerance = {2};
  std::string gastric_crop = "centre";

  bool operator==(const EvalConfig&) const = default;
};

struct OutputConfig {
  std::string dir;

  bool operator==(const OutputConfig&) const = default;
};

struct Config {
  DataConfig data;
  ModelConfig model;
  TrainConfig train;
  OptimConfig optim;
  LossConfig loss;
  DistillConfig distill;
  ParaphraseConfig paraphrase;
  EvalConfig eval;
  OutputConfig output;

  bool operator==(const Config&) const = default;
};

// Defaults, then the file (none where `path` is empty), then each "a.b=c" in order. What the rest decides is filled in:
// [data.augment] from data.augment_preset, model.in_channels from data.channels, model.num_classes from
// data.class_names (where there are none it stays 0, for the data set to fill), output.dir from the file's name.
Config load_config(const std::string& path, const std::vector<std::string>& overrides = {});

// The same from text, as stored in a checkpoint; `name` stands for the file in messages.
Config parse_config(std::string_view text, const std::string& name, const std::vector<std::string>& overrides = {});

// Names of the distillation terms: those of the method in the order of graphflow distill --list, then "adv" where its
// weight is not 0.
std::vector<std::string> distillation_terms(const Config& config);

// Refuses keys left empty that a subcommand cannot do without: require_keys(config, {"data.root", "distill.teacher"}).
void require_keys(const Config& config, std::initializer_list<std::string_view> keys);

// Every key with its value, its meaning and its default as comments; parse_config() of it gives `config` again.
std::string config_to_toml(const Config& config);

// Every key with type, default, allowed values and meaning, for `graphflow train --keys` and the documents.
std::string print_schema();

// One line a key whose values differ: "optim.lr: 0.001 -> 0.0003". What a resumed run shows.
std::vector<std::string> config_diff(const Config& before, const Config& after);

}  // namespace gf
