#include "apps/model_check.h"

#include <doctest/doctest.h>

#include "data/split_file.h"
#include "tests/apps/fixtures.h"

namespace gf::test {
namespace {

Dataset three_classes() {
  Dataset d;
  d.class_names = {"background", "anterior", "posterior"};
  for (const auto& [id, split] : {std::pair{"a", Split::train}, {"b", Split::unlabelled}, {"c", Split::val}}) {
    Case c;
    c.id = id;
    c.split = split;
    d.cases.push_back(c);
  }
  return d;
}

NetworkFile trained_on(const Dataset& d) {
  NetworkFile f;
  f.description.arch = "fanet";
  f.description.options = {.in_channels = d.preprocessing.channels, .classes = d.classes()};
  f.description.class_names = d.class_names;
  f.description.preprocessing = d.preprocessing;
  f.entries["split"] = split_fingerprint(d);
  return f;
}

}  // namespace

TEST_CASE("a model fits the data set it was trained on, and one whose classes have other names") {
  Dataset d = three_classes();
  const NetworkFile model = trained_on(d);
  CHECK(error_of([&] { require_fit(model, d, "m.gfm"); }).empty());
  CHECK(doubts_about_teacher(model, d).empty());
  d.class_names[1] = "head";
  CHECK(error_of([&] { require_fit(model, d, "m.gfm"); }).empty());
  const std::vector<std::string> doubts = doubts_about_teacher(model, d);
  REQUIRE(doubts.size() == 1);
  CHECK_MESSAGE(contains(doubts[0], "background, anterior, posterior, those of the data set background, head"),
                doubts[0]);
}

TEST_CASE("a model of other classes, the same in another order, or other channels is refused by name") {
  const Dataset d = three_classes();
  const auto refusal = [&](const auto& change) {
    NetworkFile model = trained_on(d);
    change(model.description);
    return error_of([&] { require_fit(model, d, "m.gfm"); });
  };
  const std::string number = refusal([](NetworkDescription& m) { m.options.classes = 2, m.class_names.pop_back(); });
  CHECK_MESSAGE(contains(number, "3: the model knows other classes than the data set: m.gfm: expected 3"), number);
  const std::string order = refusal([](NetworkDescription& m) { std::swap(m.class_names[1], m.class_names[2]); });
  CHECK_MESSAGE(contains(order, "3: the model has the classes in another order than the data set: m.gfm"), order);
  CHECK_MESSAGE(contains(order, "found background, posterior, anterior"), order);
  const std::string channels = refusal([](NetworkDescription& m) { m.options.in_channels = 3; });
  CHECK_MESSAGE(contains(channels, "3: the model takes pictures of another number of channels: m.gfm"), channels);
}

TEST_CASE("doubts about a teacher: other preparation, another division, but not labels taken away") {
  const Dataset d = three_classes();
  NetworkFile model = trained_on(d);
  Dataset other = d;
  other.preprocessing.normalisation = Normalisation::zscore;
  other.preprocessing.stride = 16;  // the networks' own
  std::vector<std::string> doubts = doubts_about_teacher(model, other);
  REQUIRE(doubts.size() == 1);
  CHECK_MESSAGE(contains(doubts[0], "prepared otherwise: normalisation percentile, not zscore"), doubts[0]);

  other = d;
  other.cases[2].split = Split::train;
  doubts = doubts_about_teacher(model, other);
  REQUIRE(doubts.size() == 1);
  CHECK_MESSAGE(contains(doubts[0], "another division"), doubts[0]);

  Dataset labelled = d;
  labelled.cases[1].split = Split::train;
  CHECK(doubts_about_teacher(trained_on(labelled), d).empty());
  model.entries.erase("split");
  CHECK(doubts_about_teacher(model, other).empty());
}

}  // namespace gf::test
