#pragma once
// A checkpoint is a safetensors file, readable by Python:
//   tensors   model.<name>               parameters and buffers, in PyTorch's order of dimensions
//             optim.<moment>.<name>      optimiser state, parameter by parameter (absent in a file made for inference)
//             companion.model.<name>, companion.optim.<moment>.<name>   the same of a companion
//   metadata  graphflow.*                format, step, optimiser steps, random seed and position, checksum of the file
//             all other keys             the caller's entries: config, classes, preprocessing, metrics, loader position
//
// Saving writes a temporary file, flushes it to the disk and renames it over the old one, so whatever happens (kill -9,
// a full disk, a power cut) the path holds a complete checkpoint, the old or the new: there is no need for a second
// copy. Loading verifies the checksum before it touches anything.
#include <cstdint>
#include <map>
#include <string>

#include "engine/nn/module.h"
#include "engine/optim/optimizer.h"
#include "engine/random.h"

namespace gf {

struct CheckpointState {
  std::int64_t step = 0;
  Random random = Random();
  std::map<std::string, std::string> entries;  // UTF-8; keys beginning "graphflow." are the engine's own
};

// What is trained in turns with the model, one step for one step (a discriminator), and must go on with it.
struct CheckpointCompanion {
  Module* module;
  Optimizer* optimizer;
};

// `optimizer` works on `model`'s parameters; null leaves its state out. `companion` may be null.
void save_checkpoint(const std::string& path, const Module& model, const Optimizer* optimizer,
                     const CheckpointState& state, const CheckpointCompanion* companion = nullptr);

// Parameters that are trained with a model but are no part of it, such as a distillation method's, have names that
// begin with this: they are of a module adopted as `kBeside`. They are in checkpoints to resume from.
constexpr const char* kBeside = "beside";
constexpr const char* kBesideModel = "beside.";

// The entries alone, from the header: fast, whatever the size of the file. The checksum is not looked at.
std::map<std::string, std::string> read_checkpoint_entries(const std::string& path);
// The same with step and random position, for `info`.
CheckpointState read_checkpoint_state(const std::string& path);

// Names the bytes of a checkpoint: its checksum as the header has it.
std::string checkpoint_checksum(const std::string& path);
// Puts `entries` in place of those whose keys begin with `prefix`. Everything else of the file stays to the bit:
// tensors, optimiser state, step, random position; it is replaced as by saving. Refuses a damaged file and one whose
// checksum is not `of`: somebody has saved another meanwhile.
void replace_checkpoint_entries(const std::string& path, const std::string& prefix,
                                const std::map<std::string, std::string>& entries, const std::string& of);

// Refuses a damaged file, a checkpoint of another architecture (listing what differs) and, where an optimizer or a
// companion is given, one without its state. Nothing is touched unless everything fits. A companion in the file that is
// not asked for is left there; without an optimizer so is what was trained beside the model.
void load_checkpoint(const std::string& path, Module& model, Optimizer* optimizer, CheckpointState& state,
                     const CheckpointCompanion* companion = nullptr);

}  // namespace gf
