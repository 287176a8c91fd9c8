#include "data/metrics/protocol.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "kernels/error.h"

namespace gf {
namespace {

constexpr double out = std::numeric_limits<double>::quiet_NaN();  // left out of means
constexpr double inf = std::numeric_limits<double>::infinity();

std::vector<Protocol> make_protocols() {
  std::vector<Protocol> all;

  Protocol p;
  p.name = "standard";
  p.reproduces = "surface-distance for NSD, MONAI's HD95; a missed organ and a false alarm score 0";
  //               overlap  NSD  HD95  HD, ASSD
  p.both_empty = {out, out, out, out};
  p.missed = {0, 0, out, out};
  p.false_alarm = {0, 0, out, out};
  all.push_back(p);

  p.name = "transunet";
  p.reproduces = "TransUNet's test.py on volumes (medpy), the paper's Synapse scores";
  p.millimetres = false;
  p.hd95 = Hd95Rule::pooled;
  p.both_empty = {0, out, 0, out};
  p.missed = {0, 0, 0, out};
  p.false_alarm = {1, 0, 0, out};
  all.push_back(p);

  p = all[0];
  p.name = "gastric";
  p.reproduces = "the paper's gastric cancer scores: centre quarter of every tile, one confusion matrix";
  p.millimetres = false;
  p.surface = false;
  p.averaging = Averaging::pooled;
  p.crop = Crop::centre;
  all.push_back(p);

  p = all[0];
  p.name = "nnunet";
  p.reproduces = "nnUNetv2_evaluate_folder; distances, which it has none of, as in standard";
  p.averaging = Averaging::cases_then_classes_strict;
  all.push_back(p);

  p = all[0];
  p.name = "monai";
  p.reproduces = "MONAI's metrics with their defaults, include_background=False, HD95 by percentile=95";
  p.millimetres = false;
  p.nsd = NsdRule::border_voxels;
  p.missed = {0, 0, out, inf};
  p.false_alarm = {out, 0, out, inf};
  p.averaging = Averaging::classes_then_cases;
  all.push_back(p);
  return all;
}

const char* text_of(Averaging averaging) {
  switch (averaging) {
    case Averaging::cases_then_classes:
      return "A class's score is the mean over its cases; the last line is the mean over classes.";
    case Averaging::cases_then_classes_strict:
      return "A class's score is the mean over its cases; the last line is the mean over classes, undefined where one "
             "has no case.";
    case Averaging::classes_then_cases:
      return "A class's score is the mean over its cases; the last line is the mean over cases of each case's mean "
             "over classes.";
    default:
      return "All scores are pooled: one confusion matrix over the pixels of all cases; mean IoU counts the background "
             "as a class.";
  }
}

std::string score_text(double v) { return std::isnan(v) ? "left out" : fmt::format("{:g}", v); }

std::string empties(const Protocol& p) {
  const auto one = [&](const char* what, const EmptyScores& e) {
    std::string s = fmt::format("{}: Dice {}", what, score_text(e.overlap));
    if (p.surface) s += fmt::format(", NSD {}, HD95 {}", score_text(e.nsd), score_text(e.hd95));
    return s;
  };
  return fmt::format("Empty classes are counted. {}. {}. {}.", one("In neither mask", p.both_empty),
                     one("Missed", p.missed), one("False alarm", p.false_alarm));
}

std::string tolerances(const Protocol& p, const std::vector<std::string>& class_names) {
  if (p.nsd_tolerance.size() == 1) return fmt::format("{:g} {}", p.nsd_tolerance[0], p.unit());
  std::string s;
  for (std::size_t k = 1; k < class_names.size(); ++k)
    s += fmt::format("{}{} {:g}", k == 1 ? "" : ", ", class_names[k], p.tolerance(static_cast<int>(k)));
  return s + " " + p.unit();
}

}  // namespace

const std::vector<Protocol>& protocols() {
  static const std::vector<Protocol> all = make_protocols();
  return all;
}

std::vector<std::string> protocol_names() {
  std::vector<std::string> names;
  for (const Protocol& p : protocols()) names.push_back(p.name);
  return names;
}

const Protocol& find_protocol(const std::string& name) {
  std::string known;
  for (const Protocol& p : protocols()) {
    if (p.name == name) return p;
    known += (known.empty() ? "" : ", ") + p.name;
  }
  throw Error(ErrorKind::usage, {"no such evaluation protocol", "\"" + name + "\"", known, "", ""});
}

const char* name_of(Hd95Rule rule) {
  return rule == Hd95Rule::greater ? "greater of two" : rule == Hd95Rule::pooled ? "pooled" : "area-weighted";
}

std::vector<std::string> protocol_notes(const Protocol& p, const std::vector<std::string>& class_names) {
  std::vector<std::string> notes = {fmt::format("Protocol {}: {}.", p.name, p.reproduces), text_of(p.averaging),
                                    empties(p)};
  notes.push_back(
      "Dice = F1 = 2TP/(2TP+FP+FN), IoU = TP/(TP+FP+FN), ACC = (TP+TN)/all, precision = TP/(TP+FP), recall = "
      "TP/(TP+FN), specificity = TN/(TN+FP); a quotient without denominator is left out.");
  if (p.crop != Crop::none)
    notes.push_back(
        "Only the centre of every picture counts, a quarter of its height and width" +
        std::string(p.crop == Crop::centre_authors ? ", one 256th above and left of it as the authors do." : "."));
  if (p.surface)
    notes.push_back(fmt::format(
        "Distances in {}. HD95 is the 95th percentile of border distances: the greater of the two directions' (MONAI), "
        "of both pooled (medpy), or the greater by surface area (DeepMind); this protocol's is {}. NSD is the share of "
        "{} within {}.",
        p.unit(), name_of(p.hd95), p.nsd == NsdRule::area ? "surface area" : "border voxels",
        tolerances(p, class_names)));
  return notes;
}

}  // namespace gf
