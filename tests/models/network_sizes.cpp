// Parameter counts and multiply-accumulates of the published tables, names against the list made by PyTorch,
// initialisation.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <map>

#include "engine/autograd.h"
#include "engine/io/file_layout.h"
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
  CHECK(make_network("enet", {})->parameter_count() == 348'996);
  CHECK(make_network("enet", {.classes = 9})->parameter_count() == 350'004);
  for (const auto& [classes, published] : {std::pair{2, 2'063'130}, std::pair{9, 2'064'488}}) {
    const auto erfnet = make_network("erfnet", {.classes = classes});
    CHECK(erfnet->parameter_count() + erfnet->unused_released_parameters() == published);
    CHECK(erfnet->unused_released_parameters() == 129 * classes);
  }
  CHECK(make_network("unet", {})->parameter_count() == 31'036'546);
  CHECK(make_network("transunet", {})->parameter_count() == 105'276'066);
  CHECK(make_network("transunet", {.in_channels = 3, .classes = 9})->parameter_count() == 105'277'081);
  CHECK(make_network("transunet", {.image_size = {256, 256}})->parameter_count() == 105'322'146);
}

TEST_CASE("parameters as the paper's table counts them") {
  CHECK(table_parameters(*make_network("fanet", {})) == 38'249'671);
  CHECK(table_parameters(*make_network("mobile_unet", {})) == 4'639'811);
  CHECK(table_parameters(*make_network("enet", {})) == 348'996);
  CHECK(table_parameters(*make_network("erfnet", {})) == 2'063'130);
}

TEST_CASE("multiply-accumulates of one 256x256 picture, true and as the paper's table counts them") {
  struct Work {
    double macs, table;
  };
  const auto work = [](const char* name) {
    const auto net = make_network(name, {});
    net->eval();
    const NoGrad off;
    Random unused;
    const MacCounter counter;
    net->forward(Tensor::zeros({1, 256, 256, 1}), unused);
    std::int64_t of_layers = 0;
    for (const MacCounter::Layer& l : counter.layers()) of_layers += l.macs;
    CHECK(of_layers == counter.count());
    return Work{static_cast<double>(counter.count()), static_cast<double>(table_work(*net, counter, 256, 256))};
  };
  const Work mobile = work("mobile_unet"), fanet = work("fanet"), enet = work("enet"), erfnet = work("erfnet");
  CHECK(mobile.macs == doctest::Approx(0.9625e9).epsilon(1e-4));
  CHECK(mobile.table == 1'491'001'344.0 + 499'712);
  // The released code also runs its unused auxiliary head, a 1x1 convolution 64 -> 2 on the whole picture.
  CHECK(fanet.macs + 64 * 2 * 65536 == doctest::Approx(166.597e9).epsilon(1e-5));
  CHECK(fanet.table == 171'428'710'400.0 + 68'426'624 + 59'303'040);
  CHECK(enet.macs == doctest::Approx(0.4610e9).epsilon(2e-4));
  CHECK(enet.table == 500'350'976.0 + 15'794'176);
  CHECK(erfnet.macs == doctest::Approx(3.304e9).epsilon(2e-4));
  CHECK(erfnet.table == 3'650'207'744.0 + 14'794'752 + 15'990'784);
}

TEST_CASE("multiply-accumulates of TransUNet: convolutions, linear layers and the products of attention") {
  for (const auto& [side, published] : {std::pair<std::int64_t, double>{224, 29.2e9}, {256, 38.4e9}}) {
    CAPTURE(side);
    const auto net = make_network("transunet", {.image_size = {side, side}});
    net->eval();
    const NoGrad off;
    Random unused;
    const MacCounter counter;
    net->forward(Tensor::zeros({1, side, side, 1}), unused);
    CHECK(static_cast<double>(counter.count()) == doctest::Approx(published).epsilon(2e-3));
    // Two products of tokens x tokens x 64 in each of 12 heads of 12 layers.
    const std::int64_t tokens = side / 16 * (side / 16);
    CHECK(counter.matrix_products() == 2 * 12 * 12 * tokens * tokens * 64);
    std::int64_t of_layers = counter.matrix_products();
    for (const MacCounter::Layer& l : counter.layers()) of_layers += l.macs;
    CHECK(of_layers == counter.count());
  }
}

TEST_CASE("names and shapes are those PyTorch's files have") {
  std::ifstream list(std::string(GF_SOURCE_DIR) + "/tests/golden/parameter_names.txt");
  std::map<std::string, std::string> expected;  // of the network whose heading came last
  std::string line;
  const auto compare = [&](const char* name) {
    std::map<std::string, std::string> found;
    const auto net = make_network(name, {});
    const auto add = [&](const NamedTensor& t, const char* suffix) {
      std::string text;
      for (const std::int64_t extent : file_shape(t.tensor.shape(), t.layout))
        text += (text.empty() ? "[" : ", ") + std::to_string(extent);
      found[t.name] = text + "]" + suffix;
    };
    for (const NamedTensor& p : net->parameters()) add(p, "");
    for (const NamedTensor& b : net->buffers()) add(b, " buffer");
    CHECK(found == expected);
  };
  const char* current = nullptr;
  std::size_t compared = 0;
  while (std::getline(list, line)) {
    if (line.empty()) continue;
    if (line[0] == '#') {
      if (current) compare(current);
      current = line.find("FANet,") != std::string::npos          ? "fanet"
                : line.find("Mobile U-Net,") != std::string::npos ? "mobile_unet"
                : line.find("# ENet,") != std::string::npos       ? "enet"
                : line.find("# ERFNet,") != std::string::npos     ? "erfnet"
                : line.find("# U-Net,") != std::string::npos      ? "unet"
                : line.find("# TransUNet,") != std::string::npos  ? "transunet"
                                                                  : nullptr;
      compared += current != nullptr;
      expected.clear();
      continue;
    }
    expected[line.substr(0, line.find(' '))] = line.substr(line.find(' ') + 1);
  }
  CHECK(current == nullptr);  // the paraphrasers come last, so the last network was compared too
  CHECK(compared == network_names().size());
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
  CHECK_THROWS_WITH_AS(make_network("fannet", {}),
                       doctest::Contains("expected fanet, mobile_unet, enet, erfnet, unet, transunet"), Error);
  const auto net = make_network("mobile_unet", {.width = 0.1});
  net->eval();
  Random unused;
  const NetworkOutput out = net->forward(Tensor::zeros({1, 32, 32, 1}), unused);
  CHECK_THROWS_WITH_AS(out.tap("merge5"), doctest::Contains("merge4"), Error);
  CHECK(out.logits.shape() == Shape{1, 32, 32, 2});
}

TEST_CASE("any width and number of input channels makes a network whose pairs of taps match, and dropout can be set") {
  for (const std::string& name : network_names())
    for (const double width : {0.01, 0.1})
      for (const std::int64_t channels : {1, 3, 8}) {
        CAPTURE(name);
        CAPTURE(width);
        CAPTURE(channels);
        const std::int64_t size = make_network(name, {.width = width})->stride();
        const auto net = make_network(
            name,
            {.in_channels = channels, .classes = 4, .width = width, .dropout = 0, .image_size = {size, 2 * size}});
        net->initialise(1);
        Random random(1);
        const NetworkOutput out = net->forward(Tensor::full({2, size, 2 * size, channels}, 0.5f), random);
        CHECK(out.logits.shape() == Shape{2, size, 2 * size, 4});
        const TapPair taps = net->default_taps();
        CHECK(out.tap(taps.shallow).shape().h == size / 4);
        CHECK(out.tap(taps.deep).shape().h == size / (name == "transunet" ? 8 : 4));
        CHECK(out.tap(taps.shallow).shape().c == net->tap_channels());
        CHECK(net->tap_pairs().size() == kMostTapPairs);
        for (const TapPair& pair : net->tap_pairs()) {
          CAPTURE(pair.shallow);
          CHECK(out.tap(pair.shallow).shape().c == out.tap(pair.deep).shape().c);
        }
        CHECK(random.next_stream() == Random(1).next_stream());  // no mask was drawn
      }
}

TEST_CASE("dropout as published: drawn while training, at the network's own rates, and not in evaluation") {
  CHECK(dropout_rate({}, 0.1f) == 0.1f);
  CHECK(dropout_rate({.dropout = 0}, 0.1f) == 0);
  CHECK(dropout_rate({.dropout = 0.3f}, 0.1f) == 0.3f);
  const std::map<std::string, int> masks{
      {"fanet", 1},      {"mobile_unet", 0}, {"enet", 1 + 4 + 1 + 8 + 8 + 1 + 2 + 1 + 1},
      {"erfnet", 5 + 8}, {"unet", 0},        {"transunet", 1 + 2 * 12}};
  for (const std::string& name : network_names()) {
    CAPTURE(name);
    const auto net = make_network(name, {.width = 0.1, .image_size = {16, 16}});
    net->initialise(1);
    const Tensor x = Tensor::full({2, net->stride(), net->stride(), 1}, 0.5f);
    Random random(1), drawn(1);
    net->forward(x, random);
    for (int i = 0; i < masks.at(name); ++i) drawn.next_stream();
    CHECK(random.next_stream() == drawn.next_stream());
    net->eval();
    Random still(1);
    net->forward(x, still);
    CHECK(still.next_stream() == Random(1).next_stream());
  }
}
