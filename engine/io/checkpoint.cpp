#include "engine/io/checkpoint.h"

#include <charconv>

#include "engine/io/checkpoint_format.h"
#include "engine/io/safetensors.h"
#include "engine/io/tensor_match.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr int kVersion = 1;
constexpr const char* kVersionKey = "graphflow.version";
constexpr const char* kStepKey = "graphflow.step";
constexpr const char* kSeedKey = "graphflow.random_seed";
constexpr const char* kPositionKey = "graphflow.random_position";
constexpr const char* kOptimizerStepsKey = "graphflow.optimizer_steps";

// The optimiser's flat buffers as one tensor a parameter. Its buffers are laid out like the flat buffer the parameters
// themselves live in (flat_parameters.h), whose first entry is at 0: a parameter's offset is its distance from the
// first.
std::vector<NamedTensor> optimizer_tensors(const Module& model, const Optimizer& optimizer,
                                           const std::string& prefix = kOptimizerPrefix) {
  const std::vector<NamedTensor> parameters = model.parameters();
  std::vector<NamedTensor> all;
  for (const Optimizer::State& state : optimizer.state())
    for (const NamedTensor& p : parameters) {
      const std::ptrdiff_t offset = data_as<float>(p.tensor.view()) - data_as<float>(parameters.front().tensor.view());
      if (offset < 0 || offset + p.tensor.count() > state.buffer.count())
        fail("optimiser of another model", p.name, "a parameter that the optimiser steps", p.tensor.shape().str());
      all.push_back({prefix + state.name + "." + p.name,
                     state.buffer.view_channels(offset, p.tensor.count()).view_shape(p.tensor.shape()), p.layout});
    }
  return all;
}

std::vector<NamedTensor> companion_tensors(const CheckpointCompanion& companion) {
  const std::string prefix = kCompanionPrefix;
  std::vector<NamedTensor> all = module_tensors(*companion.module, prefix + kModelPrefix);
  for (NamedTensor& t : optimizer_tensors(*companion.module, *companion.optimizer, prefix + kOptimizerPrefix))
    all.push_back(std::move(t));
  return all;
}

std::string optimizer_state_names(const Optimizer& optimizer) {
  std::string names;
  for (const Optimizer::State& state : optimizer.state()) names += (names.empty() ? "" : ", ") + state.name;
  return names;
}

template <class Number>
Number number(const SafetensorsFile& file, const char* key) {
  const auto it = file.metadata().find(key);
  if (it == file.metadata().end()) bad_data("checkpoint lacks an entry", file.path(), key, "none");
  const std::string& text = it->second;
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    bad_data("checkpoint entry is no number", file.path(), std::string("a whole number for ") + key,
             "\"" + text + "\"");
  return value;
}

void require_checkpoint(const SafetensorsFile& file) {
  if (!is_checkpoint(file))
    bad_data("not a checkpoint", file.path(), "a file saved by graphflow", "a safetensors file without its marks",
             "weights alone are taken by --init");
  if (const int version = number<int>(file, kVersionKey); version != kVersion)
    bad_data("checkpoint of another version", file.path(), "format " + std::to_string(kVersion),
             std::to_string(version), "use the graphflow version that wrote it");
}

CheckpointState state_in(const SafetensorsFile& file) {
  CheckpointState state;
  state.step = number<std::int64_t>(file, kStepKey);
  state.random = Random(number<std::uint64_t>(file, kSeedKey), number<std::uint64_t>(file, kPositionKey));
  for (const auto& [key, value] : file.metadata())
    if (!key.starts_with(kOwnKeys)) state.entries[key] = value;
  return state;
}

}  // namespace

void save_checkpoint(const std::string& path, const Module& model, const Optimizer* optimizer,
                     const CheckpointState& state, const CheckpointCompanion* companion) {
  Metadata metadata = state.entries;
  for (const auto& [key, value] : metadata)
    if (key.starts_with(kOwnKeys))
      fail("checkpoint entry with a name of the engine's own", path,
           std::string("no name that begins with ") + kOwnKeys, key);
  metadata[kFormatKey] = kFormatName;
  metadata[kVersionKey] = std::to_string(kVersion);
  metadata[kStepKey] = std::to_string(state.step);
  metadata[kSeedKey] = std::to_string(state.random.seed());
  metadata[kPositionKey] = std::to_string(state.random.position());
  std::vector<NamedTensor> tensors = module_tensors(model, kModelPrefix);
  if (optimizer) {
    metadata[kOptimizerStepsKey] = std::to_string(optimizer->steps());
    for (NamedTensor& t : optimizer_tensors(model, *optimizer)) tensors.push_back(std::move(t));
  }
  if (companion)
    for (NamedTensor& t : companion_tensors(*companion)) tensors.push_back(std::move(t));
  write_safetensors(path, to_write(tensors), std::move(metadata), Checksum::crc32);
}

