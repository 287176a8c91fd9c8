// What is Mobile U-Net's own beside its golden values: its widest blocks run in bands once it is frozen.
#include <doctest/doctest.h>

#include "engine/autograd.h"
#include "models/network.h"
#include "tests/harness/golden.h"
#include "tests/harness/op_case.h"

namespace gf::test {

TEST_CASE("Mobile U-Net: frozen, its widest blocks in bands of rows, it computes the same") {
  const auto net = make_network("mobile_unet", {.in_channels = 2, .classes = 3, .width = 0.5});
  net->initialise(5);
  Generator g(2);
  Array image(Shape{2, 224, 192, 2});
  normal()(image, g);
  const Tensor x = to_tensor(image, Layout::dense);
  Random random;
  const NoGrad off;
  net->forward(x, random);  // training mode moves the running statistics
  net->eval();
  const NetworkOutput before = net->forward(x, random);
  net->freeze();
  const NetworkOutput after = net->forward(x, random);
  CHECK(relative_error(after.logits, before.logits) < 1e-5);
  for (const auto& [name, tap] : before.taps) CHECK_MESSAGE(relative_error(after.tap(name), tap) < 1e-5, name);
}

}  // namespace gf::test
