#pragma once
// The discriminator of tests/golden/make_adversarial.py with its inputs, on a device.
#include <doctest/doctest.h>

#include <memory>

#include "models/discriminator.h"
#include "tests/harness/golden.h"
#include "tests/harness/op_case.h"

namespace gf::test {

struct GoldenDiscriminator {
  SafetensorsFile given = golden_file("adversarial_parameters"), expected = golden_file("adversarial_expected");
  Device device;
  std::unique_ptr<Discriminator> net;
  Tensor teacher, student, alpha;

  explicit GoldenDiscriminator(const Device& d, bool conditional = false) : device(d) {
    net = std::make_unique<Discriminator>(
        Discriminator::Options{.channels = conditional ? 3 : 2,
                               .width = 0.0625,
                               .preprocess = conditional ? Preprocess::batch_norm : Preprocess::tanh});
    net->to(device);
    for (const auto list : {&Module::parameters, &Module::buffers})
      for (const NamedTensor& t : (*net.*list)()) {
        const std::string own = "conditional/" + t.name;
        t.tensor.assign(golden_parameter(given, conditional && given.find(own) ? own : "parameters/" + t.name, t));
      }
    teacher = input("teacher");
    student = input("student");
    alpha = input("alpha");
  }
  Tensor input(const char* name) const { return golden_tensor(given, name).to(device); }
  float number(const std::string& key) const { return expected.floats(key)[0]; }

  // Those the file has; `largest` of the tensors' gradients is what a gradient that is zero but for rounding is held
  // against.
  void compare_gradients(const std::string& prefix) const {
    double largest = 0;
    int compared = 0;
    for (const NamedTensor& p : net->parameters())
      if (expected.find(prefix + p.name)) largest = std::max(largest, max_abs(reference(prefix, p)));
    for (const NamedTensor& p : net->parameters()) {
      if (!expected.find(prefix + p.name)) continue;
      INFO(prefix, p.name);
      const Tensor want = reference(prefix, p);
      if (const Tensor g = p.tensor.grad())
        CHECK(max_difference(g, want) <= 1e-4 * max_abs(want) + 1e-6 * largest);
      else
        CHECK(max_abs(want) == 0);
      ++compared;
    }
    CHECK(compared >= 6);
  }

 private:
  Tensor reference(const std::string& prefix, const NamedTensor& p) const {
    return golden_parameter(expected, prefix + p.name, p);
  }
};

}  // namespace gf::test
