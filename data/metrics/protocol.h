#pragma once
// How a tool or a paper turns masks into its numbers. One Protocol each, all in the table of protocol.cpp: what a score
// means differs between them by points, so the protocol's name stands beside every score.
#include <string>
#include <vector>

namespace gf {

enum class Hd95Rule {
  greater,  // MONAI: the greater of the two directions' percentiles
  pooled,   // medpy: percentile of both directions together
  area      // DeepMind: the greater one, weighted by surface area
};
enum class NsdRule { area, border_voxels };  // DeepMind; MONAI
enum class Averaging {
  cases_then_classes,         // every class over the cases that count, then over the classes that have any
  cases_then_classes_strict,  // the same, but a class without any case makes the mean over classes undefined
  classes_then_cases,         // every case over its classes that count, then over the cases that have any
  pooled                      // from one confusion matrix over all cases, background among the classes of mean IoU
};
enum class Crop { none, centre, centre_authors };

// What a class of a case scores where truth, prediction or both lack it; NaN: left out of means, and counted.
struct EmptyScores {
  double overlap;  // Dice, IoU, F1
  double nsd;
  double hd95;
  double distance;  // HD, ASSD
};

struct Protocol {
  std::string name, reproduces;
  bool millimetres = true;  // else voxels: what eval.distance = "auto" means
  bool surface = true;      // distances are part of it
  Hd95Rule hd95 = Hd95Rule::greater;
  NsdRule nsd = NsdRule::area;
  EmptyScores both_empty, missed, false_alarm;  // neither has the class; truth only; prediction only
  Averaging averaging = Averaging::cases_then_classes;
  Crop crop = Crop::none;
  std::vector<double> nsd_tolerance = {2};  // mm or voxels: one for all, or one a foreground class

  double tolerance(int class_id) const { return nsd_tolerance[nsd_tolerance.size() > 1 ? class_id - 1 : 0]; }
  const char* unit() const { return millimetres ? "mm" : "voxel"; }
};

const std::vector<Protocol>& protocols();  // the first is the default
std::vector<std::string> protocol_names();
const Protocol& find_protocol(const std::string& name);  // usage error for a name that is none

const char* name_of(Hd95Rule rule);  // "greater of two", "pooled", "area-weighted"
// What a reader of the scores must know, a line each: averages, empty classes, distances, formulas.
std::vector<std::string> protocol_notes(const Protocol& protocol, const std::vector<std::string>& class_names);

}  // namespace gf
