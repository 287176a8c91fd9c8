// Connected components and cleaning of class maps, against SciPy (tests/golden/make_components.py) and by hand.
#include <doctest/doctest.h>

#include <set>

#include "data/choose_postprocessing.h"
#include "data/connected_components.h"
#include "data/postprocess.h"
#include "engine/io/safetensors.h"
#include "kernels/error.h"
#include "tests/harness/golden_folder.h"

using namespace gf;

namespace {

std::vector<Mask> slices_of(const SafetensorsFile& file, const std::string& key) {
  const std::vector<std::int64_t> s = file.at(key).shape;
  const std::vector<std::int32_t> v = file.integers(key);
  std::vector<Mask> slices;
  for (std::int64_t z = 0; z < s[0]; ++z) {
    Mask m(s[1], s[2]);
    std::copy_n(v.begin() + z * s[1] * s[2], s[1] * s[2], m.values.begin());
    slices.push_back(std::move(m));
  }
  return slices;
}

std::vector<std::vector<std::int32_t>> values(const std::vector<Mask>& slices) {
  std::vector<std::vector<std::int32_t>> all;
  for (const Mask& m : slices) all.push_back(m.values);
  return all;
}

// Components painted as numbers from 1.
std::vector<Mask> painted(const Components& c, const std::vector<Mask>& like) {
  std::vector<Mask> slices;
  for (const Mask& m : like) slices.emplace_back(m.h, m.w);
  for (const Components::Run& run : c.runs)
    for (std::int64_t x = run.begin; x < run.end; ++x)
      slices[static_cast<std::size_t>(run.slice)].at(run.row, x) = run.component + 1;
  return slices;
}

Mask drawn(std::initializer_list<const char*> rows) {
  Mask m(static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(std::string(*rows.begin()).size()));
  std::size_t i = 0;
  for (const char* row : rows)
    for (; *row; ++row) m.values[i++] = *row == '.' ? 0 : *row - '0';
  return m;
}

std::vector<Mask> cleaned(const Mask& m, const Postprocessing& p, double mm3 = 1) {
  std::vector<Mask> slices{m};
  clean(slices, p, mm3);
  return slices;
}

}  // namespace

TEST_CASE("connected components and holes are SciPy's") {
  const SafetensorsFile file(test::golden_folder() + "components.safetensors");
  std::set<std::string> names;
  for (const FileTensor& t : file.tensors()) names.insert(t.name.substr(0, t.name.find('/')));
  REQUIRE(names.size() == 10);
  for (const std::string& name : names) {
    CAPTURE(name);
    const std::vector<Mask> mask = slices_of(file, name + "/mask");
    for (const auto& [key, touching] : {std::pair{"faces", Touching::faces}, {"corners", Touching::corners}}) {
      CAPTURE(std::string(key));
      const Components c = connected_components(mask, {false, true}, touching);
      const std::vector<Mask> expected = slices_of(file, name + "/" + key);
      CHECK(values(painted(c, mask)) == values(expected));
      std::vector<std::int64_t> counts(c.count(), 0);
      for (const Mask& m : expected)
        for (const std::int32_t v : m.values)
          if (v > 0) ++counts[static_cast<std::size_t>(v - 1)];
      CHECK(c.voxels == counts);
    }
    std::vector<Mask> filled = mask;
    clean_class(filled, 1, {.fill_holes = true}, 1);
    CHECK(values(filled) == values(slices_of(file, name + "/filled")));
  }
}

TEST_CASE("cleaning: largest object, small objects, holes, one class at a time") {
  const Mask m = drawn({"11.2.....",  //
                        "1..2..111",  //
                        "......1.1",  //
                        "222...111",  //
                        "2.2......",  //
                        "232.3...1"});
  Postprocessing p;
  p.classes.resize(4);
  CHECK(p.does_nothing());
  CHECK(cleaned(m, p)[0].values == m.values);

  p.classes[1] = {.min_voxels = 2, .largest_component = true, .fill_holes = true};
  p.classes[2].fill_holes = true;  // its hole holds a 3 below a background pixel; the 3 reaches the border
  CHECK(cleaned(m, p)[0].values == drawn({"...2.....",  //
                                          "...2..111",  //
                                          "......111",  //
                                          "222...111",  //
                                          "2.2......",  //
                                          "232.3...."})
                                       .values);
  CHECK_FALSE(p.does_nothing());

  Postprocessing small;
  small.classes.resize(4);
  small.classes[1].min_mm3 = 2.0;  // of half a mm3 each: objects of fewer than 4 pixels
  small.classes[3].min_voxels = 2;
  CHECK(cleaned(m, small, 0.5)[0].values == drawn({"...2.....",  //
                                                   "...2..111",  //
                                                   "......1.1",  //
                                                   "222...111",  //
                                                   "2.2......",  //
                                                   "2.2......"})
                                                .values);

  Postprocessing whole;
  whole.classes.resize(4);
  whole.foreground_largest_component = true;
  CHECK(cleaned(m, whole)[0].values == drawn({".........",  //
                                              "......111",  //
                                              "......1.1",  //
                                              "......111",  //
                                              ".........",  //
                                              "........."})
                                           .values);
}

TEST_CASE("a hole is filled where its class closes it in, and other classes in it stay") {
  const Mask m = drawn({"11111",  //
                        "1.2.1",  //
                        "11111"});
  Postprocessing p;
  p.classes.resize(3);
  p.classes[1].fill_holes = true;
  CHECK(cleaned(m, p)[0].values == drawn({"11111",  //
                                          "11211",  //
                                          "11111"})
                                       .values);
  // In a volume what is open above is no hole.
  std::vector<Mask> volume{m, m};
  clean(volume, p, 1);
  CHECK(volume[0].values == m.values);
  std::vector<Mask> closed{Mask(3, 5, 1), m, Mask(3, 5, 1)};
  clean(closed, p, 1);
  CHECK(closed[1].at(1, 1) == 1);
  CHECK(closed[1].at(1, 2) == 2);
}

