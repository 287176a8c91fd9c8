#include "engine/io/weights.h"

#include "engine/io/checkpoint_format.h"
#include "engine/io/safetensors.h"
#include "engine/io/tensor_match.h"

namespace gf {
namespace {

// Counts batches for averages we do not take; every PyTorch batch norm has one.
bool is_batch_counter(const std::string& name) { return name.ends_with("num_batches_tracked"); }

}  // namespace

void save_weights(const std::string& path, const Module& module, const Metadata& metadata) {
  write_safetensors(path, to_write(module_tensors(module, "")), metadata);
}

LoadReport load_weights(Module& module, const std::string& path, LoadMode mode) {
  const SafetensorsFile file(path);
  const bool checkpoint = is_checkpoint(file);
  if (checkpoint) file.verify_checksum("checkpoint");
  const std::vector<NamedTensor> tensors = module_tensors(module, checkpoint ? kModelPrefix : "");
  const LoadReport report = match(file, tensors, [&](const std::string& name) {
    return is_batch_counter(name) ||
           (checkpoint && (name.starts_with(kOptimizerPrefix) || name.starts_with(kCompanionPrefix)));
  });
  if (mode == LoadMode::strict && !report.complete())
    refuse("weights do not fit the network", path, report, "give the file of the same architecture, or load by name");
  load_matched(file, tensors, report);
  return report;
}

}  // namespace gf
