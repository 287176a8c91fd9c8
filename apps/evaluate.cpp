// graphflow evaluate: a trained model on a split of its data set.
#include <filesystem>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/evaluation.h"
#include "apps/session.h"
#include "distill/model_file.h"
#include "kernels/error.h"

namespace gf {

int evaluate_command(const EvaluateFlags& flags) {
  const Device device = start_engine(flags.device, flags.threads);
  const NetworkFile file = load_network(flags.model, device);
  Config config;
  if (!flags.config.empty()) {
    config = load_config(flags.config, flags.sets);
  } else {
    const auto it = file.entries.find("config");
    if (it == file.entries.end())
      throw Error(ErrorKind::usage,
                  {"which data?", flags.model, "a configuration inside the checkpoint", "none", "give --config FILE"});
    config = parse_config(it->second, flags.model, flags.sets);
  }
  Dataset dataset = open_configured_dataset(config, needs_of(*file.network));
  if (dataset.classes() != file.description.options.classes)
    bad_data("the model knows other classes than the data set", flags.model, std::to_string(dataset.classes()),
             std::to_string(file.description.options.classes), "evaluate on data with the same classes");
  // What the model was trained to see decides, not what the configuration says now.
  dataset.preprocessing = file.description.preprocessing;
  const Split split = parse_split(flags.split, "--split");
  if (split == Split::unlabelled)
    throw Error(ErrorKind::usage, {"labels of the unlabelled part are never read", "--split " + flags.split,
                                   "train, val or test", "", ""});
  const std::vector<PreparedCase> cases = load_cases(dataset, split);
  if (cases.empty())
    bad_data("nothing to evaluate", config.data.root, "cases in split " + flags.split, "none",
             "choose another --split");
  const bool millimetres = config.eval.distance == "mm" && dataset.volumes;
  const Evaluation evaluation = evaluate_network(*file.network, cases, dataset, millimetres);
  const SegmentationScores& s = evaluation.scores;

  fmt::print("{:<16} {:>7} {:>7} {:>7} {:>9}   n  missed  false alarm\n", "class", "Dice", "pooled", "IoU",
             millimetres ? "HD95 mm" : "HD95 px");
  for (int k = 1; k < dataset.classes(); ++k) {
    const ClassSummary c = s.summary(k);
    fmt::print("{:<16} {:>7.4f} {:>7.4f} {:>7.4f} {:>9.2f} {:>3} {:>7} {:>12}\n",
               dataset.class_names[static_cast<std::size_t>(k)], c.dice_mean, c.dice_pooled, c.iou_mean, c.hd95_mean,
               c.n, c.missed, c.false_alarm);
  }
  fmt::print("{:<16} {:>7.4f} {:>7.4f} {:>7.4f} {:>9.2f}\naccuracy {:.4f}, {} cases, split {}\n", "mean", s.mean_dice(),
             s.pooled().foreground_dice(), s.mean_iou(), s.mean_hd95(), s.pooled().accuracy(), cases.size(),
             flags.split);
  if (!flags.output.empty()) {
    std::filesystem::create_directories(flags.output);
    write_scores(flags.output, s, millimetres);
    fmt::print("written: {0}/summary.json {0}/per_case.csv {0}/per_class.csv\n", flags.output);
  }
  return 0;
}

}  // namespace gf
