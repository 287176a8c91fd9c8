// graphflow evaluate: a trained model on a split of its data set, or masks that exist (evaluate_folders.cpp).
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/case_pictures.h"
#include "apps/commands.h"
#include "apps/evaluation.h"
#include "apps/postprocess_file.h"
#include "apps/score_tables.h"
#include "apps/session.h"
#include "apps/writable.h"
#include "distill/model_file.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {

namespace {

// --protocol and its like go before --set: a protocol as a whole, then what the user changes of it.
EvaluateFlags with_protocol(EvaluateFlags flags) {
  std::vector<std::string> sets;
  if (!flags.protocol.empty()) {
    find_protocol(flags.protocol);
    sets = {"eval.protocol=" + flags.protocol, "eval.distance=auto"};
  }
  if (!flags.nsd_tolerance.empty())
    sets.push_back(fmt::format("eval.nsd_tolerance=[{}]", fmt::join(flags.nsd_tolerance, ", ")));
  if (!flags.spacing.empty()) sets.push_back(fmt::format("eval.spacing=[{}]", fmt::join(flags.spacing, ", ")));
  flags.sets.insert(flags.sets.begin(), sets.begin(), sets.end());
  return flags;
}

// What the size the network sees its pictures at means for the scores.
void note_the_size(const SplitCases& cases, const Dataset& dataset, const Scoring& scoring) {
  const Preprocessing& p = dataset.preprocessing;
  if (p.resizes() || p.shrink > 1) {
    const std::string size =
        p.resizes() ? fmt::format("{}x{}", p.resize_width, p.resize_height) : fmt::format("1/{} of the size", p.shrink);
    fmt::print("ceiling: the truth taken to {} and back scores a mean Dice of {:.4f}\n", size,
               round_trip_scores(cases, dataset, scoring).mean_dice());
  }
  if (scoring.protocol.name == "transunet" && dataset.volumes && !p.resizes())
    fmt::print(
        stderr,
        "note: TransUNet's test takes slices to 224x224 and masks back; this model was trained without data.resize "
        "and is scored as it predicts\n");
}

int evaluate_model(const EvaluateFlags& flags) {
  const Device device = start_engine(flags.device, flags.threads);
  const NetworkFile file = load_network(flags.model, device);
  Config config = model_configuration(file, flags.model, flags.config, flags.sets);
  const Dataset dataset = model_dataset(file, flags.model, config);
  const Split split = parse_split(flags.split, "--split");
  if (split == Split::unlabelled)
    throw Error(ErrorKind::usage, {"labels of the unlabelled part are never read", "--split " + flags.split,
                                   "train, val or test", "", ""});
  const SplitCases cases(dataset, split);
  if (cases.empty())
    bad_data("nothing to evaluate", config.data.root, "cases in split " + flags.split, "none",
             "choose another --split");
  const Scoring scoring = configured_scoring(config.eval, dataset);
  require_spacing_used(flags, scoring.protocol);
  const Postprocessing post = wanted_postprocessing(flags.postprocess, flags.model, file.description);
  CaseGallery gallery;
  require_writable_scores(flags);
  const SegmentationScores scores = evaluate_network(
      *file.network, cases, dataset, scoring, post,
      [&](std::size_t i, const PreparedCase& c, const std::vector<Mask>& prediction, const CaseScore& score) {
        if (!flags.output.empty()) add_to_gallery(gallery, i, c, prediction, score, dataset);
      });
  report_scores(flags, scores, "split " + flags.split);
  if (!flags.output.empty()) {
    write_case_pictures(flags.output, gallery);
    fmt::print("written: {}/overlays.json\n", flags.output);
  }
  note_the_size(cases, dataset, scoring);
  return 0;
}

}  // namespace

int evaluate_command(const EvaluateFlags& given) {
  const EvaluateFlags flags = with_protocol(given);
  const bool folders = !flags.truth.empty() || !flags.prediction.empty();
  if (folders == !flags.model.empty() || (folders && (flags.truth.empty() || flags.prediction.empty())))
    throw Error(ErrorKind::usage, {"what is to be evaluated?", "graphflow evaluate",
                                   "either -m MODEL, or -g TRUTH and -p PREDICTION", "", ""});
  if (!folders && (!flags.classes.empty() || flags.class_ids))
    throw Error(ErrorKind::usage,
                {"--classes and --class-ids go with -g and -p", flags.model, "", "", "a model knows its classes"});
  if (folders && (flags.postprocess.off || !flags.postprocess.file.empty()))
    throw Error(ErrorKind::usage, {"--postprocess and --no-postprocess go with -m", flags.prediction, "", "",
                                   "masks that exist are scored as they are"});
  return folders ? evaluate_folders(flags) : evaluate_model(flags);
}

void require_spacing_used(const EvaluateFlags& flags, const Protocol& p) {
  if (flags.spacing.empty() || (p.millimetres && p.surface)) return;
  throw Error(ErrorKind::usage, {"--spacing would change nothing", "protocol " + p.name, "distances in mm", "",
                                 p.surface ? "add --set eval.distance=mm" : "this protocol has no distances"});
}

void require_writable_scores(const EvaluateFlags& flags) {
  if (!flags.output.empty()) {
    std::filesystem::create_directories(flags.output);
    require_writable(flags.output + "/summary.json");
  }
  if (!flags.tex.empty()) require_writable(flags.tex);
}

void report_scores(const EvaluateFlags& flags, const SegmentationScores& scores, const std::string& subject) {
  fmt::print("{}", scores_markdown(scores));
  if (!flags.output.empty()) {
    std::filesystem::create_directories(flags.output);
    write_scores(flags.output, scores);
    fmt::print("written: {0}/summary.json {0}/per_case.csv {0}/per_class.csv\n", flags.output);
  }
  if (flags.tex.empty()) return;
  write_file_atomically(flags.tex, scores_latex(scores, subject));
  fmt::print("written: {}\n", flags.tex);
}

}  // namespace gf
