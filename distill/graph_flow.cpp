#include "distill/graph_flow.h"

#include "engine/autograd.h"
#include "kernels/error.h"

namespace gf {

VariationGraphLoss graph_flow_loss(const GraphFlowMaps& student, const GraphFlowMaps& teacher,
                                   const GraphFlowOptions& options) {
  const Shape& s = student.shallow.shape();
  const auto check = [&](const Tensor& map, const char* which) {
    const Shape& t = map.shape();
    if (t.n != s.n || t.c != s.c)
      fail("Graph Flow needs maps of the same batch and channel count", std::string(which) + " " + t.str(),
           "n " + std::to_string(s.n) + ", c " + std::to_string(s.c) + " as the student's shallow map " + s.str(),
           t.str(), "train the paraphrasers with as many factors as the student's taps have channels");
  };
  check(student.deep, "student's deep map");
  check(teacher.shallow, "teacher's shallow map");
  check(teacher.deep, "teacher's deep map");
  GraphFlowMaps constant;
  {
    const NoGrad off;
    constant = {salience(teacher.shallow, options.salience), salience(teacher.deep, options.salience)};
  }
  return variation_graph_loss(salience(student.shallow, options.salience), salience(student.deep, options.salience),
                              constant.shallow, constant.deep, options.graph);
}

}  // namespace gf
