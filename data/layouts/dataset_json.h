#pragma once
// The part of nnU-Net's dataset.json that a reader of the data needs.
#include <string>
#include <vector>

namespace gf {

// Class names by id from "labels", as {"0": "name"} (Decathlon) or {"name": 0} (nnU-Net v2). bad_data where the file is
// no JSON, holds no labels, or the ids are not 0, 1, 2, ...
std::vector<std::string> class_names_from_json(const std::string& path);

}  // namespace gf
