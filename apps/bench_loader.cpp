// graphflow bench loader: pictures a second that the loader gives, the configuration's augmentation included: decoded
// in the first epoch, out of memory in the others (as far as data.cache_mb goes).
#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/build_info.h"
#include "apps/commands.h"
#include "apps/session.h"
#include "data/loader.h"
#include "engine/io/atomic_file.h"

namespace gf {

int bench_loader_command(const BenchLoaderFlags& flags) {
  Config config = load_config(flags.config, flags.sets);
  config.data.workers = flags.workers;
  const Dataset dataset = open_configured_dataset(config, configured_needs(config));

  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();  // the workers start at once
  Loader loader(dataset, Split::train, loader_options(config));
  const auto pictures = static_cast<double>(loader.steps_per_epoch() * config.train.batch_size);
  const auto epochs = [&](int count) {
    for (std::int64_t i = 0; i < count * loader.steps_per_epoch(); ++i) loader.next();
    return Clock::now();
  };
  const Clock::time_point decoded = epochs(1), end = epochs(flags.epochs);
  const double first = std::chrono::duration<double>(decoded - start).count();
  const double later = std::chrono::duration<double>(end - decoded).count();
  const double with = pictures / first, without = flags.epochs * pictures / later;
  fmt::print("{} pictures an epoch, {} workers: {:.0f} pictures/s while decoding, {:.0f} pictures/s after\n", pictures,
             flags.workers, with, without);
  if (flags.json.empty()) return 0;
  const nlohmann::ordered_json document{
      {"graphflow", kVersion},    {"pictures_per_epoch", pictures},     {"batch", config.train.batch_size},
      {"workers", flags.workers}, {"first_epoch_pictures_per_s", with}, {"later_epochs_pictures_per_s", without}};
  write_file_atomically(flags.json, document.dump(1) + "\n");
  return 0;
}

}  // namespace gf
