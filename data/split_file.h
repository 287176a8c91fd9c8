#pragma once
// Which case belongs to which part, as a table of its own beside the data: case,patient,split. `graphflow split` writes
// one; data.split_file names it.
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace gf {

// Parts from the table instead of the data set's own. bad_data: a case that is not listed, listed twice, or unknown;
// cases of one patient in two parts (train and unlabelled count as one part).
void apply_split(Dataset& dataset, const std::string& file);
void write_split(const Dataset& dataset, const std::string& file);

// Parts for the training cases of a data set that does not say them: of every subset these shares of the cases
// (rounded) become val and test, whole patients at a time, drawn by the seed. Usage error where nothing would be left
// to train.
void draw_parts(Dataset& dataset, double val_share, double test_share, std::uint64_t seed);

// A number that changes with the part of any case: checkpoints remember it, so that a run is not resumed on other data.
std::string split_fingerprint(const Dataset& dataset);

// Both choose by case and keep a patient's cases together; the same seed chooses the same. Each asks for at least one
// patient on each side (bad_data).
// Keeps the labels of `labelled` training cases (not slices); the other training cases become unlabelled. Where
// patients have several cases it stops at the first patient that reaches the number.
void keep_labels(Dataset& dataset, std::int64_t labelled, std::uint64_t seed);
// Fold number `fold` of `folds`: its patients become val, those of the other folds train; test cases stay.
void take_fold(Dataset& dataset, int fold, int folds, std::uint64_t seed);

}  // namespace gf
