#include "distill/taps.h"

#include "engine/autograd.h"
#include "kernels/error.h"

namespace gf {

TapPair tap_pair(const std::vector<std::string>& names, const Network& network) {
  if (names.empty()) return network.default_taps();
  if (names.size() != 2)
    throw Error(ErrorKind::usage, {"taps are a pair", "distill.teacher_taps or student_taps",
                                   "two names: shallow, deep", std::to_string(names.size()) + " names", ""});
  return {names[0], names[1]};
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

std::int64_t graph_flow_factors(Network& student, const TapPair& taps, std::int64_t in_channels) {
  const auto [shallow, deep] = tap_channels(student, taps, in_channels);
  if (shallow == deep) return shallow;
  const TapPair published = student.default_taps();
  throw Error(ErrorKind::usage,
              {"Graph Flow needs two taps of one width", "distill.student_taps " + taps.shallow + ", " + taps.deep,
               "as many channels in both", std::to_string(shallow) + " and " + std::to_string(deep) + " channels",
               "choose taps that match, as " + published.shallow + " and " + published.deep +
                   " do, or set distill.graph.vertex_weight and edge_weight to 0"});
}

}  // namespace gf
