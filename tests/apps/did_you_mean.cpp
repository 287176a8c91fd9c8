#include "apps/did_you_mean.h"

#include <doctest/doctest.h>

#include <vector>

using namespace gf;

TEST_CASE("edit distance counts insertions, deletions, substitutions and swaps") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("", "abcd") == 4);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("adma", "adam") == 1);  // a swap is one mistake, not two
  CHECK(edit_distance("Adam", "adam") == 0);
  CHECK(edit_distance("ca", "abc") == 3);  // no letter is changed twice
}

TEST_CASE("a near word is suggested, a far one is not") {
  const std::vector<std::string> words = {"train", "paraphrase", "distill", "evaluate", "predict"};
  CHECK(nearest_word("trian", words) == "train");
  CHECK(nearest_word("distil", words) == "distill");
  CHECK(nearest_word("PREDICT", words) == "predict");
  CHECK(nearest_word("export", words).empty());
  CHECK(did_you_mean("evalaute", words) == "did you mean 'evaluate'?");
  CHECK(did_you_mean("xyz", words) == "known: train, paraphrase, distill, evaluate, predict");
  CHECK(did_you_mean("xyz", {}).empty());
}
