#include "distill/adversarial.h"

#include <cmath>

#include <fmt/format.h>

#include "engine/autograd.h"
#include "engine/nn/constant_scope.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "engine/ops/random.h"
#include "engine/ops/shape.h"
#include "kernels/error.h"

namespace gf {
namespace {

// Below the root of a gradient that vanishes, whose derivative would be 0/0.
constexpr float kTiny = 1e-20f;

Shape per_picture(const Tensor& x) { return {x.shape().n, 1, 1, 1}; }

}  // namespace

AdversarialLoss parse_adversarial_loss(const std::string& word) {
  if (word == "wgan_gp") return AdversarialLoss::wgan_gp;
  if (word == "hinge") return AdversarialLoss::hinge;
  throw Error(ErrorKind::usage, {"unknown adversarial loss", "distill.adversarial.type", "wgan_gp or hinge", word, ""});
}

Tensor generator_loss(const Discriminator& d, const Tensor& student) {
  const ConstantScope constant(d);
  return -mean(d(student));
}

Tensor gradient_penalty(const Discriminator& d, const Tensor& teacher, const Tensor& student, const Tensor& alpha) {
  Tensor x;
  {
    const NoGrad off;
    x = (alpha * teacher + (-alpha + 1.0f) * student).detach();
  }
  x.require_grad();
  const Tensor g = gradients(d(x), {x}, {}, true)[0];
  return mean(square(sqrt(sum_to(square(g), per_picture(x)) + kTiny) - 1.0f));
}

DiscriminatorLoss discriminator_loss(const Discriminator& d, const Tensor& teacher, const Tensor& student,
                                     const Tensor& alpha, const AdversarialOptions& o) {
  const Tensor real = d(teacher), fake = d(student);
  DiscriminatorLoss loss{{}, mean(real), mean(fake), {}};
  const float lambda = static_cast<float>(o.lambda_d);
  if (o.loss == AdversarialLoss::hinge) {
    loss.total = lambda * (mean(relu(-real + 1.0f)) + mean(relu(fake + 1.0f)));
    return loss;
  }
  loss.penalty = gradient_penalty(d, teacher, student, alpha);
  loss.total = lambda * (loss.student - loss.teacher + static_cast<float>(o.penalty) * loss.penalty);
  return loss;
}

std::string SaturationWatch::see(double teacher, double student) {
  const double gap = teacher - student;
  const bool won = loss_ == AdversarialLoss::hinge && teacher >= 1 && student <= -1;  // its loss is 0
  const bool far = std::abs(teacher) > kScoreBound || std::abs(student) > kScoreBound || gap > kGapBound;
  saturated_ = won || far ? saturated_ + 1 : 0;
  if (told_ || saturated_ < kPatience) return {};
  told_ = true;
  return fmt::format(
      "the discriminator is saturated: for {} steps {} (now D(teacher) {:.4g}, D(student) {:.4g}); lower "
      "distill.adversarial.lr or {}",
      kPatience, won ? "it has told every student from its teacher" : "its scores have been far apart", teacher,
      student, won ? "use type = \"wgan_gp\"" : "raise distill.adversarial.penalty");
}

Adversary::Adversary(const AdversarialOptions& o, const Device& device)
    : options_(o),
      discriminator_({.channels = o.classes + (o.conditional ? o.image_channels : 0),
                      .width = o.width,
                      .preprocess = o.preprocess}),
      watch_(o.loss) {
  discriminator_.initialise(o.seed, "discriminator");
  discriminator_.to(device);
}

Tensor Adversary::generator_term(const Tensor& image, const Tensor& teacher, const Tensor& student) {
  const auto input = [&](const Tensor& logits) {
    return options_.conditional ? concat_channels({cast(image, DType::f32), logits}) : logits;
  };
  const Tensor fake = input(student);
  seen_.push_back({input(teacher.detach()), fake.detach()});
  return generator_loss(discriminator_, fake);
}

OptimizerOptions Adversary::optimizer() const {
  return {.name = "adam", .lr = options_.lr, .beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0};
}

double Adversary::lr(std::int64_t step) const { return Schedule{}.at(options_.lr, step, options_.steps); }

Opponent::Turn Adversary::turn(Random& random) {
  if (seen_.empty()) fail("the discriminator's turn without a batch", "Adversary::turn");
  const Seen seen = std::move(seen_.front());
  seen_.pop_front();
  Tensor alpha;
  if (options_.loss == AdversarialLoss::wgan_gp)
    alpha = random_uniform(per_picture(seen.teacher), 0.0f, 1.0f, random, seen.teacher.device());
  const DiscriminatorLoss loss = discriminator_loss(discriminator_, seen.teacher, seen.student, alpha, options_);
  Turn turn{loss.total, {{"d_teacher", loss.teacher.detach()}, {"d_student", loss.student.detach()}}};
  if (loss.penalty) turn.values.push_back({"d_penalty", loss.penalty.detach()});
  return turn;
}

std::string Adversary::remark(const std::vector<WatchedReport>& values) {
  return watch_.see(values.at(0).value, values.at(1).value);
}

}  // namespace gf
