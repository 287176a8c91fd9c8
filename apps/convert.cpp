// graphflow convert: BTCV's NIfTI volumes to TransUNet's Synapse files and back. A case that cannot be converted is
// reported and the rest go on (exit code 4).
#include <filesystem>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "data/convert_synapse.h"
#include "data/dataset.h"
#include "kernels/error.h"

namespace gf {

int convert_command(const ConvertFlags& flags) {
  namespace fs = std::filesystem;
  const std::atomic<bool>& stop = stop_requested();
  const bool to_synapse = flags.to == "synapse";
  const OrganOrder& order = find_organ_order(flags.class_order);
  DatasetSource source{to_synapse ? "btcv" : "synapse", flags.input, {}};
  source.val_share = 0;
  if (!to_synapse) source.class_order = flags.class_order;
  Dataset dataset = open_dataset(source, {});
  for (const std::string& note : dataset.notes) fmt::print(stderr, "{}\n", note);
  if (!flags.keep_existing && fs::exists(flags.output) && !fs::is_empty(flags.output))
    throw Error(ErrorKind::usage, {"the output folder is not empty", flags.output, "a new folder", "",
                                   "--continue keeps what is there and makes the rest"});
  std::vector<Case> done;
  std::size_t failed = 0, without_geometry = 0;
  {
    Progress progress("convert", static_cast<std::int64_t>(dataset.cases.size()));
    for (std::size_t i = 0; i < dataset.cases.size() && !stop; ++i) {
      const Case& c = dataset.cases[i];
      try {
        const std::string last = to_synapse ? synapse_file(c, flags.output) : btcv_file(c, flags.output);
        if (!flags.keep_existing || !fs::exists(last)) {
          if (to_synapse)
            write_synapse_case(c, order, flags.output);
          else
            without_geometry += !write_btcv_case(c, order, flags.output);
        }
        done.push_back(c);
      } catch (const Error& e) {
        if (e.kind() != ErrorKind::bad_data) throw;
        ++failed;
        progress.note(fmt::format("failed: {}", e.what()));
      }
      progress.update(static_cast<std::int64_t>(i) + 1, 0, {});
    }
  }
  if (to_synapse && !done.empty()) write_synapse_lists(done, flags.output);
  if (without_geometry > 0)
    fmt::print(stderr, "warning: {} cases know no geometry: voxels of 1 mm without orientation\n", without_geometry);
  fmt::print("{} cases, {} failed: {}\nlabels in the order {}: {}\n", done.size(), failed, flags.output, order.name,
             organ_list(order));
  if (stop) return kInterrupted;
  return failed == 0 ? 0 : static_cast<int>(ErrorKind::some_cases_failed);
}

}  // namespace gf
