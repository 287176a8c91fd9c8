// Every method on activations in bf16: its terms are those of float32, rounded, and its gradients are numbers.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/autograd.h"
#include "tests/distill/method_step.h"
#include "tests/harness/golden.h"

namespace gf::test {

TEST_CASE("every method in bf16 on simt: the terms of float32, rounded, and finite gradients") {
  for (const MethodInfo& info : methods()) {
    if (!info.make) continue;
    INFO(info.name);
    const Device device = simt_device(3);
    const MethodStep single(info, device), half(info, device, DType::bf16);
    const Batch batch = random_batch(single.size(), device);
    Random random(4), same(4);
    const std::vector<TermReport> want = single.task->objective(batch, random).report();
    const Objective objective = half.task->objective(batch, same);
    backward(objective.total());
    const std::vector<TermReport> got = objective.report();
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO(want[i].name);
      CHECK(std::abs(got[i].value - want[i].value) <= 0.05 * std::abs(want[i].value) + 1e-6);
    }
    for (const Module* m :
         {static_cast<const Module*>(half.student.get()), static_cast<const Module*>(half.method.get())})
      for (const NamedTensor& p : m->parameters())
        if (const Tensor g = p.tensor.grad()) CHECK_MESSAGE(std::isfinite(max_abs(g)), p.name);
  }
}

}  // namespace gf::test
