#pragma once
// From a configuration to the objects of a run: data set, loader, trainer options. Shared by the subcommands that
// train.
#include <memory>
#include <string>

#include "apps/commands.h"
#include "apps/config.h"
#include "apps/run_folder.h"
#include "data/loader.h"
#include "distill/model_file.h"
#include "distill/supervised.h"
#include "distill/trainer.h"
#include "models/network.h"

namespace gf {

// Where `paraphrase` works, below the output folder.
constexpr const char* kParaphraserFolder = "/paraphraser";

// The configuration with the flags laid over it. On resume without --config, the one saved in the run folder, which is
// flags.output + subfolder.
Config resolve_config(const RunFlags& flags, const std::string& subfolder = {});

// Sets the threads, prints one line of what runs where, and gives the device.
Device start_engine(const std::string& device, int threads, bool quiet = false);
// Throws, naming the option, where bf16 is asked of a device that computes in float32 only.
void require_bf16_device(const std::string& option, const std::string& device);
// start_engine() for a training subcommand, once train.amp is known to fit the device. A part of something larger does
// not print.
Device start_training(const RunFlags& flags, const Config& config);
DType activation_dtype(const Config& config);  // of train.amp

// What the networks of a run ask of its pictures: multiples of a stride, or where `size` is set that size alone.
struct PictureNeeds {
  std::int64_t stride = 1;
  ImageSize size;
};
PictureNeeds needs_of(const Network& network);
PictureNeeds configured_needs(const Config& config);  // of [model]'s network; what the data set decides may be open
PictureNeeds needs_of_both(const PictureNeeds& a, const PictureNeeds& b);  // usage error where they do not agree

DatasetSource configured_source(const DataConfig& d);
// The preprocessing of [data], padded for such networks.
Preprocessing configured_preprocessing(const Config& config, const PictureNeeds& needs);
// The data set of [data], padded for such networks. Fills config.model.num_classes and in_channels where they were left
// to the data set, refuses them where they disagree.
Dataset open_configured_dataset(Config& config, const PictureNeeds& needs);

StepGraphMode parse_step_graph(const std::string& word);  // "auto", "on", "off"
LoaderOptions loader_options(const Config& config);
// The training part; with distill.semi_supervised half of every batch is of the unlabelled part.
std::unique_ptr<BatchSource> distillation_batches(const Config& config, const Dataset& dataset);
// Steps from max_iterations, else from epochs and the loader's length.
std::int64_t total_steps(int max_iterations, int epochs, const BatchSource& batches);
TrainerOptions trainer_options(const Config& config, const OptimConfig& optim, std::int64_t steps,
                               const std::string& checkpoints);
SupervisedOptions supervised_options(const Config& config, const Dataset& dataset);
NetworkOptions network_options(const Config& config);
bool needs_paraphrasers(const Config& config);  // the distillation of [distill]

// The run folder of a training subcommand with config.toml and env.json in it.
RunFolder open_run_folder(const std::string& path, const RunFlags& flags, const Config& config, const Device& device);
// A checkpoint's entries: what the model is, the configuration it was trained with, the version that wrote it, and the
// fingerprint of the data set's split.
FileEntries checkpoint_entries(FileEntries description, const Config& config, const Dataset& dataset);
// checkpoints/latest.gfm where the flags ask to resume, else "". Throws where there is none.
std::string resume_file(const RunFolder& folder, const RunFlags& flags);

}  // namespace gf
