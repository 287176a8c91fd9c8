#pragma once
// Which cleaning raises the Dice of a validation set: first the largest object of the whole foreground, then class by
// class the smallest size of an object, the largest object, holes. A step is kept where the mean Dice it aims at rises,
// and the next one is tried on top of it (as nnU-Net does with its largest components).
#include <functional>
#include <string>
#include <vector>

#include "data/postprocess.h"

namespace gf {

struct PredictedCase {
  std::vector<Mask> truth, prediction;  // class ids, one a slice
  double voxel_mm3 = 1;
  int ignore = -1;  // truth value that is left out; -1: none
};

struct PostprocessingTrial {
  int class_id;  // 0: the whole foreground
  std::string step;
  double dice_before, dice_after;  // means over cases that have the class, in truth or prediction
  bool kept;
};

struct PostprocessingChoice {
  Postprocessing chosen;
  std::vector<PostprocessingTrial> trials;
  double dice_before, dice_after;  // mean over foreground classes
};

// `cases` are cleaned in place as they are by what is chosen. Sizes that are tried are parts of the median object of a
// class in the truth. `progress` is told the trials done.
PostprocessingChoice choose_postprocessing(std::vector<PredictedCase>& cases, int classes,
                                           const std::function<void(int done)>& progress = {});
int postprocessing_trials(int classes);

}  // namespace gf
