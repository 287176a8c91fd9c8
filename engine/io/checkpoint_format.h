#pragma once
// Names inside a checkpoint file (checkpoint.h has the picture).
#include "engine/io/safetensors.h"

namespace gf {

constexpr const char* kModelPrefix = "model.";
constexpr const char* kOptimizerPrefix = "optim.";
constexpr const char* kCompanionPrefix = "companion.";  // and behind it one of the two above
constexpr const char* kOwnKeys = "graphflow.";
constexpr const char* kFormatKey = "graphflow.format";
constexpr const char* kFormatName = "checkpoint";

inline bool is_checkpoint(const SafetensorsFile& file) {
  const auto format = file.metadata().find(kFormatKey);
  return format != file.metadata().end() && format->second == kFormatName;
}

}  // namespace gf
