#pragma once
// What `graphflow verify` finds in a data set.
#include <string>
#include <vector>

namespace gf {

// error: training, prediction or a score would fail or mean something else than it says. warning: worth a look.
enum class Severity { error, warning };

enum class Check {
  data_set,           // the data set as a whole: not as its layout has it, or unlike the published one
  missing_file,       // named by a table and not there
  missing_pair,       // an image without its label, or a label without its image
  unreadable,         // damaged, truncated, of another format
  not_finite,         // NaN or infinity
  size_mismatch,      // image and label, or the channels of a case
  affine_mismatch,    // the same size in another place, spacing or orientation
  channels,           // another number of channels than data.channels
  label_range,        // stored labels without a class
  label_0_255,        // a mask of 0 and 255 where classes are 0 and 1
  empty_mask,         // no foreground
  class_coverage,     // a class that never occurs, or not where it is learnt
  constant_image,     // one intensity everywhere
  clip_window,        // intensities that data.clip does not fit: already scaled, or not a CT
  tiny_image,         // fewer than 8 pixels high or wide
  intensity_outlier,  // unlike the other cases
  patient_leak,       // one patient in two parts
  duplicate_image     // the same picture in two cases
};
const char* name_of(Check check);

struct Finding {
  Severity severity = Severity::error;
  Check check = Check::data_set;
  std::string case_id;  // empty: of the data set
  std::string message;  // one line: files, expected and found, what to do
};

}  // namespace gf
