// The segmentation and distillation losses against PyTorch (tests/golden/losses.safetensors). Salience and the
// variation graph are compared in tests/distill/golden_graph_flow.cpp.
#include <doctest/doctest.h>

#include <functional>

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "tests/harness/golden.h"

namespace gf::test {
namespace {

constexpr double kTolerance = 1e-5;

struct LossCase {
  const char* name;
  const char* logits;
  std::function<Tensor(const Tensor&)> run;
};

}  // namespace

TEST_CASE("golden losses: values and gradients") {
  const SafetensorsFile f = golden_file("losses");
  const Tensor labels = golden_labels(f, "labels"), holes = golden_labels(f, "labels_ignore");
  const Tensor absent = golden_labels(f, "labels_absent"), weights = golden_tensor(f, "class_weights");
  const Tensor teacher = golden_tensor(f, "teacher_logits");
  const auto kd = [&](float tau, bool element_mean, float factor) {
    return [=](const Tensor& z) { return factor * kd_loss(z, teacher, tau, element_mean); };
  };
  const LossCase cases[] = {
      {"cross_entropy", "logits", [&](const Tensor& z) { return cross_entropy(z, labels); }},
      {"cross_entropy_large", "large_logits", [&](const Tensor& z) { return cross_entropy(z, labels); }},
      {"cross_entropy_weights", "logits", [&](const Tensor& z) { return cross_entropy(z, labels, weights); }},
      {"cross_entropy_ignore", "logits", [&](const Tensor& z) { return cross_entropy(z, holes, {}, 255); }},
      {"cross_entropy_weights_ignore", "logits",
       [&](const Tensor& z) { return cross_entropy(z, holes, weights, 255); }},
      {"dice", "logits", [&](const Tensor& z) { return dice_loss(z, labels); }},
      {"dice_ignore", "logits", [&](const Tensor& z) { return dice_loss(z, holes, 255); }},
      {"dice_absent", "logits", [&](const Tensor& z) { return dice_loss(z, absent); }},
      {"dice_smooth_1", "logits", [&](const Tensor& z) { return dice_loss(z, labels, kNoIgnore, 1.0f); }},
      {"half_cross_entropy_half_dice", "logits",
       [&](const Tensor& z) { return 0.5f * cross_entropy(z, labels) + 0.5f * dice_loss(z, labels); }},
      // Files without "scaled" lack the factor tau^2 that is part of kd_loss.
      {"kd_tau1", "logits", kd(1, true, 1)},
      {"kd_tau1_scaled", "logits", kd(1, true, 1)},
      {"kd_tau1_scaled_pixel_mean", "logits", kd(1, false, 1)},
      {"kd_tau4", "logits", kd(4, true, 1.0f / 16)},
      {"kd_tau4_scaled", "logits", kd(4, true, 1)},
      {"kd_tau4_scaled_pixel_mean", "logits", kd(4, false, 1)},
      {"kd_large", "large_logits", kd(1, true, 1)},
      {"mse", "logits", [&](const Tensor& z) { return mse_loss(z, teacher); }},
  };
  for (const LossCase& c : cases) {
    CAPTURE(c.name);
    const Tensor z = golden_tensor(f, c.logits).require_grad();
    const Tensor loss = c.run(z);
    CHECK(relative_error(loss, golden_tensor(f, c.name + std::string("/loss"))) < kTolerance);
    CHECK(relative_error(gradients(loss, {z})[0], golden_tensor(f, c.name + std::string("/grad"))) < kTolerance);
  }
}

}  // namespace gf::test
