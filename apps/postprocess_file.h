#pragma once
// Post-processing as JSON: what graphflow postprocess reports of its trials beside the model, for people (the choice
// itself is in the model's file), and what they write by hand for --postprocess and --from.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "data/choose_postprocessing.h"
#include "distill/model_file.h"

namespace gf {

constexpr const char* kPostprocessFile = "postprocess.json";

// Settings alone, class by class with all their keys: {"foreground_largest_component": ..., "classes": {...}}.
nlohmann::ordered_json postprocessing_json(const Postprocessing& p, const std::vector<std::string>& class_names);

void write_postprocessing_report(const std::string& file, const PostprocessingChoice& choice,
                                 const std::vector<std::string>& class_names, const std::string& checkpoint, int cases);

// Errors (bad_data): no such file, another format, a key or class that does not exist, a value out of its range.
Postprocessing read_postprocessing(const std::string& file, const std::vector<std::string>& class_names);

// What the flags say: a file's, nothing where it is turned off, else what the model's file holds. Says on the terminal
// what is applied. Usage error where the run folder has a choice for this checkpoint that its file lacks (made by an
// earlier version, or trained further since): masks would change without a word.
Postprocessing wanted_postprocessing(const PostprocessFlags& flags, const std::string& model,
                                     const NetworkDescription& description);

}  // namespace gf
