#pragma once
// Adversarial distillation (method 3): a discriminator D learns to tell the teacher's logits T from the student's S,
// the student to be taken for the teacher. D's mean score over its score map and the batch:
//   student        L_adv = -mean D(S)                                                       (weight lambda3)
//   wgan_gp        L_D = lambda_d (mean D(S) - mean D(T) + penalty * mean_b (|d sum D(x) / d x| - 1)^2)
//   hinge          L_D = lambda_d (mean relu(1 - D(T)) + mean relu(1 + D(S)))
// with x = a T + (1 - a) S, a uniform in [0, 1) for every picture, the norm over all of a picture. T and S are
// constants of L_D. Conditional: the image is concatenated before the logits, in D's input and so in x as well.
// Sources: Gulrajani et al. 2017, as wired in structured knowledge distillation (Liu et al. 2019), on whole batches.
#include <deque>
#include <memory>

#include "distill/opponent.h"
#include "engine/optim/schedule.h"
#include "models/discriminator.h"

namespace gf {

enum class AdversarialLoss { wgan_gp, hinge };
AdversarialLoss parse_adversarial_loss(const std::string& word);  // throws ErrorKind::usage for any other

struct AdversarialOptions {
  double weight = 0.1;  // lambda3, of L_adv in the student's objective
  AdversarialLoss loss = AdversarialLoss::wgan_gp;
  bool conditional = false;
  double lambda_d = 1, penalty = 10;
  double lr = 3e-5;        // Adam (0.9, 0.99), lr (1 - step/steps)^0.9
  std::int64_t steps = 0;  // of the whole run
  // The discriminator.
  std::int64_t classes = 2, image_channels = 1;
  Preprocess preprocess = Preprocess::tanh;
  double width = 1;
  std::uint64_t seed = 1;
};

// -mean D(S); gradients flow to `student` and not to D's parameters.
Tensor generator_loss(const Discriminator& d, const Tensor& student);

// mean_b (|d sum D(x) / d x| - 1)^2; teacher and student are constants. alpha (n,1,1,1).
Tensor gradient_penalty(const Discriminator& d, const Tensor& teacher, const Tensor& student, const Tensor& alpha);

struct DiscriminatorLoss {
  Tensor total;             // L_D
  Tensor teacher, student;  // mean scores
  Tensor penalty;           // as above, without its factor; empty with hinge
};
// Calls D in this order: teacher, student, x (its state changes with every call). alpha is wgan_gp's.
DiscriminatorLoss discriminator_loss(const Discriminator& d, const Tensor& teacher, const Tensor& student,
                                     const Tensor& alpha, const AdversarialOptions& options);

// Sees scores that mean that there is nothing left to learn from the discriminator, or that it diverges, step after
// step.
class SaturationWatch {
 public:
  explicit SaturationWatch(AdversarialLoss loss) : loss_(loss) {}
  // A sentence once, empty otherwise.
  std::string see(double teacher, double student);

  static constexpr int kPatience = 100;        // steps on end
  static constexpr double kScoreBound = 1000;  // of |D|
  static constexpr double kGapBound = 100;     // of D(T) - D(S)

 private:
  AdversarialLoss loss_;
  int saturated_ = 0;
  bool told_ = false;
};

class Adversary : public Opponent {
 public:
  Adversary(const AdversarialOptions& options, const Device& device);

  // L_adv of a batch, which turn() will learn from. Logits float32.
  Tensor generator_term(const Tensor& image, const Tensor& teacher, const Tensor& student);

  Module& model() override { return discriminator_; }
  OptimizerOptions optimizer() const override;
  double lr(std::int64_t step) const override;
  void begin() override { seen_.clear(); }
  Turn turn(Random& random) override;
  std::string remark(const std::vector<WatchedReport>& values) override;

 private:
  struct Seen {
    Tensor teacher, student;
  };
  AdversarialOptions options_;
  Discriminator discriminator_;
  std::deque<Seen> seen_;
  SaturationWatch watch_;
};

}  // namespace gf
