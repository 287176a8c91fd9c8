// Sizes of real layers for timing: full-resolution logits, maps of half and a quarter of the picture's side. What these
// ops compute is checked by the other cases.
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/convolution.h"
#include "engine/ops/group_norm.h"
#include "engine/ops/layer_norm.h"
#include "engine/ops/losses.h"
#include "engine/ops/matmul.h"
#include "engine/ops/pooling.h"
#include "engine/ops/resize.h"
#include "engine/ops/salience.h"
#include "engine/ops/shape.h"
#include "engine/ops/softmax.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

OpCase convolution_layer(const Shape& x, const Shape& w, int groups = 1) {
  const int pad = static_cast<int>(w.h / 2);
  const ConvolutionShape p{.pad_h = pad, .pad_w = pad, .groups = groups};
  return {.op = "convolution",
          .variant = text(x) + " with " + text(w),
          .inputs = {in(x), in(w)},
          .run = [=](const Tensors& t) { return convolution(t[0], t[1], {}, p); },
          .flops = 2.0 * static_cast<double>(convolution_output(x, w, p).count() * w.h * w.w * w.c)};
}

OpCase layer(const char* op, std::vector<Input> inputs, std::function<Tensor(const Tensors&)> run, double flops = 0) {
  const std::string variant = text(inputs[0].shape);
  return {.op = op, .variant = variant, .inputs = std::move(inputs), .run = std::move(run), .flops = flops};
}

}  // namespace

OpCases perf_cases(const PerfSizes& sizes) {
  const std::int64_t n = sizes.batch, full = sizes.side, half = full / 2, quarter = full / 4;
  const int classes = static_cast<int>(sizes.classes);
  const Shape map{n, half, half, 64}, vector{1, 1, 1, 64}, logits{n, full, full, classes}, ids{n, full, full, 1};
  const Shape graph{n, 1, 64, 9}, tokens{n, full / 16, full / 16, 768}, wide{1, 1, 1, 768};
  return {
      convolution_layer(map, {64, 3, 3, 64}),
      convolution_layer({n, full, full, 16}, {16, 3, 3, 16}),
      convolution_layer({n, quarter, quarter, 96}, {24, 1, 1, 96}),
      convolution_layer({n, half, half, 96}, {96, 3, 3, 1}, 96),
      layer(
          "transposed_convolution", {in({n, quarter, quarter, 64}), in({64, 2, 2, 32})},
          [](const Tensors& t) { return transposed_convolution(t[0], t[1], {}, {.stride_h = 2, .stride_w = 2}); },
          2.0 * static_cast<double>(n * quarter * quarter) * 64 * 4 * 32),
      layer(
          "matmul", {in({n, 1, 256, 256}), in({n, 1, 256, 256})}, [](const Tensors& t) { return matmul(t[0], t[1]); },
          2.0 * static_cast<double>(n) * 256 * 256 * 256),
      layer("batch_norm", {in(map), in(vector), in(vector)},
            [=](const Tensors& t) {
              return batch_norm(t[0], t[1], t[2], Tensor::zeros(vector, device_under_test()),
                                Tensor::full(vector, 1.0f, device_under_test()), {.act = NormActivation::relu}, true);
            }),
      layer("group_norm", {in(map), float32(in(vector)), float32(in(vector))},
            [](const Tensors& t) { return group_norm(t[0], t[1], t[2], {.groups = 32, .relu = true}); }),
      layer("layer_norm", {in(tokens), float32(in(wide)), float32(in(wide))},
            [](const Tensors& t) { return layer_norm(t[0], t[1], t[2], 1e-6f); }),
      layer("gelu", {in(map)}, [](const Tensors& t) { return gelu(t[0]); }),
      layer("add", {in(map), in(map)}, [](const Tensors& t) { return t[0] + t[1]; }),
      layer("mul", {in(map), in(vector)}, [](const Tensors& t) { return t[0] * t[1]; }),
      layer("relu", {in(map)}, [](const Tensors& t) { return relu(t[0]); }),
      layer("exp", {in(map)}, [](const Tensors& t) { return exp(t[0]); }),
      layer("sum_to", {in(map)}, [](const Tensors& t) { return spatial_mean(t[0]); }),
      layer("concat_channels", {in(map), in(map)}, [](const Tensors& t) { return concat_channels(t); }),
      layer("max_pool", {in(map)}, [](const Tensors& t) { return max_pool(t[0]); }),
      layer("adaptive_avg_pool", {in(map)}, [](const Tensors& t) { return adaptive_avg_pool(t[0], 6, 6); }),
      layer("resize", {in(map)}, [=](const Tensors& t) { return resize(t[0], full, full, ResizeMode::bilinear); }),
      layer("softmax", {in(logits)}, [](const Tensors& t) { return softmax(t[0]); }),
      layer("cross_entropy", {in(logits), labels(ids, class_ids(classes))},
            [](const Tensors& t) { return cross_entropy(t[0], t[1]); }),
      layer("dice_loss", {in(logits), labels(ids, class_ids(classes))},
            [](const Tensors& t) { return dice_loss(t[0], t[1]); }),
      layer("kd_loss", {in(logits), fixed(logits)}, [](const Tensors& t) { return kd_loss(t[0], t[1]); }),
      layer("salience", {in(map)}, [](const Tensors& t) { return salience(t[0], {}); }),
      layer("variation_graph", {in(graph), in(graph), fixed(graph), fixed(graph)},
            [](const Tensors& t) { return variation_graph_loss(t[0], t[1], t[2], t[3], {}).edge; }),
  };
}

}  // namespace gf::test