CheckpointState read_checkpoint_state(const std::string& path) {
  const SafetensorsFile file(path);
  require_checkpoint(file);
  return state_in(file);
}

std::map<std::string, std::string> read_checkpoint_entries(const std::string& path) {
  return read_checkpoint_state(path).entries;
}

std::string checkpoint_checksum(const std::string& path) {
  const SafetensorsFile file(path);
  require_checkpoint(file);
  const auto at = file.metadata().find(kChecksumKey);
  return at == file.metadata().end() ? std::string() : at->second;
}

void replace_checkpoint_entries(const std::string& path, const std::string& prefix,
                                const std::map<std::string, std::string>& entries, const std::string& of) {
  const SafetensorsFile file(path);  // stays on the old file while the new one takes its name
  require_checkpoint(file);
  file.verify_checksum("checkpoint");
  Metadata metadata = file.metadata();
  if (metadata[kChecksumKey] != of)
    fail("the checkpoint has been saved anew meanwhile", path, "checksum " + of, metadata[kChecksumKey],
         "wait until its training has ended, and repeat");
  std::erase_if(metadata, [&](const auto& entry) { return entry.first.starts_with(prefix); });
  metadata.insert(entries.begin(), entries.end());
  std::vector<TensorToWrite> tensors;
  for (const FileTensor& t : file.tensors())
    tensors.push_back({t.name, t.dtype, t.shape, [&](std::span<std::byte> out) { file.read_bytes(t, out); }});
  write_safetensors(path, std::move(tensors), std::move(metadata), Checksum::crc32);
}

void load_checkpoint(const std::string& path, Module& model, Optimizer* optimizer, CheckpointState& state,
                     const CheckpointCompanion* companion) {
  const SafetensorsFile file(path);
  require_checkpoint(file);
  file.verify_checksum("checkpoint");
  CheckpointState loaded = state_in(file);

  std::vector<NamedTensor> tensors = module_tensors(model, kModelPrefix);
  const auto of_optimizer = [](const std::string& name) { return name.starts_with(kOptimizerPrefix); };
  const auto of_companion = [](const std::string& name) { return name.starts_with(kCompanionPrefix); };
  // The model first, so that a wrong architecture is not buried under its moments.
  const std::string beside = std::string(kModelPrefix) + kBesideModel;
  LoadReport report = match(file, tensors, [&](const std::string& name) {
    return of_optimizer(name) || of_companion(name) || (!optimizer && name.starts_with(beside));
  });
  if (!report.complete())
    refuse("checkpoint of another architecture", path, report, "resume with the configuration it was made with");

  std::int64_t optimizer_steps = 0;
  if (optimizer) {
    if (!file.metadata().contains(kOptimizerStepsKey))
      bad_data("checkpoint cannot be resumed", path, "optimiser state", "none: it was saved for inference",
               "resume from the newest checkpoint of the run");
    optimizer_steps = number<std::int64_t>(file, kOptimizerStepsKey);
    const std::vector<NamedTensor> moments = optimizer_tensors(model, *optimizer);
    const LoadReport fit = match(file, moments, [&](const std::string& name) { return !of_optimizer(name); });
    if (!fit.complete())
      refuse("checkpoint of another optimiser", path, fit,
             "this run keeps " + optimizer_state_names(*optimizer) + ": resume with the optimiser it was made with");
    tensors.insert(tensors.end(), moments.begin(), moments.end());
    report.loaded.insert(report.loaded.end(), fit.loaded.begin(), fit.loaded.end());
  }
  if (companion) {
    const std::vector<NamedTensor> theirs = companion_tensors(*companion);
    const LoadReport fit = match(file, theirs, [&](const std::string& name) { return !of_companion(name); });
    if (fit.loaded.empty())
      bad_data("checkpoint cannot be resumed", path, "the discriminator that the model is trained against", "none",
               "resume with the configuration it was made with");
    if (!fit.complete())
      refuse("checkpoint of another discriminator", path, fit, "resume with the configuration it was made with");
    tensors.insert(tensors.end(), theirs.begin(), theirs.end());
    report.loaded.insert(report.loaded.end(), fit.loaded.begin(), fit.loaded.end());
  }
  load_matched(file, tensors, report);
  if (optimizer) optimizer->set_steps(optimizer_steps);
  if (companion) companion->optimizer->set_steps(optimizer_steps);
  state = std::move(loaded);
}

}  // namespace gf
