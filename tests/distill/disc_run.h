#pragma once
// A supervised run on a small data set of discs, as the tests of the training loop need it.
#include <atomic>
#include <memory>
#include <vector>

#include "data/loader.h"
#include "distill/inference.h"
#include "distill/model_file.h"
#include "distill/supervised.h"
#include "distill/trainer.h"
#include "tests/harness/discs.h"

namespace gf::test {

inline const Dataset& discs() {
  static const TemporaryFolder folder;
  static const Dataset dataset = [] {
    write_discs(folder.path(), 24, 40);
    return open_discs(folder.path());
  }();
  return dataset;
}

inline LoaderOptions loader_options() {
  LoaderOptions o;
  o.batch_size = 4;
  o.threads = 2;
  o.seed = 5;
  o.augmentation.rotation_degrees = 20;
  o.augmentation.hflip = true;
  return o;
}

inline TrainerOptions options(const std::string& folder, std::int64_t steps) {
  TrainerOptions o;
  o.max_iterations = steps;
  o.optimizer.lr = 3e-3;
  o.checkpoints = folder;
  o.eval_every = 5;
  o.save_every = 0;
  return o;
}

struct Recorder : TrainingObserver {
  std::vector<StepReport> steps;
  std::vector<double> scores;
  std::atomic<bool>* stop = nullptr;
  std::int64_t stop_at = -1;
  void stepped(const StepReport& r) override {
    steps.push_back(r);
    if (stop && r.step == stop_at) *stop = true;
  }
  void validated(std::int64_t, const Validation& v, bool) override { scores.push_back(v.score); }
};

struct Supervised {
  std::unique_ptr<Network> network;
  SplitCases validation{discs(), Split::val};
  std::unique_ptr<SupervisedTask> task;

  explicit Supervised(const std::string& arch, double width, float dropout = 0, const Device& device = cpu_device(),
                      DType activations = DType::f32) {
    const NetworkOptions o{1, 2, width, dropout};
    network = make_network(arch, o);
    network->initialise(3);
    network->to(device);
    const NetworkDescription d{arch, o, discs().class_names, discs().preprocessing};
    task = std::make_unique<SupervisedTask>(
        *network, SupervisedOptions{.ce = 0.5, .dice = 0.5, .activations = activations},
        [this] { return segmentation_validation(*network, validation, discs()); }, d.to_entries());
  }
};

}  // namespace gf::test
