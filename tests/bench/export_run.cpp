// Writes what a training run starts from, its initial weights and every batch it will see, so that another engine can
// run the same (tests/bench/compare_dice.py does).
//   export_run CONFIG FOLDER [a.b=c ...]     FOLDER/weights.safetensors and FOLDER/batches.safetensors
// batches: image (steps, n, h, w, c) f32, label (steps, n, h, w) i32.
#include <cstdio>
#include <filesystem>
#include <vector>

#include "apps/session.h"
#include "data/loader.h"
#include "engine/io/safetensors.h"
#include "engine/io/weights.h"
#include "kernels/error.h"

int main(int argc, char** argv) {
  using namespace gf;
  if (argc < 3) {
    std::fputs("usage: export_run CONFIG FOLDER [a.b=c ...]\n", stderr);
    return 2;
  }
  try {
    Config config = load_config(argv[1], std::vector<std::string>(argv + 3, argv + argc));
    const std::string folder = argv[2];
    std::filesystem::create_directories(folder);
    const Dataset dataset = open_configured_dataset(config, configured_needs(config));
    const auto network = make_network(config.model.arch, network_options(config));
    network->initialise(static_cast<std::uint64_t>(config.train.seed));
    save_weights(folder + "/weights.safetensors", *network);

    Loader loader(dataset, Split::train, loader_options(config));
    const std::int64_t steps = total_steps(config.train.max_iterations, config.train.epochs, loader);
    std::vector<float> images;
    std::vector<std::int32_t> labels;
    Shape shape;
    for (std::int64_t i = 0; i < steps; ++i) {
      const Batch batch = loader.next();
      shape = batch.image.shape();
      const float* image = batch.image.data();
      const std::int32_t* label = batch.label.data<std::int32_t>();
      images.insert(images.end(), image, image + batch.image.count());
      labels.insert(labels.end(), label, label + batch.label.count());
    }
    write_safetensors(folder + "/batches.safetensors",
                      {to_write("image", {steps, shape.n, shape.h, shape.w, shape.c}, images),
                       to_write("label", {steps, shape.n, shape.h, shape.w}, labels)});
    return 0;
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return static_cast<int>(e.kind());
  }
}
