// Files of paraphrasers: those of one pair of layers as they always were, and those of several.
#include <doctest/doctest.h>

#include "distill/model_file.h"
#include "engine/io/checkpoint.h"
#include "kernels/error.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/weights.h"

namespace gf::test {

TEST_CASE("a file of one pair of paraphrasers has the keys and names of the first version") {
  const FileEntries written{
      {"kind", "paraphraser"},      {"paraphraser.shallow_channels", "8"},   {"paraphraser.deep_channels", "10"},
      {"paraphraser.factors", "3"}, {"paraphraser.tap_shallow", "encoder3"}, {"paraphraser.tap_deep", "up7"}};
  const ParaphraserDescription d = ParaphraserDescription::from_entries(written, "file");
  REQUIRE(d.sizes.size() == 1);
  CHECK((d.sizes[0].shallow_channels == 8 && d.sizes[0].deep_channels == 10 && d.sizes[0].factors == 3));
  CHECK(d.teacher_taps == std::vector<TapPair>{{"encoder3", "up7"}});
  CHECK(d.to_entries() == written);
  std::vector<std::string> names;
  for (const NamedTensor& p : Paraphrasers(d.sizes).parameters()) names.push_back(p.name);
  REQUIRE(names.size() == 24);
  CHECK(names.front() == "shallow.encoder0.weight");
  CHECK(names.back() == "deep.decoder2.bias");
}

TEST_CASE("a file of three pairs of paraphrasers comes back, and one that lacks a pair's entry says which") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/p.gfm";
  const ParaphraserDescription d{{{8, 10, 3}, {4, 4, 2}, {6, 5, 7}},
                                 {{"encoder3", "up7"}, {"encoder2", "up8"}, {"encoder1", "up9"}}};
  Paraphrasers written(d.sizes);
  written.initialise(3);
  CheckpointState state;
  state.entries = d.to_entries();
  save_checkpoint(path, written, nullptr, state);
  const ParaphraserFile file = load_paraphrasers(path);
  CHECK(file.description.teacher_taps == d.teacher_taps);
  CHECK(file.paraphrasers->pair(2).deep.factors() == 7);
  CHECK(file.paraphrasers->parameters().back().name == "pair3.deep.decoder2.bias");
  CHECK(same_bits(weights_of(*file.paraphrasers), weights_of(written)));
  FileEntries torn = d.to_entries();
  torn.erase("paraphraser.pair3.factors");
  CHECK_THROWS_WITH_AS(ParaphraserDescription::from_entries(torn, "file"),
                       doctest::Contains("paraphraser.pair3.factors"), Error);
}

}  // namespace gf::test
