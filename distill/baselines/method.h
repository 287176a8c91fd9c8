#pragma once
// Distillation methods behind one interface: what a method is given of teacher and student, and the loss terms it gives
// back. README.md says how to add one. The loss of a run is the supervised one plus the terms, each with its own
// weight.
//
// A method may have parameters of its own (it is a Module): they are trained and checkpointed with the student, but are
// no part of the student that is saved for use.
//
// terms() runs inside a captured step (engine/step_graph.h): it reads nothing on the host, takes class masks from
// ops/one_hot.h and random numbers from MethodInput::random.
#include <memory>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace gf {

// A tap as the configuration names it.
struct MethodLayer {
  std::string name;
  std::int64_t channels = 0;
};

// What a method is built for.
struct MethodSetup {
  MethodLayer teacher_shallow, teacher_deep, student_shallow, student_deep;
  std::int64_t factors = 0;  // channels of the paraphrased teacher taps; 0: there are no paraphrasers
  std::int64_t classes = 2;
  double tau = 0;  // temperature; 0: the method's own
};

struct TapMaps {
  Tensor shallow, deep;  // (n,h,w,c)
};

// All maps and logits float32, of the same pictures. The teacher's are constants. Maps of teacher and student may
// differ in size and channels.
struct MethodInput {
  TapMaps teacher, student;
  TapMaps factors;  // the teacher's taps through the paraphrasers; empty where the method needs none
  Tensor teacher_logits, student_logits;  // (n,h,w,classes)
  Tensor label;                           // (m,h,w,1) i32, m <= n: of the first m pictures
  int ignore_index;
  Random& random;
};

struct MethodTerm {
  std::string name;
  double weight;  // the default
};

// What a method looks at, for the table and for the checks before a run. Terms that need labels speak of the pictures
// that have them.
struct MethodNeeds {
  bool logits = false, shallow = false, deep = false, labels = false;
  bool paraphrasers = false;  // of the teacher's taps: MethodInput::factors
  bool teacher = true;        // that was trained before
};

class Method;

struct MethodInfo {
  std::string name;  // in the configuration
  std::string title;
  int year;
  std::string formula;
  std::vector<MethodTerm> terms;
  MethodNeeds needs;
  std::string two_classes;  // "yes", or what becomes of it
  // Null where the terms are another's: graph_flow's are distill/distillation.h's own, mean_teacher is a task
  // (distill/mean_teacher.h).
  std::unique_ptr<Method> (*make)(const MethodSetup&);
};

class Method : public Module {
 public:
  explicit Method(MethodSetup setup) : setup_(std::move(setup)) {}
  // One scalar for each of info().terms, without its weight.
  virtual std::vector<Tensor> terms(const MethodInput& in) const = 0;

  const MethodInfo& info() const { return *info_; }
  const std::vector<double>& weights() const { return weights_; }

 protected:
  float tau_or(double usual) const { return static_cast<float>(setup_.tau > 0 ? setup_.tau : usual); }
  const MethodSetup& setup() const { return setup_; }

 private:
  friend std::unique_ptr<Method> make_method(const MethodInfo&, const MethodSetup&, const std::vector<double>&);
  MethodSetup setup_;
  const MethodInfo* info_ = nullptr;
  std::vector<double> weights_;
};

template <class M>
std::unique_ptr<Method> make_as(const MethodSetup& setup) {
  return std::make_unique<M>(setup);
}

// All methods, graph_flow first.
const std::vector<MethodInfo>& methods();
std::vector<std::string> method_names();
const MethodInfo& find_method(const std::string& name);  // throws ErrorKind::usage with the list

// Throws ErrorKind::usage where there are weights, but not one a term; `where`: for the message.
void check_method_weights(const MethodInfo& info, std::size_t weights, const std::string& where);

// `weights`: one a term, or none for the defaults. Throws ErrorKind::usage, naming term and layer, where the setup
// lacks what the method needs.
std::unique_ptr<Method> make_method(const MethodInfo& info, const MethodSetup& setup,
                                    const std::vector<double>& weights = {});

}  // namespace gf
