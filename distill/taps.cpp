#include "distill/taps.h"

#include "engine/autograd.h"
#include "kernels/error.h"

namespace gf {

std::vector<TapPair> tap_pairs(const std::vector<std::string>& names, const Network& network, std::size_t layers) {
  if (names.empty()) {
    std::vector<TapPair> pairs = network.tap_pairs();
    if (layers < 1 || layers > pairs.size())
      throw Error(ErrorKind::usage, {"wrong number of layer pairs", "distill.graph.layers",
                                     "1 to " + std::to_string(pairs.size()), std::to_string(layers), ""});
    pairs.resize(layers);
    return pairs;
  }
  if (names.size() != 2 * layers)
    throw Error(ErrorKind::usage, {"taps come in pairs", "distill.teacher_taps or student_taps",
                                   std::to_string(2 * layers) + " names (distill.graph.layers = " +
                                       std::to_string(layers) + "): shallow, deep, shallow, deep, ...",
                                   std::to_string(names.size()) + " names", ""});
  std::vector<TapPair> pairs;
  for (std::size_t i = 0; i < layers; ++i) pairs.push_back({names[2 * i], names[2 * i + 1]});
  return pairs;
}

std::pair<std::int64_t, std::int64_t> tap_channels(Network& network, const TapPair& taps, std::int64_t in_channels) {
  const NoGrad off;
  const bool training = network.training();
  network.eval();  // training would move the running statistics
  Random unused;
  const ImageSize size = smallest_picture(network);
  const NetworkOutput out = network.forward(Tensor::zeros({1, size.h, size.w, in_channels}, network.device()), unused);
  network.train(training);
  return {out.tap(taps.shallow).shape().c, out.tap(taps.deep).shape().c};
}

std::vector<std::int64_t> graph_flow_factors(Network& student, const std::vector<TapPair>& taps,
                                             std::int64_t in_channels) {
  std::vector<std::int64_t> factors;
  for (const TapPair& pair : taps) {
    const auto [shallow, deep] = tap_channels(student, pair, in_channels);
    factors.push_back(shallow);
    if (shallow == deep) continue;
    const TapPair published = student.default_taps();
    throw Error(ErrorKind::usage,
                {"the paraphrasers need two taps of one width in the student",
                 "distill.student_taps " + pair.shallow + ", " + pair.deep, "as many channels in both",
                 std::to_string(shallow) + " and " + std::to_string(deep) + " channels",
                 "choose taps that match, as " + published.shallow + " and " + published.deep +
                     " do; a method without paraphrasers takes any taps"});
  }
  return factors;
}

}  // namespace gf
