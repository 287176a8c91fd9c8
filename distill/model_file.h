#pragma once
// Checkpoints that need nothing beside them: a network's file carries its architecture, class names and preprocessing,
// a paraphraser's file its sizes and the teacher's taps.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/postprocess.h"
#include "data/preprocess.h"
#include "distill/paraphraser.h"
#include "models/network.h"

namespace gf {

using FileEntries = std::map<std::string, std::string>;

struct NetworkDescription {
  std::string arch;
  NetworkOptions options;
  std::vector<std::string> class_names;
  Preprocessing preprocessing;
  std::optional<Postprocessing> postprocessing = {};  // what graphflow postprocess chose; nothing where none has

  FileEntries to_entries() const;
  static NetworkDescription from_entries(const FileEntries& entries, const std::string& file);
};

struct NetworkFile {
  NetworkDescription description;
  std::unique_ptr<Network> network;  // in evaluation mode
  FileEntries entries;               // all of them: config, metrics, version
};
// Puts this choice into a network's file, in place of one that is there (replace_checkpoint_entries says what of `of`).
void write_postprocessing(const std::string& file, const Postprocessing& p, const std::string& of);
NetworkFile load_network(const std::string& file, const Device& device = cpu_device());

// One entry for each pair of layers. In a file the first pair's keys are "paraphraser.factors" and so on, those of the
// others "paraphraser.pair2.factors"; a file of one pair says nothing of their number.
struct ParaphraserDescription {
  std::vector<ParaphraserSizes> sizes;
  std::vector<TapPair> teacher_taps;

  FileEntries to_entries() const;
  static ParaphraserDescription from_entries(const FileEntries& entries, const std::string& file);
};

struct ParaphraserFile {
  ParaphraserDescription description;
  std::unique_ptr<Paraphrasers> paraphrasers;  // in evaluation mode
  FileEntries entries;
};
ParaphraserFile load_paraphrasers(const std::string& file, const Device& device = cpu_device());

}  // namespace gf
