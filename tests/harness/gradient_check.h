#pragma once
// Derivatives of a case through the tape against central differences of its double-precision reference.
//
// L(x) = <u, f(x)> with a random upstream gradient u: a sum would miss errors that cancel (the gradient of a softmax's
// sum is zero). Checked are single elements (all of a small input, a sample and both ends of a large one) and
// directional derivatives along random signs, which see every element. Every difference quotient is taken with three
// step sizes; the two that agree best give the number, and quotients that never agree are reported as a kink instead of
// compared.
#include <string>

#include "tests/harness/op_case.h"

namespace gf::test {

// An empty text where all is well, otherwise what is wrong. Also checked: each input's gradient alone equals the one
// computed with all others, and backward() adds to gradients that are there.
std::string check_first_derivatives(const OpCase& c);

// g = gradients(y, inputs, u, create_graph), v random: d<g, v> with respect to every input and to u.
std::string check_second_derivatives(const OpCase& c);

// The same for any scalar function of leaves that is given twice, as tensors and in double precision: compares
// gradients(run(leaves), leaves) with difference quotients of `reference`.
std::string check_scalar_gradient(const std::function<Tensor(const Tensors&)>& run,
                                  const std::function<double(const Arrays&)>& reference, const Arrays& inputs,
                                  double tolerance);

}  // namespace gf::test
