#pragma once
// What the cases against double-precision references share: central differences, runs with several numbers of threads,
// the message of an error.
#include <omp.h>

#include <string>

#include "kernels/error.h"
#include "tests/harness/kernel_case.h"

namespace gf::harness {

using Values = std::vector<double>;

inline std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

// d f / d x[i] for all i; f takes and does not keep the vector.
template <class Function>
Values central_difference(const Function& f, Values x, double step = 1e-5) {
  Values gradient;
  for (double& v : x) {
    const double here = v;
    v = here + step;
    const double above = f(x);
    v = here - step;
    const double below = f(x);
    v = here;
    gradient.push_back((above - below) / (2 * step));
  }
  return gradient;
}

inline double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// run() returns its outputs; they must be the same to the bit on one, two and three threads.
template <class Run>
void same_on_any_threads(const Run& run) {
  const int usual = omp_get_max_threads();
  omp_set_num_threads(1);
  const Values one = run();
  for (const int threads : {2, 3}) {
    omp_set_num_threads(threads);
    INFO(threads, " threads");
    CHECK(same_bits(run(), one));
  }
  omp_set_num_threads(usual);
}

// What a failing call says; "no error" where it does not fail.
template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace gf::harness
