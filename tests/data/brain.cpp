#include "data/layouts/brain.h"

#include <cmath>
#include <set>

#include "data/case.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

Dataset brain() {
  Preprocessing p;
  p.shrink = 2;
  return open_dataset({"brain", "", {}}, p);
}

TEST_CASE("brain: classes, splits and the unused slices") {
  if (!has_brain()) return;
  const Dataset d = brain();
  CHECK(d.classes() == 9);
  CHECK(d.preprocessing.slice_axis == 0);
  CHECK(d.preprocessing.shrink == 2);
  CHECK(d.preprocessing.label_map.entries.size() == 116);
  std::set<std::int64_t> slices[3];
  for (const Case& c : d.cases)
    for (std::int64_t i = c.first_slice; i <= c.last_slice; ++i)
      CHECK(slices[static_cast<int>(c.split)].insert(i).second);
  std::set<std::int64_t> train;
  for (std::int64_t i = 17; i <= 85; ++i) train.insert(i);
  for (const std::int64_t first : {28, 48, 68})
    for (std::int64_t i = first - 1; i <= first + 5; ++i) train.erase(i);
  CHECK(slices[0] == train);
  CHECK(slices[1].size() == 15);
  CHECK(slices[2].size() == 68);
  CHECK(samples_of(d, Split::test).size() == 68);
}

TEST_CASE("brain: copying the mirrored labels scores what issue 2 says") {
  if (!has_brain()) return;
  const ConfusionMatrix m = brain_mirror_reference(brain());
  const double expected[] = {.876, .750, .778, .827, .847, .892, .856, .913};
  for (int id = 1; id < 9; ++id) {
    CAPTURE(id);
    CHECK(std::fabs(m.dice(id) - expected[id - 1]) < 5.1e-4);
  }
  CHECK(std::fabs(m.foreground_dice() - .842) < 5.1e-4);
}

TEST_CASE("brain: a case is normalised, halved and padded to 128x96, and restored") {
  if (!has_brain()) return;
  const Dataset d = brain();
  const Case& c = d.cases[1];
  const PreparedCase p = load_case(d, c, Purpose::evaluation);
  REQUIRE(p.images.size() == 5);
  CHECK(p.full == Extent{217, 181});
  CHECK(p.images[0].h == 109);
  CHECK(p.images[0].w == 91);
  const Picture input = network_input(p, 2, d.preprocessing);
  CHECK(input.h == 128);
  CHECK(input.w == 96);
  CHECK(*std::min_element(input.pixels.begin(), input.pixels.end()) >= 0.0f);
  CHECK(*std::max_element(input.pixels.begin(), input.pixels.end()) <= 1.0f);
  // The halved truth, padded as a network would give it, comes back close to the truth.
  ConfusionMatrix m(9);
  for (std::size_t i = 0; i < p.labels.size(); ++i) {
    const Mask back = restore(pad(p.labels[i], {128, 96}, 0), p.full, d.preprocessing);
    m.add(p.truth[i].values, back.values);
  }
  CHECK(m.foreground_dice() > 0.9);
}

TEST_CASE("brain: missing package is one clear line") {
  const TemporaryFolder folder;
  const std::string e = message_of([&] { open_dataset({"brain", folder.path(), {}}, {}); });
  CHECK(holds(e, "apt-get install mricron-data"));
  CHECK(holds(e, "ch2.nii.gz"));
}

}  // namespace
}  // namespace gf