TEST_CASE("cleaning an empty map, an absent class and a class of which nothing is large enough") {
  Postprocessing p;
  p.foreground_largest_component = true;
  p.classes = {{}, {.min_voxels = 9, .largest_component = true, .fill_holes = true}};
  CHECK(cleaned(Mask(4, 4), p)[0].values == std::vector<std::int32_t>(16, 0));
  CHECK(cleaned(drawn({"11", "1."}), p)[0].values == std::vector<std::int32_t>(4, 0));
  std::vector<Mask> none;
  clean(none, p, 1);
  CHECK(none.empty());
}

TEST_CASE("what is chosen on validation raises its Dice, what harms is left out") {
  // Class 1: predictions carry a stray object and a hole, and no true object is torn. Class 2 has two true objects, of
  // which its largest component would lose one; specks beside them are small. Class 3 is nowhere.
  const Mask truth = drawn({"1111......",  //
                            "1111......",  //
                            "1111......",  //
                            "..........",  //
                            "222....222",  //
                            "222....222"});
  const Mask prediction = drawn({"1111...1..",  //
                                 "1.11......",  //
                                 "1111.2....",  //
                                 "..........",  //
                                 "222....222",  //
                                 "222..2.222"});
  std::vector<PredictedCase> cases(2);
  for (PredictedCase& c : cases) {
    c.truth = {truth};
    c.prediction = {prediction};
    c.voxel_mm3 = 2;
  }
  cases[1].prediction[0].at(1, 8) = 1;
  const std::vector<PredictedCase> before = cases;
  std::vector<int> told;
  const PostprocessingChoice r = choose_postprocessing(cases, 4, [&](int done) { told.push_back(done); });
  CHECK_FALSE(r.chosen.foreground_largest_component);
  CHECK((r.chosen.classes[1].largest_component || r.chosen.classes[1].min_mm3 > 0));
  CHECK(r.chosen.classes[1].fill_holes);
  CHECK_FALSE(r.chosen.classes[2].largest_component);
  CHECK(r.chosen.classes[2].min_mm3 > 2);    // a speck is one pixel of 2 mm3
  CHECK(r.chosen.classes[2].min_mm3 <= 12);  // an object six
  CHECK_FALSE(r.chosen.classes[2].fill_holes);
  CHECK(r.chosen.classes[3] == ClassCleaning{});
  CHECK(r.dice_after == doctest::Approx(1.0));
  CHECK(r.dice_before < 0.99);
  CHECK(static_cast<int>(r.trials.size()) == postprocessing_trials(4));
  CHECK(told.back() == postprocessing_trials(4));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    std::vector<Mask> again = before[i].prediction;
    clean(again, r.chosen, before[i].voxel_mm3);
    CHECK(values(again) == values(cases[i].prediction));
  }
}

TEST_CASE("pixels of the ignored value do not decide what is chosen") {
  PredictedCase c;
  c.truth = {drawn({"11..9", "11..9"})};
  c.prediction = {drawn({"11..1", "11..1"})};
  c.ignore = 9;
  std::vector<PredictedCase> cases{c};
  const PostprocessingChoice r = choose_postprocessing(cases, 2);
  CHECK(r.dice_before == doctest::Approx(1.0));
  CHECK(r.chosen.does_nothing());
}

TEST_CASE("post-processing as text of a model file: what is written is read, the rest is refused by name") {
  const Postprocessing p{true, {{}, {.min_voxels = 7, .fill_holes = true}, {}, {0, 0.1, true, false}}};
  CHECK(p.to_fields() == std::map<std::string, std::string>{{"foreground_largest_component", "true"},
                                                            {"1.min_voxels", "7"},
                                                            {"1.fill_holes", "true"},
                                                            {"3.min_mm3", "0.1"},
                                                            {"3.largest_component", "true"}});
  CHECK(Postprocessing::from_fields(p.to_fields(), 4) == p);
  CHECK(p.knows_volumes());
  Postprocessing nothing;
  nothing.classes.resize(3);
  CHECK(nothing.to_fields().size() == 1);
  CHECK(Postprocessing::from_fields(nothing.to_fields(), 3) == nothing);
  CHECK_FALSE(nothing.knows_volumes());
  for (const auto& [name, text] :
       std::vector<std::pair<std::string, std::string>>{{"foreground_largest_component", "yes"},
                                                        {"1.fill_holes", "1"},
                                                        {"1.min_voxels", "-1"},
                                                        {"1.min_voxels", "2.5"},
                                                        {"1.min_mm3", "nan"},
                                                        {"1.min_mm3", "inf"},
                                                        {"1.min_mm3", "1e99"},
                                                        {"1.min_mm3", "1 mm3"},
                                                        {"1.min_mm", "1"},
                                                        {"0.fill_holes", "true"},
                                                        {"3.min_mm3", "1"},
                                                        {"99999999999.min_mm3", "1"},
                                                        {"1", "true"},
                                                        {"", ""},
                                                        {"1.", "true"}}) {
    std::string said;
    try {
      Postprocessing::from_fields({{name, text}}, 3);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::bad_data);
      said = e.what();
    }
    CHECK_MESSAGE(said.find("post-processing field") != std::string::npos, name, " = ", text);
  }
}
