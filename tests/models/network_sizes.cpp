// Parameter counts and multiply-accumulates of the published tables, names against the list made by PyTorch,
// initialisation.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <map>

#include "engine/autograd.h"
#include "engine/ops/mac_counter.h"
#include "kernels/error.h"
#include "models/network.h"

using namespace gf;

TEST_CASE("parameter counts at width 1, 1 input channel, 2 classes") {
  const auto fanet = make_network("fanet", {});
  CHECK(fanet->parameter_count() == 38'292'162);
  CHECK(fanet->parameter_count() + fanet->unused_released_parameters() == 38'292'295);
  CHECK(make_network("mobile_unet", {})->parameter_count() == 4'682'323);
  CHECK(make_network("mobile_unet", {.classes = 9})->parameter_count() == 4'682'351);
  CHECK(make_network("fanet", {.classes = 9})->parameter_count() + 64 * 9 + 9 + 3 == 38'293'205);
}

TEST_CASE("multiply-accumulates of one 256x256 picture") {
  const auto macs = [](const char* name) {
    const auto net = make_network(name, {});
    net->eval();
    const NoGrad off;
    Random unused;
    const MacCounter counter;
    net->forward(Tensor::zeros({1, 256, 256, 1}), unused);
    return static_cast<double>(counter.count());
  };
  CHECK(macs("mobile_unet") == doctest::Approx(0.9625e9).epsilon(1e-4));
  // The released code also runs its unused auxiliary head, a 1x1 convolution 64 -> 2 on the whole picture.
  CHECK(macs("fanet") + 64 * 2 * 65536 == doctest::Approx(166.597e9).epsilon(1e-5));
}

TEST_CASE("names and shapes are those PyTorch's files have") {
  std::ifstream list(std::string(GF_SOURCE_DIR) + "/tests/golden/parameter_names.txt");
  std::map<std::string, std::string> expected;  // of the network whose heading came last
  std::string line;
  const auto compare = [&](const char* name) {
    std::map<std::string, std::string> found;
    const auto net = make_network(name, {});
    const auto add = [&](const NamedTensor& t, const char* suffix) {
      const Shape& s = t.tensor.shape();
      const auto text = [](std::int64_t v) { return std::to_string(v); };
      found[t.name] = (t.layout == FileLayout::vector
                           ? "[" + text(s.c) + "]"
                           : "[" + text(s.n) + ", " + text(s.c) + ", " + text(s.h) + ", " + text(s.w) + "]") +
                      suffix;
    };
    for (const NamedTensor& p : net->parameters()) add(p, "");
    for (const NamedTensor& b : net->buffers()) add(b, " buffer");
    CHECK(found == expected);
  };
  const char* current = nullptr;
  while (std::getline(list, line)) {
    if (line.empty()) continue;
    if (line[0] == '#') {
      if (current) compare(current);
      current = line.find("FANet,") != std::string::npos          ? "fanet"
                : line.find("Mobile U-Net,") != std::string::npos ? "mobile_unet"
                                                                  : nullptr;
      expected.clear();
      continue;
    }
    expected[line.substr(0, line.find(' '))] = line.substr(line.find(' ') + 1);
  }
  CHECK(current == nullptr);  // the paraphrasers come last: both networks were compared
}

TEST_CASE("initialisation: Xavier for FANet's convolutions, N(0, sqrt(2 / (k k C_out))) for Mobile U-Net") {
  const auto find = [](const Network& net, const std::string& name) {
    for (const NamedTensor& p : net.parameters())
      if (p.name == name) return p.tensor;
    FAIL("no parameter " << name);
    return Tensor();
  };
  const auto fanet = make_network("fanet", {});
  fanet->initialise(7);
  const Tensor w = find(*fanet, "encoder3.block1.sk.conv5.weight");  // 256 -> 256, 5x5
  const double bound = std::sqrt(6.0 / (25.0 * 512));
  double largest = 0, squares = 0;
  for (const float v : w.to_vector()) {
    largest = std::max(largest, std::abs(static_cast<double>(v)));
    squares += static_cast<double>(v) * v;
  }
  CHECK(largest <= bound);
  CHECK(largest > 0.999 * bound);
  CHECK(std::sqrt(squares / static_cast<double>(w.count())) == doctest::Approx(bound / std::sqrt(3.0)).epsilon(0.01));

  const auto mobile = make_network("mobile_unet", {});
  mobile->initialise(7);
  const Tensor last = find(*mobile, "last.conv.weight");  // 320 -> 1280, 1x1
  squares = 0;
  for (const float v : last.to_vector()) squares += static_cast<double>(v) * v;
  CHECK(std::sqrt(squares / static_cast<double>(last.count())) == doctest::Approx(std::sqrt(2.0 / 1280)).epsilon(0.01));
  const Tensor bias = find(*mobile, "up1.bias");
  for (const float v : bias.to_vector()) CHECK(v == 0);
}

TEST_CASE("an unknown network and an unknown tap are named with what there is") {
  CHECK_THROWS_WITH_AS(make_network("fannet", {}), doctest::Contains("expected fanet, mobile_unet"), Error);
  const auto net = make_network("mobile_unet", {.width = 0.1});
  net->eval();
  Random unused;
  const NetworkOutput out = net->forward(Tensor::zeros({1, 32, 32, 1}), unused);
  CHECK_THROWS_WITH_AS(out.tap("merge5"), doctest::Contains("merge4"), Error);
  CHECK(out.logits.shape() == Shape{1, 32, 32, 2});
}
