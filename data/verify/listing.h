#pragma once
// The cases of a data set, found without giving up at the first that is not as it must be.
#include "data/dataset.h"
#include "data/verify/finding.h"

namespace gf {

struct Listing {
  Dataset dataset;             // all cases whose image is there; a label that is missing is empty
  bool classes_known = false;  // dataset.class_names are the user's or the data set's own
  std::vector<Finding> findings;
};

// A data set as configured (source.layout), or with layout "" a folder: index.csv, nnU-Net's imagesTr/labelsTr, or
// images/ with masks/ or labels/ of the same names. Faults of single cases are findings (case_faults.h), and so is what
// the layout warns of in its notes. Where the data set as a whole stops the layout's own reader, such folders are read
// leniently, so that every case is listed; what that reader had to say until then is kept. Never throws for what lies
// on the disk.
Listing list_cases(const DatasetSource& source, const Preprocessing& preprocessing);

}  // namespace gf
