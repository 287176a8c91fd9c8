#pragma once
// The subcommands of `graphflow`: what the command line says, and one function each (apps/<name>.cpp). They throw
// gf::Error; main turns that into one line on stderr and the exit code.
#include <string>
#include <vector>

namespace gf {

// What the training subcommands share.
struct RunFlags {
  std::string config;             // TOML file; may be empty
  std::vector<std::string> sets;  // a.b=c
  std::string output;             // run folder, instead of output.dir
  std::string device = "auto";
  std::string amp;   // instead of train.amp
  int threads = -1;  // instead of train.threads
  bool resume = false, overwrite = false, quiet = false;
  // Title of the bar of a run that is a part of something larger: nothing else is printed and no report is made.
  std::string part_of;
};

struct TrainFlags : RunFlags {
  std::string init;  // instead of model.init
};
struct DistillFlags : RunFlags {
  std::string teacher, paraphrasers;  // instead of distill.*
  std::string compare;                // run folder of the student trained alone, for the report
  bool list = false;                  // the methods, and nothing is trained
};
// What becomes of predictions (postprocess_file.h).
struct PostprocessFlags {
  std::string file;  // "": what the model's file holds, if anything
  bool off = false;
};
struct EvaluateFlags {
  std::string model, config, output, split = "test", device = "auto";
  std::string truth, prediction;  // masks that exist, in place of a model
  std::string protocol, tex;      // protocol: instead of eval.protocol; tex: a file to write
  std::vector<std::string> sets, classes;
  std::vector<double> nsd_tolerance;  // instead of eval.nsd_tolerance
  std::vector<double> spacing;        // instead of eval.spacing
  bool class_ids = false;             // predictions hold class ids whatever data.label_map
  PostprocessFlags postprocess;
  int threads = 0;
};
struct PredictFlags {
  std::string model, output, device = "auto";
  std::string tile;                 // HEIGHTxWIDTH or one number; empty: pictures whole
  std::vector<std::string> inputs;  // files, folders, or lists of files
  int threads = 0, batch_size = 0;  // batch_size 0: what fits
  double overlap = 0.5;
  bool mirrors = false, probabilities = false, preview = false, statistics = false, report = false;
  bool keep_existing = false;
  PostprocessFlags postprocess;
};
struct PostprocessCommandFlags {
  std::string run, config, device = "auto";  // run: a run folder or a checkpoint
  std::string from;                          // a file of settings to take, in place of choosing
  std::vector<std::string> sets;
  int threads = 0;
};
struct ExportFlags {
  std::string model, output, size;  // size: HEIGHTxWIDTH, "": the preprocessing's
  int threads = 0;
};
struct CompareFlags {
  std::vector<std::string> runs, metrics;
  std::string output, split = "test";
};
struct ReportFlags {
  std::string run, output;  // output "": report.html of the run folder
};
struct SplitFlags {
  std::string config, output = "split.csv";
  std::vector<std::string> sets;
  std::int64_t labelled = 0, seed = 1;
  int folds = 0;
  bool overwrite = false;
};
struct VerifyFlags {
  std::string config, input, json, html;  // input: a folder without a configuration; json, html: files to write
  std::vector<std::string> sets;
  bool strict = false;  // warnings count as errors
  int threads = 0;
};
struct PreviewFlags {
  std::string config, run, output = "preview.png";  // run: a run folder, in place of a configuration
  std::string split;                                // empty: train, or with `cases` where they are
  std::vector<std::string> sets, cases;             // cases: ids; empty: all
  int count = 16, columns = 0, scale = 0;           // 0: what fits
  bool unaugmented = false;
};
struct ConvertFlags {
  std::string input, output, to, class_order = "transunet";  // to: synapse or nifti
  bool keep_existing = false;
};
struct InfoFlags {
  std::string subject;  // empty, the name of a network or of a part of the method, or a file
  double width = 1;
  int in_channels = 1, classes = 2, size = 256;
  int channels = 256, factors = 24;  // of a paraphraser
};
struct DemoFlags {
  bool full = false, overwrite = false;
  std::string output, device = "auto";  // output "": runs/demo or runs/demo_full
  int threads = 0;
};

struct ExperimentFlags {
  std::string file, output, runs, device = "auto";  // output, runs: instead of the file's
  std::vector<std::string> sets, data, only;  // data: FOLDER or NAME=FOLDER; only: parts of row ids, * for anything
  int threads = 0;
  double time_limit = 0;  // seconds; 0: none
  bool list = false, retry_failed = false, overwrite = false, quiet = false;
};

struct SelftestFlags {
  std::string device = "auto", json, dtype = "f32";
  std::vector<std::string> families;  // empty: all
  bool values_only = false, list = false;
  int threads = 0;
};

struct BenchKernelsFlags {
  std::string device = "auto", size = "demo", filter, json;
  int threads = 0;
};
struct BenchStepFlags {
  std::string device = "auto", task = "supervised", network = "mobile_unet", teacher = "fanet", json;
  std::string amp = "off", step_graph = "auto";
  bool tf32 = false, fold_bf16 = false, adversarial = false;
  double width = 1, teacher_width = 1;
  int batch = 4, size = 128, classes = 9, steps = 20, threads = 0;
};

struct BenchLoaderFlags {
  std::string config, json;
  std::vector<std::string> sets;
  int workers = 2, epochs = 4;
};

int train_command(const TrainFlags& flags);
int paraphrase_command(const DistillFlags& flags);
int distill_command(const DistillFlags& flags);
int evaluate_command(const EvaluateFlags& flags);
int predict_command(const PredictFlags& flags);
int postprocess_command(const PostprocessCommandFlags& flags);
int export_command(const ExportFlags& flags);
int compare_command(const CompareFlags& flags);
int report_command(const ReportFlags& flags);
int split_command(const SplitFlags& flags);
int verify_command(const VerifyFlags& flags);
int preview_command(const PreviewFlags& flags);
int convert_command(const ConvertFlags& flags);
int info_command(const InfoFlags& flags);
int demo_command(const DemoFlags& flags);
int experiment_command(const ExperimentFlags& flags);
int bench_kernels_command(const BenchKernelsFlags& flags);
int bench_step_command(const BenchStepFlags& flags);
int bench_loader_command(const BenchLoaderFlags& flags);
int selftest_command(const SelftestFlags& flags);

}  // namespace gf
