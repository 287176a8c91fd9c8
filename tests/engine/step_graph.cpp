// Steps written down and replayed, under the executor: what a CUDA graph would do, and what it would refuse.
#include "engine/step_graph.h"

#include <doctest/doctest.h>

#include "engine/autograd.h"
#include "engine/capture.h"
#include "engine/memory.h"
#include "engine/op_scope.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/convolution.h"
#include "engine/ops/dropout.h"
#include "engine/transfer.h"
#include "kernels/error.h"
#include "tests/harness/op_case.h"

using namespace gf;
using gf::test::graph_device;

namespace {

using Values = std::vector<float>;

Tensor on_simt(const Values& v) {
  return Tensor::from(std::span<const float>(v), {1, 1, 1, static_cast<std::int64_t>(v.size())}, graph_device());
}

}  // namespace

TEST_CASE("a captured step runs nothing until it is replayed, and reads its inputs anew each time") {
  const Tensor x = on_simt({1, 2}), y = on_simt({0, 0});
  StepGraph graph(graph_device());
  const auto step = [&] { y.assign(relu(x * x + -3.0f)); };
  graph.warm_up(step);
  CHECK(y.to_vector() == Values{0, 1});
  x.assign(on_simt({3, -4}));
  graph.capture(step);
  CHECK(y.to_vector() == Values{0, 1});
  CHECK(graph.size() == 4);  // product, shift, relu, copy
  graph.replay();
  CHECK(y.to_vector() == Values{6, 13});
  x.assign(on_simt({0, 2}));
  graph.replay();
  CHECK(y.to_vector() == Values{0, 1});
}

TEST_CASE("a captured step has a tape, convolutions by the library, and gradients") {
  const Tensor w = Tensor::full({2, 3, 3, 1}, 0.5f, graph_device());
  const Tensor x = Tensor::full({1, 4, 4, 1}, 1.0f, graph_device());
  Tensor leaf = w;
  leaf.require_grad();
  const Tensor result = Tensor::zeros(w.shape(), graph_device());
  StepGraph graph(graph_device());
  const auto step = [&] {
    result.assign(gradients(sum(convolution(x, leaf, {}, {.pad_h = 1, .pad_w = 1})), {leaf})[0]);
  };
  graph.warm_up(step);
  const Values once = result.to_vector();
  CHECK(once[4] == 16);  // the middle tap sees every pixel
  graph.capture(step);
  x.assign(Tensor::full(x.shape(), 2.0f, graph_device()));
  graph.replay();
  Values twice = once;
  for (float& v : twice) v *= 2;
  CHECK(result.to_vector() == twice);
}

TEST_CASE("a captured step's memory stays its own") {
  const Tensor x = Tensor::full({1, 8, 8, 64}, 1.0f, graph_device()), y = Tensor::zeros({}, graph_device());
  StepGraph graph(graph_device());
  const auto step = [&] { y.assign(sum(x * x)); };
  graph.warm_up(step);
  graph.capture(step);
  std::vector<Tensor> others;  // of the sizes the step uses: none may lie where its temporaries do
  for (int i = 0; i < 8; ++i) others.push_back(Tensor::full(x.shape(), 7.0f, graph_device()));
  graph.replay();
  CHECK(y.item() == 4096);
  for (const Tensor& t : others)
    for (const float v : t.to_vector()) REQUIRE(v == 7.0f);
}

