// graphflow split: which cases train, with labels or without, which validate: a table beside the data.
#include <filesystem>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/session.h"
#include "data/split_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

void print_parts(const Dataset& d, const std::string& file) {
  std::string parts;
  for (const Split s : {Split::train, Split::unlabelled, Split::val, Split::test}) {
    std::int64_t cases = 0, samples = 0;
    for (const Case& c : d.cases)
      if (c.split == s) {
        ++cases;
        samples += c.slices();
      }
    if (cases == 0) continue;
    parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", name_of(s), cases);
    if (d.volumes) parts += fmt::format(" ({} slices)", samples);
  }
  fmt::print("{}: {}\n", file, parts);
}

void save(const Dataset& d, const std::string& file, bool overwrite) {
  if (!overwrite && std::filesystem::exists(file))
    throw Error(ErrorKind::usage, {"the split exists already", file, "a new file", "", "--overwrite replaces it"});
  write_split(d, file);
  print_parts(d, file);
}

std::string fold_file(const std::string& output, int fold) {
  const std::filesystem::path p = output;
  return (p.parent_path() / fmt::format("{}_fold{}{}", p.stem().string(), fold, p.extension().string())).string();
}

}  // namespace

int split_command(const SplitFlags& flags) {
  if ((flags.labelled > 0) == (flags.folds > 0))
    throw Error(ErrorKind::usage, {"what to do?", "graphflow split", "--labelled N or --folds K, one of them", "", ""});
  Config config = load_config(flags.config, flags.sets);
  const Dataset dataset = open_configured_dataset(config, {});
  const auto seed = static_cast<std::uint64_t>(flags.seed);
  if (flags.labelled > 0) {
    Dataset d = dataset;
    keep_labels(d, flags.labelled, seed);
    save(d, flags.output, flags.overwrite);
  }
  for (int fold = 0; fold < flags.folds; ++fold) {
    Dataset d = dataset;
    take_fold(d, fold, flags.folds, seed);
    save(d, fold_file(flags.output, fold), flags.overwrite);
  }
  fmt::print("use it: --set data.split_file={}\n", flags.folds > 0 ? fold_file(flags.output, 0) : flags.output);
  return 0;
}

}  // namespace gf
