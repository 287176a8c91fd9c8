#pragma once
// Whether a trained network fits the data it is to be used on.
#include <string>
#include <vector>

#include "data/dataset.h"
#include "distill/model_file.h"

namespace gf {

// Throws bad_data, naming the file, where the network has another number of classes or input channels than the data
// set, or the same class names in another order: its scores would stand under the wrong names.
void require_fit(const NetworkFile& model, const Dataset& dataset, const std::string& file);

// What a person should know of a teacher that fits, a line each: other class names, pictures prepared in another way
// than it was trained on, another division into training, validation and test.
std::vector<std::string> doubts_about_teacher(const NetworkFile& teacher, const Dataset& dataset);

}  // namespace gf
