#pragma once
// What a data set is made of: class names, cases, splits. A layout (data/layouts/) finds the files; nothing is decoded
// here beyond NIfTI headers. A sample is one 2-D slice of a volume, or one picture.
#include <cstdint>
#include <string>
#include <vector>

#include "data/preprocess.h"

namespace gf {

// unlabelled: training pictures whose labels are not there, or must not be looked at.
enum class Split { train, val, test, unlabelled };
const char* name_of(Split s);
Split parse_split(const std::string& text, const std::string& where);  // train, val or validation, test, unlabelled

struct Case {
  std::string id;
  std::vector<std::string> images;  // one file, or one per channel; .npz: one per slice
  std::string label;                // empty where there is none, and in the unlabelled part; of .npz and .h5 the image
  Split split = Split::train;
  std::int64_t first_slice = 0, last_slice = 0;  // inclusive; 0, 0 for pictures
  std::string patient = {};  // cases of one patient never lie in two parts; empty: a patient of its own
  std::vector<std::string> more_labels = {};  // further masks of the same picture, united with `label`
  std::string subset = {};                    // a group of the data set that every part gets its share of
  std::int64_t slices() const { return last_slice - first_slice + 1; }
};

struct Dataset {
  std::string layout, root;
  std::vector<std::string> class_names;  // by class id; [0] is background
  bool volumes = false;                  // NIfTI volumes, else pictures
  std::vector<Case> cases;
  Preprocessing preprocessing;  // what was asked for, completed by the layout (brain sets axis, channels and label map)
  std::vector<std::string>
      notes;  // what a user should hear: class order, what was left out, sizes unlike the published

  int classes() const { return static_cast<int>(class_names.size()); }
};

struct Sample {
  std::size_t case_index;
  std::int64_t slice;  // within the case: 0 .. slices() - 1
};

// All samples of a split, in the order of the cases.
std::vector<Sample> samples_of(const Dataset& dataset, Split split);

struct DatasetSource {
  std::string layout;                    // one of layout_names()
  std::string root;                      // folder, of some layouts a file; brain: empty for where Debian puts it
  std::vector<std::string> class_names;  // empty: what the data set says itself, else background and foreground
  std::string split_file = {};           // decides the parts instead of the data set (split_file.h); empty: none
  std::string class_order = {};          // synapse, btcv: which published order of the eight organs (synapse_classes.h)
  bool keep_sequences = true;            // cvc: frames of one video stay in one part
  std::vector<std::string> subsets = {};  // which of the layout's subsets take part; empty: as the layout says
  int fold = 0;                           // monai, nnunet: which fold validates, where the data set has folds
  // Where the data set says nothing of its own: shares of the cases that validate and test, drawn by this seed.
  double val_share = 0.1, test_share = 0.2;
  std::uint64_t split_seed = 1;
};

// Errors: usage for an unknown layout; bad_data for missing or empty folders, missing files, bad tables.
Dataset open_dataset(const DatasetSource& source, const Preprocessing& preprocessing);
std::vector<std::string> layout_names();

}  // namespace gf
