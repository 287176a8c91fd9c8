#pragma once
// From a prepared case to class maps at the file's size, and to scores. Training's validation, `evaluate` and `predict`
// all come through here.
#include <functional>
#include <string>
#include <vector>

#include "data/case.h"
#include "data/metrics/confusion.h"
#include "data/split_cases.h"
#include "distill/segmenter.h"
#include "distill/task.h"
#include "models/network.h"

namespace gf {

// Called after each batch: the first `done` slices have their masks, and their pictures are not looked at again.
using SlicesDone = std::function<void(std::size_t done)>;

// Called with each slice's class probabilities: one channel a class, at the file's height and width.
using ProbabilityUse = std::function<void(std::size_t slice, const Picture& probabilities)>;

// One class map per slice, at the file's height and width. The network must be in evaluation mode.
std::vector<Mask> predict_case(const Network& network, const PreparedCase& c, const Preprocessing& preprocessing);
std::vector<Mask> predict_case(const Segmenter& segmenter, const PreparedCase& c, const Preprocessing& preprocessing,
                               const SlicesDone& slices_done = {}, const ProbabilityUse& use = {});

// One image batch (n,h,w,c) of slices begin..begin+count-1, padded as the network needs it.
Tensor image_batch(const PreparedCase& c, std::size_t begin, std::size_t count, const Preprocessing& preprocessing);

// Pooled confusion over a split, at the file's size. With `grid`, the one on the network's grid (shrunk labels) is
// added up there: it is what training sees and what other implementations report.
ConfusionMatrix evaluate_pooled(const Network& network, const SplitCases& cases, const Dataset& dataset,
                                ConfusionMatrix* grid = nullptr);

// The volume of one voxel as stored; 1 of a picture.
double voxel_mm3(const PreparedCase& c);

// The name under which a class's validation Dice is logged: "val_dice_" and the class name, other signs than letters
// and digits as '_'.
std::string validation_dice_name(const std::string& class_name);

// Validation of a segmentation network: mean foreground Dice, per class in the values.
Validation segmentation_validation(const Network& network, const SplitCases& cases, const Dataset& dataset);

}  // namespace gf
