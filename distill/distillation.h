#pragma once
// Distillation of a frozen teacher into a student with Graph Flow (method 0 to 4):
//   L = L_CE (+ L_Dice) + w * (lambda1 L_vertex + lambda2 L_edge + lambda3 L_adv + lambda4 L_kd)
// with L_vertex and L_edge summed over |L| pairs of layers,
// or with another method (baselines/method.h), whose terms stand in place of those of Graph Flow.
// L_adv is that of adversarial.h, whose discriminator is trained in turns with the student (task.h, opponent()). In a
// batch of labelled and unlabelled pictures (semi-supervised, method 7) L_CE, L_Dice and a method's terms that need
// labels are of the labelled ones, all other terms of both. w is the warm-up: it rises linearly from 0 to 1 over the
// first warmup_steps steps. The weights may be chosen by the run (term_weights.h).
#include "distill/adversarial.h"
#include "distill/baselines/method.h"
#include "distill/graph_flow.h"
#include "distill/paraphraser.h"
#include "distill/supervised.h"
#include "distill/term_weights.h"

namespace gf {

struct DistillationOptions {
  SupervisedOptions supervised;                     // its activations are those of teacher and student
  double vertex_weight = 1e-5, edge_weight = 1e-9;  // lambda1, lambda2 (0: no graph terms, no paraphrasers needed)
  double kd_weight = 1;                             // lambda4
  float kd_tau = 1;
  bool kd_element_mean = true;
  // In labelled pictures the logits distillation leaves out pixels where the teacher is wrong (TeacherCheck of
  // kernels/losses.h, which says what it divides by then: all pixels). Of Graph Flow's L_kd alone.
  bool mask_wrong_teacher = false;
  GraphFlowOptions graph;
  // A pair for each pair of layers, the i-th of the teacher with the i-th of the student; another method than Graph
  // Flow uses the first alone.
  std::vector<TapPair> teacher_taps, student_taps;
  AdversarialOptions adversarial = {.weight = 0};  // lambda3; 0: no discriminator
  std::int64_t warmup_steps = 0;
  AutoWeights auto_weights = {};
  bool fold_bf16 = false;  // the teacher's batch norms under bf16 activations too (engine/nn/conv_norm.h)
  // Instead of Graph Flow: its terms' weights above must be 0. Shared with the task, which trains it.
  std::shared_ptr<Method> method = nullptr;
};

class DistillationTask : public TrainingTask {
 public:
  // The teacher and the paraphrasers move to the student's device, into evaluation mode, and are frozen. `paraphrasers`
  // may be null where both graph weights are 0, and may be of more pairs than there are taps. Throws where the
  // paraphrasers' factors differ from the student taps' channels. A method of its own is expected initialised; it moves
  // too, in training mode.
  DistillationTask(Network& student, Network& teacher, Paraphrasers* paraphrasers, DistillationOptions options,
                   std::function<Validation()> validate, std::map<std::string, std::string> description);
  Module& model() override { return student_; }
  Module& trained() override { return trained_; }
  void begin_step(std::int64_t step) override { weights_->begin_step(step); }
  bool reads_on_host(std::int64_t step) const override { return weights_->chooses_at(step); }
  std::string remark() override { return weights_->remark(); }
  Objective objective(const Batch& batch, Random& random) override;
  Opponent* opponent() override { return adversary_.get(); }
  Validation validate() override { return validate_(); }
  std::map<std::string, std::string> description() const override { return description_; }

 private:
  struct TeacherOutput {
    Tensor logits;
    TapMaps taps;                  // empty tensors where Graph Flow runs
    std::vector<TapMaps> factors;  // a pair a layer; empty where the paraphrasers are not needed
  };
  TeacherOutput teach(const Tensor& image);
  std::vector<TermWeight> configured_weights() const;
  void add_graph_flow_terms(std::vector<RawTerm>& terms, const NetworkOutput& student,
                            const TeacherOutput& teacher) const;
  void add_method_terms(std::vector<RawTerm>& terms, const NetworkOutput& student, const TeacherOutput& teacher,
                        const Batch& batch, Random& random) const;
  bool factors_on() const { return options_.method ? options_.method->info().needs.paraphrasers : graph_on(); }
  bool graph_on() const { return options_.vertex_weight != 0 || options_.edge_weight != 0; }
  void check_taps() const;

  Network &student_, &teacher_;
  Module trained_;  // the student and, beside it, the method and weights that were chosen
  Paraphrasers* paraphrasers_;
  DistillationOptions options_;
  std::unique_ptr<Adversary> adversary_;
  std::unique_ptr<TermWeights> weights_;
  std::function<Validation()> validate_;
  std::map<std::string, std::string> description_;
};

}  // namespace gf
