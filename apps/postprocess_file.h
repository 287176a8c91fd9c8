#pragma once
// postprocess.json of a run folder: the cleaning of predictions that graphflow postprocess chose on validation, and
// what every trial brought. predict and evaluate apply it to the run's models; people may write one by hand.
#include <string>
#include <vector>

#include "apps/commands.h"
#include "data/choose_postprocessing.h"

namespace gf {

constexpr const char* kPostprocessFile = "postprocess.json";

void write_postprocessing(const std::string& file, const PostprocessingChoice& choice,
                          const std::vector<std::string>& class_names, const std::string& checkpoint, int cases);

// Errors (bad_data): no such file, another format, a key or class that does not exist, a value out of its range.
Postprocessing read_postprocessing(const std::string& file, const std::vector<std::string>& class_names);

// What the flags say: a file, nothing where it is turned off, else what lies in the run folder of the checkpoint (the
// folder above its checkpoints/), if anything does. Says on the terminal which file is applied.
Postprocessing wanted_postprocessing(const PostprocessFlags& flags, const std::string& model,
                                     const std::vector<std::string>& class_names);

// "liver: largest component; spleen: objects from 12 mm3, holes filled"
std::string describe(const Postprocessing& p, const std::vector<std::string>& class_names);

}  // namespace gf
