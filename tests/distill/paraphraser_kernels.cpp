// The encoder's two roads: tensor-core kernels for a bf16 map that nothing records, ops for everything else.
#include <doctest/doctest.h>

#include "distill/paraphraser.h"
#include "engine/autograd.h"
#include "engine/ops/cast.h"
#include "engine/ops/paraphraser.h"
#include "kernels/error.h"
#include "tests/harness/op_case.h"

namespace gf::test {

TEST_CASE("the encoder's kernels and its ops give the same factors") {
  for (const std::int64_t factors : {1, 5, 24, 32, 33}) {  // beyond kMaxFactors the last two layers are ops
    CAPTURE(factors);
    ParaphraserPair pair({}, {20, 20, factors});
    pair.initialise(3);
    pair.to(simt_device());
    Array a({2, 9, 7, 20});
    Generator g(4);
    normal()(a, g);
    const Tensor map = to_tensor(a, Layout::dense).to(simt_device()), half = cast(map, DType::bf16);
    CHECK(!paraphraser_kernels_take(half));  // recorded
    const Tensor by_ops = pair.shallow.encode(half);
    CHECK(by_ops.requires_grad());

    const NoGrad off;
    CHECK(paraphraser_kernels_take(half));
    CHECK(!paraphraser_kernels_take(map));
    const Tensor by_kernels = pair.shallow.encode(half), exact = pair.shallow.encode(map);
    CHECK(by_kernels.dtype() == DType::bf16);
    CHECK(norm_error(to_array(by_kernels).v, to_array(exact).v) < 1e-2);
    CHECK(norm_error(to_array(by_ops).v, to_array(exact).v) < 1e-2);
    pair.freeze();
    CHECK(to_array(pair.shallow.encode(half)).v == to_array(by_kernels).v);
  }
}

TEST_CASE("the encoder's kernels on the CPU are refused by name") {
  const Tensor x = cast(Tensor::zeros({1, 4, 4, 8}), DType::bf16), w = Tensor::zeros({8, 3, 3, 8});
  CHECK_THROWS_WITH_AS(paraphraser_layer_inference(x, w, Tensor::zeros({1, 1, 1, 8}), 0.1f),
                       doctest::Contains("do not run on the CPU"), Error);
}

}  // namespace gf::test
