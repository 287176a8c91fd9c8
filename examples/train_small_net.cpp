// A small network trained with the engine alone: which pixels belong to a disc, which to a square?
//   train_small_net [steps] [file for the weights]
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "engine/autograd.h"
#include "engine/io/weights.h"
#include "engine/nn/conv_norm.h"
#include "engine/ops/losses.h"
#include "engine/ops/resize.h"
#include "engine/ops/shape.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "kernels/error.h"
#include "kernels/random.h"

using namespace gf;
constexpr std::int64_t kBatch = 8, kSize = 32, kClasses = 3;  // background, disc, square

struct SmallNet : Module {
  ConvNorm fine{{this, "fine"}, 1, 8, 3, {.act = NormActivation::relu}};
  ConvNorm half{{this, "half"}, 8, 16, 3, {.stride = 2, .act = NormActivation::relu}};
  ConvNorm quarter{{this, "quarter"}, 16, 32, 3, {.stride = 2, .act = NormActivation::relu}};
  ConvNorm deep{{this, "deep"}, 32, 32, 3, {.act = NormActivation::relu}};
  Conv2d classify{{this, "classify"}, 8 + 32, kClasses, 1, {}};

  Tensor operator()(const Tensor& x) const {
    const Tensor detail = fine(x);
    const Tensor context = resize(deep(quarter(half(detail))), kSize, kSize, ResizeMode::bilinear);
    return classify(concat_channels({detail, context}));
  }
};

struct Batch {
  Tensor image = Tensor::empty({kBatch, kSize, kSize, 1});              // NHWC, as everywhere
  Tensor label = Tensor::empty({kBatch, kSize, kSize, 1}, DType::i32);  // the class of each pixel
};

// One bright disc or square an image, somewhere in the noise.
Batch draw(Random& random) {
  Batch batch;
  const Tensor dice = Tensor::empty({kBatch, 1, 1, 4});
  random_uniform(Cpu{}, random.seed(), random.next_stream(), 0, 1, dice.mutable_view());
  random_normal(Cpu{}, random.seed(), random.next_stream(), 0, 0.3f, batch.image.mutable_view());
  for (std::int64_t n = 0; n < kBatch; ++n) {
    const float* d = dice.data() + 4 * n;
    const int shape = d[0] < 0.5f ? 1 : 2;
    const float radius = 4 + 5 * d[1], x0 = radius + d[2] * (kSize - 2 * radius),
                y0 = radius + d[3] * (kSize - 2 * radius);
    for (std::int64_t y = 0; y < kSize; ++y)
      for (std::int64_t x = 0; x < kSize; ++x) {
        const float dx = static_cast<float>(x) - x0, dy = static_cast<float>(y) - y0;
        const bool inside =
            shape == 1 ? dx * dx + dy * dy < radius * radius : std::max(dx * dx, dy * dy) < radius * radius;
        const std::int64_t pixel = (n * kSize + y) * kSize + x;
        batch.label.mutable_data<std::int32_t>()[pixel] = inside ? shape : 0;
        if (inside) batch.image.mutable_data()[pixel] += 1;
      }
  }
  return batch;
}

// The share of pixels whose largest logit is the right one.
double accuracy(const SmallNet& net, const Batch& batch) {
  const NoGrad no_tape;
  const Tensor logits = net(batch.image);
  std::int64_t right = 0;
  for (std::int64_t pixel = 0; pixel < batch.label.count(); ++pixel) {
    const float* z = logits.data() + pixel * logits.pixel_stride();
    right += std::max_element(z, z + kClasses) - z == batch.label.data<std::int32_t>()[pixel];
  }
  return static_cast<double>(right) / static_cast<double>(batch.label.count());
}

int main(int argc, char** argv) try {
  const std::int64_t steps = argc > 1 ? std::atoll(argv[1]) : 300;
  const std::string file = argc > 2 ? argv[2] : "small_net.safetensors";
  SmallNet net;
  net.initialise(1);
  FlatParameters parameters(net);  // all of them in one buffer, so that a step is one pass
  Optimizer adam(parameters, {.name = "adam"});
  Random random(1);
  for (std::int64_t step = 0; step < steps; ++step) {
    const Batch batch = draw(random);
    parameters.zero_grad();
    const Tensor loss = cross_entropy(net(batch.image), batch.label);
    backward(loss);
    adam.step(Schedule{}.at(1e-2, step, steps));
    if (step % 50 == 0 || step + 1 == steps) std::printf("step %4d  loss %.4f\n", static_cast<int>(step), loss.item());
  }
  save_weights(file, net, {{"classes", "background,disc,square"}});  // Python's safetensors reads it
  SmallNet loaded;
  load_weights(loaded, file);
  loaded.eval();
  std::printf("%s: pixel accuracy %.4f on new images\n", file.c_str(), accuracy(loaded, draw(random)));
  return 0;
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return static_cast<int>(e.kind());
}
