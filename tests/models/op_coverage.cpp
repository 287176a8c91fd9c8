// The suite's promise: whatever op a training step puts on the tape has a case whose derivatives are checked.
#include <doctest/doctest.h>

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "engine/ops/salience.h"
#include "models/network.h"
#include "tests/harness/op_case.h"

namespace gf::test {

TEST_CASE("every op in a training step of every network has a gradient case") {
  const TapeObserver observer;
  for (const std::string& name : network_names()) {
    CAPTURE(name);
    const std::int64_t stride = make_network(name, {.width = 0.01})->stride();
    const Shape s{2, 2 * stride, stride, 1};
    const auto net = make_network(name, {.in_channels = 1, .classes = 3, .width = 0.1, .image_size = {s.h, s.w}});
    net->initialise(1);
    Generator g(2);
    Array image(s), ids(s);
    normal()(image, g);
    class_ids(3)(ids, g);
    const Tensor label = to_tensor(ids, Layout::dense, DType::i32);
    Random random(3);
    const NetworkOutput out = net->forward(to_tensor(image, Layout::dense), random);
    const TapPair taps = net->default_taps();
    const Tensor shallow = salience(out.tap(taps.shallow), {}), deep = salience(out.tap(taps.deep), {});
    const VariationGraphLoss graph =
        variation_graph_loss(shallow, deep, Tensor::zeros(shallow.shape()), Tensor::zeros(deep.shape()), {});
    const Tensor teacher = Tensor::zeros(out.logits.shape());
    backward(cross_entropy(out.logits, label) + dice_loss(out.logits, label) + kd_loss(out.logits, teacher) +
             mse_loss(out.logits, teacher) + 1e-3f * graph.vertex + 1e-6f * graph.edge);
    for (const NamedTensor& p : net->parameters()) CHECK_MESSAGE(p.tensor.grad(), p.name, " got no gradient");
  }
  CHECK(observer.ops().size() > 10);
  CHECK(ops_without_gradient_case(observer.ops()) == std::vector<std::string>{});
}

}  // namespace gf::test
