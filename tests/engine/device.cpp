#include "engine/device.h"

#include <doctest/doctest.h>

#include "engine/nn/convolution.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"
#include "tests/engine/error_text.h"
#ifdef GF_WITH_CUDA
#include "engine/cuda.h"
#endif

namespace gf::test {
namespace {

TEST_CASE("devices go by name") {
  CHECK(device_name(parse_device("cpu")) == "cpu");
  CHECK(device_name(parse_device("simt")) == "simt");
  CHECK(device_name(parse_device("simt:7")) == "simt:7");
  CHECK(std::get<Simt>(parse_device("simt:7")).order_seed == 7);
  for (const char* wrong : {"", "gpu", "simt:", "simt:x", "simt:-1", "cpu:0", "cudas"}) {
    CAPTURE(wrong);
    try {
      parse_device(wrong);
      FAIL("accepted");
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      CHECK(e.parts().where == std::string("--device ") + wrong);
    }
  }
}

// On a machine without a GPU, or in a build without CUDA, one line says so and what to do.
TEST_CASE("--device cuda answers") {
#ifdef GF_WITH_CUDA
  std::string reason;
  if (cuda_available(0, &reason)) {
    CHECK(device_name(parse_device("cuda")) == "cuda");
    CHECK(device_name(parse_device("auto")) == "cuda");
    return;
  }
  CHECK(reason.find('\n') == std::string::npos);
  CHECK(reason.size() > 10);
  CHECK(device_name(parse_device("auto")) == "cpu");
  CHECK(error_text([] { parse_device("cuda"); }) ==
        "GPU not usable: --device cuda:0: " + reason + "; or run with --device cpu");
#else
  CHECK(error_text([] { parse_device("cuda"); }).find("no CUDA in this build") == 0);
#endif
}

TEST_CASE("tensors of two devices do not meet in an op") {
  const Tensor here = Tensor::full({1, 1, 2, 3}, 1.0f), there = here.to(simt_device());
  CHECK(error_text([&] { here + there; }) ==
        "tensors of different devices in one op: [1,1,2,3]: expected all on cpu, found simt; bring it with to()");
  CHECK(error_text([&] { there + here; }).find("expected all on simt, found cpu") != std::string::npos);
  CHECK((here + here).to_vector() == std::vector<float>(6, 2.0f));  // nothing of it sticks
}

TEST_CASE("tensors move between devices") {
  const Tensor here = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {1, 1, 2, 3});
  const Tensor there = here.to(simt_device());
  CHECK(device_name(there.device()) == "simt");
  CHECK(there.to_vector() == here.to_vector());
  CHECK(there.data() != here.data());
  CHECK(here.to(cpu_device()).data() == here.data());  // itself
  const Tensor part = there.view_channels(1, 2).to(cpu_device());
  CHECK(part.dense());
  CHECK(part.to_vector() == std::vector<float>{2, 3, 5, 6});
  const Tensor target = Tensor::zeros({1, 1, 2, 3}, simt_device(3));
  target.assign(here);
  CHECK(target.to_vector() == here.to_vector());
  CHECK(error_text([&] { target.assign(part); }).find("values of another kind of tensor") == 0);
}

TEST_CASE("a module moves with its parameters, every handle sees it") {
  Conv2d layer({}, 2, 3, 3, {});
  layer.initialise(1);
  const Tensor handle = layer.weight;
  const std::vector<float> before = handle.to_vector();
  layer.to(simt_device());
  CHECK(device_name(layer.device()) == "simt");
  CHECK(device_name(handle.device()) == "simt");
  CHECK(handle.to_vector() == before);
  CHECK(handle.requires_grad());
}

}  // namespace
}  // namespace gf::test
