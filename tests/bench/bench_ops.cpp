// Times the engine's ops, forward and backward, at the sizes of real layers (tests/harness/cases_perf.cpp).
//
//   bench_ops [FILTER]     lines whose name contains FILTER
//
// GB/s: inputs and output of the forward once, what a perfect kernel would move. GFLOP/s where arithmetic is the
// ceiling.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "engine/autograd.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

// The median of as many runs as fit into a third of a second, at least five, after one to warm up.
template <class Run>
double seconds(const Run& run) {
  using Clock = std::chrono::steady_clock;
  const auto now = [] { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); };
  run();
  std::vector<double> times;
  for (const double begin = now(); times.size() < 5 || now() - begin < 0.33;) {
    const double t = now();
    run();
    times.push_back(now() - t);
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

void time_case(const OpCase& c) {
  Generator g(1);
  Tensors x, leaves;
  double bytes = 0;
  for (const Input& i : c.inputs) {
    Array a(i.shape);
    i.fill(a, g);
    x.push_back(to_tensor(a, Layout::dense, i.dtype));
    bytes += 4.0 * static_cast<double>(i.shape.count());
    if (i.differentiable) leaves.push_back(x.back().require_grad());
  }
  const Tensor dy = [&] {
    const NoGrad off;
    return Tensor::full(c.run(x).shape(), 1.0f);
  }();
  bytes += 4.0 * static_cast<double>(dy.count());
  const double forward = seconds([&] {
    const NoGrad off;
    c.run(x);
  });
  const double both = seconds([&] { gradients(c.run(x), leaves, dy); });
  const double rate = c.flops > 0 ? c.flops / forward * 1e-9 : bytes / forward * 1e-9;
  std::printf("%-24s %-32s %9.3f ms %9.3f ms %8.1f %s\n", c.op.c_str(), c.variant.c_str(), forward * 1e3, both * 1e3,
              rate, c.flops > 0 ? "GFLOP/s" : "GB/s");
}

}  // namespace
}  // namespace gf::test

int main(int argc, char** argv) {
  const std::string filter = argc > 1 ? argv[1] : "";
  std::printf("%-24s %-32s %12s %12s %8s\n", "op", "size", "forward", "with backward", "forward");
  for (const gf::test::OpCase& c : gf::test::perf_cases())
    if (c.name().find(filter) != std::string::npos) gf::test::time_case(c);
}
