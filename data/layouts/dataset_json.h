#pragma once
// What a reader of the data needs of the descriptions that lie beside it: nnU-Net's dataset.json (both versions) and
// Decathlon's, which MONAI's datalists continue.
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace gf {

// The file as JSON (an object). bad_data where it is none.
nlohmann::json read_json_object(const std::string& path);

struct DatasetDescription {
  std::vector<std::string> class_names;        // by id; without "ignore"
  std::optional<int> ignore_index;             // the last label where it is called "ignore"
  std::vector<std::string> channels;           // "channel_names" (version 2) or "modality" (version 1); may be empty
  std::string ending = ".nii.gz";              // "file_ending"
  std::optional<std::int64_t> training_cases;  // "numTraining"
};

// bad_data where the file is no JSON, holds no labels, labels are regions of several values, or ids are not 0, 1, 2,
// ...
DatasetDescription read_dataset_json(const std::string& path);

// All names by id, "ignore" too.
std::vector<std::string> class_names_from_json(const std::string& path);

// "labels" as {"0": "name"} (Decathlon) or {"name": 0} (nnU-Net version 2), names by id.
std::vector<std::string> class_names_of(const nlohmann::json& labels, const std::string& path);

}  // namespace gf
