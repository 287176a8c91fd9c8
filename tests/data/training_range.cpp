// What a model file says of its training data, and when a case is called unlike it.
#include "data/training_range.h"

#include <doctest/doctest.h>

#include "kernels/error.h"
#include "tests/harness/discs.h"

using namespace gf;
using namespace gf::test;

namespace {

TrainingRange volumes() {
  return {
      .cases = 4, .volumes = true, .mean = {10, 20}, .deviation = {2, 3}, .spacing_mm = {{{1, 3}, {0.5, 1}, {1, 1}}}};
}

PreparedCase like_training() {
  PreparedCase c;
  c.volume = true;
  c.stored = {15, 2.5};
  c.spacing_mm = {2, 0.75, 1};
  return c;
}

}  // namespace

TEST_CASE("training range: entries and back, and what is broken") {
  const TrainingRange r = volumes();
  auto e = r.to_entries();
  const auto back = TrainingRange::from_entries(e, "m.gfm");
  REQUIRE(back);
  CHECK(back->to_entries() == e);
  CHECK(back->spacing_mm == r.spacing_mm);
  CHECK(!TrainingRange::from_entries({}, "m.gfm"));
  e["range.mean"] = "3 2";
  CHECK_THROWS_WITH_AS(TrainingRange::from_entries(e, "m.gfm"), doctest::Contains("m.gfm, entry range.mean"), Error);
  e["range.mean"] = "3 nan";
  CHECK_THROWS_AS(TrainingRange::from_entries(e, "m.gfm"), Error);
  e.erase("range.mean");
  CHECK_THROWS_AS(TrainingRange::from_entries(e, "m.gfm"), Error);
}

TEST_CASE("training range: warnings for what lies far outside, and for nothing else") {
  const TrainingRange r = volumes();
  PreparedCase c = like_training();
  CHECK(unlike_training(c, r).empty());
  c.stored.mean = 29;  // outside, by less than the range is wide
  CHECK(unlike_training(c, r).empty());
  c.stored.mean = 31;
  REQUIRE(unlike_training(c, r).size() == 1);
  CHECK(unlike_training(c, r)[0] == "intensities unlike training: mean 31, in training 10 to 20");
  c = like_training();
  c.stored.deviation = 0.5;
  CHECK(unlike_training(c, r).size() == 1);
  c = like_training();
  c.spacing_mm[2] = 1.05;
  CHECK(unlike_training(c, r).empty());
  c.spacing_mm[2] = 1.2;
  REQUIRE(unlike_training(c, r).size() == 1);
  CHECK(unlike_training(c, r)[0] == "spacing outside training: 1.2 mm of columns, in training 1 to 1 mm");
  c.volume = false;
  CHECK(unlike_training(c, r).empty());
}

TEST_CASE("training range: measured on the training part, as stored") {
  const TemporaryFolder folder;
  write_discs(folder.path(), 12, 40);
  const Dataset d = open_discs(folder.path());
  const TrainingRange all = measure_training_range(d), few = measure_training_range(d, 2);
  CHECK(all.cases > 2);
  CHECK(few.cases == 2);
  CHECK(!all.volumes);
  CHECK(all.mean[0] < all.mean[1]);
  CHECK(all.mean[0] > 0);
  CHECK(all.mean[1] <= 255);
  CHECK(few.mean[0] >= all.mean[0]);
  CHECK(few.mean[1] <= all.mean[1]);
  for (const Case& c : d.cases)
    if (c.split == Split::train) CHECK(unlike_training(load_case(d, c, Purpose::training), all).empty());
}
