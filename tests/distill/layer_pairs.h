#pragma once
// Teacher, student and paraphrasers for |L| pairs of layers.
#include "distill/distillation.h"
#include "distill/taps.h"

namespace gf::test {

inline std::vector<TapPair> first_pairs(const Network& network, std::size_t layers) {
  return tap_pairs({}, network, layers);
}

inline std::vector<ParaphraserSizes> paraphraser_sizes(Network& teacher, Network& student,
                                                       const std::vector<TapPair>& teacher_taps,
                                                       const std::vector<TapPair>& student_taps) {
  const std::vector<std::int64_t> factors = graph_flow_factors(student, student_taps, 1);
  std::vector<ParaphraserSizes> sizes;
  for (std::size_t i = 0; i < teacher_taps.size(); ++i) {
    const auto [shallow, deep] = tap_channels(teacher, teacher_taps[i], 1);
    sizes.push_back({shallow, deep, factors.at(i)});
  }
  return sizes;
}

}  // namespace gf::test
