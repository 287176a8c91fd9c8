#pragma once
// A small trained model for tests of `graphflow predict`, made once a program.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/apps/program.h"

namespace gf::test {

struct DiscModel {
  TemporaryFolder folder;
  std::string config = disc_config(folder.path()), images = folder / "data/images";
  std::string file = folder / "run/checkpoints/final.gfm";
  DiscModel() { REQUIRE(run("train -q -c " + config + " -o " + (folder / "run")).code == 0); }
  std::string predict(const std::string& rest) const { return "predict -m " + file + " " + rest; }
};

inline const DiscModel& model() {
  static const DiscModel m;
  return m;
}

inline std::string first_image() {
  std::vector<std::string> names;
  for (const auto& e : std::filesystem::directory_iterator(model().images)) names.push_back(e.path().string());
  return *std::min_element(names.begin(), names.end());
}

}  // namespace gf::test
