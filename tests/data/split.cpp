// Parts of a data set from a table: by case and patient, seeded, remembered; and batches whose second half has no
// labels.
#include "data/split_file.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <set>

#include "data/paired_loader.h"
#include "kernels/error.h"
#include "tests/data/fixtures.h"
#include "tests/harness/discs.h"

using namespace gf;
using namespace gf::test;

namespace {

std::map<Split, int> counts(const Dataset& d) {
  std::map<Split, int> n;
  for (const Case& c : d.cases) ++n[c.split];
  return n;
}

// Two pictures a patient.
Dataset with_patients(const std::string& folder) {
  write_discs(folder, 24, 32);
  Dataset d = open_discs(folder);
  for (std::size_t i = 0; i < d.cases.size(); ++i) d.cases[i].patient = "p" + std::to_string(i / 12 * 12 + i % 6);
  return d;
}

}  // namespace

TEST_CASE("labels are kept by case, the same for the same seed, and the table gives them back") {
  const TemporaryFolder t;
  write_discs(t.path(), 24, 32);
  Dataset few = open_discs(t.path()), again = few, other = few;
  keep_labels(few, 5, 1);
  keep_labels(again, 5, 1);
  keep_labels(other, 5, 2);
  CHECK(counts(few)[Split::train] == 5);
  CHECK(counts(few)[Split::unlabelled] == 11);
  CHECK(counts(few)[Split::val] + counts(few)[Split::test] == 8);
  CHECK(split_fingerprint(few) == split_fingerprint(again));
  CHECK(split_fingerprint(few) != split_fingerprint(other));
  Dataset more = open_discs(t.path());
  keep_labels(more, 9, 1);
  for (std::size_t i = 0; i < few.cases.size(); ++i)
    if (few.cases[i].split == Split::train)
      CHECK(more.cases[i].split == Split::train);  // a larger share holds the smaller

  const std::string file = t.path() + "/few.csv";
  write_split(few, file);
  Preprocessing p;
  p.stride = 32;
  const Dataset read = open_dataset({"images_masks", t.path(), {"background", "disc"}, file}, p);
  CHECK(split_fingerprint(read) == split_fingerprint(few));
  for (const Case& c : read.cases) CHECK(c.label.empty() == (c.split == Split::unlabelled));
  CHECK_THROWS_WITH_AS(keep_labels(few, 16, 1), doctest::Contains("1 to 15 of 16"), Error);
}

TEST_CASE("a patient's cases stay together, in shares and in folds") {
  const TemporaryFolder t;
  const Dataset d = with_patients(t.path());
  Dataset few = d;
  keep_labels(few, 3, 1);
  CHECK(counts(few)[Split::train] == 4);  // two patients
  std::vector<std::set<std::string>> validated;
  for (int fold = 0; fold < 4; ++fold) {
    Dataset f = d;
    take_fold(f, fold, 4, 1);
    std::set<std::string> train, val;
    for (const Case& c : f.cases) (c.split == Split::val ? val : train).insert(c.patient);  // or test
    for (const std::string& p : val) CHECK(!train.contains(p));
    for (const auto& earlier : validated)
      for (const std::string& p : val) CHECK(!earlier.contains(p));
    validated.push_back(val);
  }
  Dataset f = d;
  CHECK_THROWS_WITH_AS(take_fold(f, 0, 100, 1), doctest::Contains("no such number of folds"), Error);
}

TEST_CASE("tables that do not fit the data are refused with the case") {
  const TemporaryFolder t;
  Dataset d = with_patients(t.path());
  const std::string file = t.path() + "/split.csv";
  write_split(d, file);
  const std::string good = [&] {
    std::ifstream in(file);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  }();
  const auto refused = [&](const std::string& text, const char* why) {
    std::ofstream(file) << text;
    CHECK_THROWS_WITH_AS(apply_split(d, file), doctest::Contains(why), Error);
  };
  refused(good + "ghost,ghost,train\n", "ghost");
  refused(good + "disc_3,p3,train\n", "listed twice");
  refused(good.substr(0, good.rfind("disc_23")), "disc_23");
  std::string parted = good;
  parted.replace(parted.find("disc_6,p0,train"), 15, "disc_6,p0,test");
  refused(parted, "a patient in two parts");
  std::string odd = good;
  odd.replace(odd.find(",train"), 6, ",trian");
  refused(odd, "unknown split");
}

TEST_CASE("paired batches: labels for the first half, the other half's label files are never opened") {
  const TemporaryFolder t;
  write_discs(t.path(), 24, 32);
  Dataset d = open_discs(t.path());
  keep_labels(d, 6, 1);
  for (Case& c : d.cases)
    if (c.split == Split::unlabelled) {
      std::ofstream(t.path() + "/masks/" + c.id + ".png") << "not a picture";  // reading it would be an error
      c.label.clear();
    }
  LoaderOptions o;
  o.batch_size = 4;
  o.threads = 2;
  o.seed = 3;
  o.augmentation.rotation_degrees = 20;
  PairedLoader loader(d, o);
  CHECK(loader.steps_per_epoch() == 5);  // 10 unlabelled by twos
  std::vector<Batch> first;
  for (int i = 0; i < 12; ++i) first.push_back(loader.next());
  CHECK(first[0].image.shape().n == 4);
  CHECK(first[0].label.shape().n == 2);
  CHECK(first[11].position == LoaderPosition{2, 1});
  PairedLoader resumed(d, o);
  resumed.seek({1, 3});
  for (int i = 8; i < 12; ++i) {
    const Batch b = resumed.next();
    CHECK(b.image.to_vector() == first[static_cast<std::size_t>(i)].image.to_vector());
    CHECK(b.position == first[static_cast<std::size_t>(i)].position);
  }
  o.batch_size = 3;
  CHECK_THROWS_WITH_AS(PairedLoader(d, o), doctest::Contains("an even number"), Error);
  o.batch_size = 4;
  CHECK_THROWS_WITH_AS(PairedLoader(open_discs(t.path()), o), doctest::Contains("no unlabelled cases"), Error);
}