TEST_CASE("what cannot be captured is refused, naming the op, and the step can still be run") {
  const Tensor x = on_simt({1, 2}), y = on_simt({0, 0});
  StepGraph graph(graph_device());
  bool reads = false, grows = false, takes = false;
  const auto step = [&] {
    const OpScope scope("greedy_op");
    if (reads) (void)x.to_vector();
    if (takes) x.assign(Tensor::scalar(1.0f).view_shape({1, 1, 1, 1}));
    const Tensor z = grows ? Tensor::zeros({1, 64, 64, 64}, graph_device()) : x;
    y.assign(x * x);
  };
  CHECK_THROWS_WITH_AS(graph.capture(step), doctest::Contains("without a warm-up"), Error);
  graph.warm_up(step);
  reads = true;
  CHECK_THROWS_WITH_AS(graph.capture(step), doctest::Contains("greedy_op"), Error);
  CHECK_THROWS_WITH_AS(graph.capture(step), doctest::Contains("reads a tensor on the host"), Error);
  reads = false;
  grows = true;
  CHECK_THROWS_WITH_AS(graph.capture(step), doctest::Contains("new memory while a step is being captured"), Error);
  grows = false;
  CHECK_FALSE(graph.captured());
  CHECK_FALSE(capturing());
  CHECK_THROWS_WITH_AS(graph.replay(), doctest::Contains("was not captured"), Error);
  step();
  CHECK(y.to_vector() == Values{1, 4});
  graph.capture(step);
  graph.replay();
  CHECK(graph.captured());

  const Tensor one = on_simt({1});
  const auto from_host = [&] {
    const OpScope scope("some_op", OpScope::Direction::backward);
    one.assign(Tensor::scalar(1.0f));
  };
  const auto waits = [&] { wait_for(graph_device()); };
  graph.warm_up(waits);
  CHECK_THROWS_WITH_AS(graph.capture(waits), doctest::Contains("waits for the device"), Error);
  step();  // nothing of a refused capture sticks
  CHECK(y.to_vector() == Values{1, 4});
  graph.warm_up(from_host);
  CHECK_THROWS_WITH_AS(graph.capture(from_host), doctest::Contains("the backward of some_op"), Error);
  CHECK_THROWS_WITH_AS(StepGraph{cpu_device()}, doctest::Contains("cuda or simt"), Error);
}

TEST_CASE("random numbers of a captured step move on with their offset on the device") {
  const Tensor x = Tensor::full({4, 1, 1, 32}, 1.0f, graph_device()), y = Tensor::zeros(x.shape(), graph_device());
  const Tensor offset = Tensor::empty({}, DType::i32, graph_device());
  const auto set = [&](std::int32_t v) { offset.assign(Tensor::from(std::span<const std::int32_t>(&v, 1), {})); };
  Random random(5, 10);
  random.set_device_offset(offset.view());
  set(0);
  StepGraph graph(graph_device());
  const auto step = [&] { y.assign(dropout2d(x, 0.5f, random)); };
  graph.warm_up(step);
  graph.capture(step);
  CHECK(random.position() == 12);
  for (const int moved : {0, 1, 7}) {
    set(moved);
    graph.replay();
    Random plain(5, 11 + static_cast<std::uint64_t>(moved));
    CHECK(y.to_vector() == dropout2d(x, 0.5f, plain).to_vector());
  }
}

TEST_CASE("scratch memory that a captured step has written down outlives its growth") {
  Workspace& workspace = workspace_of(simt_device());
  const std::size_t before = (std::size_t{1} << 22) + 1;
  auto* small = static_cast<unsigned char*>(workspace.at_least(before));
  small[0] = 42;
  workspace.hold();
  void* large = workspace.at_least(before * 8);
  CHECK(large != small);
  CHECK(small[0] == 42);  // AddressSanitizer sees it where it was given back
  workspace.release();
  const CaptureScope capture;
  CHECK(workspace.at_least(before) == large);
  CHECK_THROWS_WITH_AS(workspace.at_least(before * 100), doctest::Contains("more scratch memory"), Error);
}

TEST_CASE("inputs and results pass between host and device in order") {
  for (const Device& device : {cpu_device(), graph_device()}) {
    InputStage stage(device);
    const Tensor there = Tensor::zeros({1, 1, 1, 2}, device);
    Readback back(device, 2 * sizeof(float));
    CHECK(back.empty());
    CHECK_FALSE(back.arrived());
    for (const float v : {1.0f, 2.0f}) {
      stage.send(0, Tensor::full(there.shape(), v), there);
      back.push(there);
    }
    CHECK(back.full());
    CHECK_THROWS_WITH_AS(back.push(there), doctest::Contains("too much under way"), Error);
    for (const float v : {1.0f, 2.0f}) {
      wait_for(device);
      CHECK(back.arrived());
      const std::vector<std::byte> bytes = back.pop();
      const auto* f = reinterpret_cast<const float*>(bytes.data());
      CHECK(f[0] == v);
      CHECK(f[1] == v);
    }
    CHECK_THROWS_WITH_AS(back.pop(), doctest::Contains("nothing under way"), Error);
    CHECK_THROWS_WITH_AS(stage.send(0, Tensor::zeros({1, 1, 1, 3}), there), doctest::Contains("another kind"), Error);
  }
}
