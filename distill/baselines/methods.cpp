#include <algorithm>

#include "distill/baselines/method.h"
#include "kernels/error.h"

namespace gf {

// The list: one line a method, whose file defines NAME_method().
#define GF_METHODS(METHOD) \
  METHOD(graph_flow)       \
  METHOD(kd)               \
  METHOD(kd_zoo)           \
  METHOD(at)               \
  METHOD(fsp)              \
  METHOD(ft)               \
  METHOD(vid)              \
  METHOD(skd)              \
  METHOD(ifvd)             \
  METHOD(emkd)             \
  METHOD(cocod)            \
  METHOD(cwd)              \
  METHOD(dkd)              \
  METHOD(dist)             \
  METHOD(cirkd)            \
  METHOD(mgd)              \
  METHOD(logit_std)        \
  METHOD(mean_teacher)

#define GF_DECLARE(name) MethodInfo name##_method();
GF_METHODS(GF_DECLARE)

const std::vector<MethodInfo>& methods() {
#define GF_MAKE(name) name##_method(),
  static const std::vector<MethodInfo> list{GF_METHODS(GF_MAKE)};
  return list;
}

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const MethodInfo& m : methods()) names.push_back(m.name);
  return names;
}

const MethodInfo& find_method(const std::string& name) {
  std::string names;
  for (const MethodInfo& m : methods()) {
    if (m.name == name) return m;
    names += (names.empty() ? "" : ", ") + m.name;
  }
  throw Error(ErrorKind::usage, {"unknown distillation method", "distill.method", names, name, ""});
}

void check_method_weights(const MethodInfo& info, std::size_t weights, const std::string& where) {
  if (weights == 0 || weights == info.terms.size()) return;
  std::string names;
  for (const MethodTerm& t : info.terms) names += (names.empty() ? "" : ", ") + t.name;
  throw Error(ErrorKind::usage, {"wrong number of method weights", where,
                                 std::to_string(info.terms.size()) + " (" + names + ")", std::to_string(weights), ""});
}

std::unique_ptr<Method> make_method(const MethodInfo& info, const MethodSetup& setup,
                                    const std::vector<double>& weights) {
  check_method_weights(info, weights.size(), "distill.method_weights of " + info.name);
  if (info.needs.paraphrasers && setup.factors == 0)
    throw Error(ErrorKind::usage, {"distillation method " + info.name + " needs the paraphrasers",
                                   "term " + info.terms.front().name + ", teacher taps " + setup.teacher_shallow.name +
                                       " and " + setup.teacher_deep.name,
                                   "a file made by graphflow paraphrase", "none",
                                   "run graphflow paraphrase, or set distill.paraphrasers"});
  std::unique_ptr<Method> method = info.make(setup);
  method->info_ = &info;
  method->weights_ = weights;
  if (weights.empty())
    for (const MethodTerm& t : info.terms) method->weights_.push_back(t.weight);
  return method;
}

}  // namespace gf
