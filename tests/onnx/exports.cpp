// Exported networks: against onnxruntime (tests/golden/make_onnx.py), against ourselves, and what is refused.
#include <doctest/doctest.h>
#include <zlib.h>

#include <functional>

#include "engine/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/ops/random.h"
#include "kernels/error.h"
#include "models/onnx/onnx_file.h"
#include "tests/golden/golden_onnx.h"
#include "tests/harness/golden.h"
#include "tests/harness/temporary_folder.h"

using namespace gf;
using namespace gf::test;

namespace {

Tensor logits_of(const Network& network, const Tensor& x) {
  const NoGrad off;
  Random unused;
  return network.forward(x, unused).logits;
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return std::to_string(static_cast<int>(e.kind())) + ": " + e.what();
  }
  return "nothing was refused";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("what onnxruntime computes from the exported file is what the network computes") {
  const SafetensorsFile golden = golden_file("onnx");
  for (const GoldenExport& g : kGoldenExports) {
    CAPTURE(std::string(g.name));
    const std::string key = g.name;
    const Tensor x = golden_tensor(golden_file(key + "_expected"), "input").view_images(0, 2);
    CHECK(relative_error(logits_of(*exported_network(g), x), golden_tensor(golden, key + "/logits")) < 5e-6);
  }
}

TEST_CASE("the golden outputs are those of the files that are exported today") {
  const SafetensorsFile golden = golden_file("onnx");
  for (const GoldenExport& g : kGoldenExports) {
    INFO(g.name, ": exports another file than the one onnxruntime ran; run tests/golden/make_onnx.py again");
    const std::string bytes = onnx_bytes(*exported_network(g), export_options(g));
    const auto crc = static_cast<std::int32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
    CHECK(static_cast<std::int32_t>(bytes.size()) == golden.integers(std::string(g.name) + "/bytes")[0]);
    CHECK(crc == golden.integers(std::string(g.name) + "/crc32")[0]);
  }
}

TEST_CASE("an exported file read back computes what the network computes, for any batch") {
  const TemporaryFolder folder;
  for (const GoldenExport& g : kGoldenExports) {
    CAPTURE(std::string(g.name));
    const auto network = exported_network(g);
    const std::string path = folder / "n.onnx";
    write_file_atomically(path, onnx_bytes(*network, export_options(g)));
    const OnnxFile file(path);
    CHECK(file.metadata() == export_options(g).metadata);
    Random random(3);
    for (const std::int64_t batch : {1, 4}) {
      const Tensor x = random_normal({batch, g.size.h, g.size.w, 1}, 0.3f, 1.0f, random, cpu_device());
      CHECK(relative_error(file.run(x), logits_of(*network, x)) < 5e-6);
    }
  }
}

TEST_CASE("sizes of which strip pooling's and the last enlargement's factors are no whole numbers") {
  const TemporaryFolder folder;
  const std::string path = folder / "n.onnx";
  for (const char* name : {"fanet", "mobile_unet"}) {
    CAPTURE(std::string(name));
    const auto network = make_network(name, {.in_channels = 3, .classes = 5, .width = 0.1, .dropout = 0});
    network->initialise(1);
    network->eval();
    const ImageSize size{network->stride() * 5, network->stride() * 7};
    write_file_atomically(path, onnx_bytes(*network, {name, 3, size, {}}));
    Random random(4);
    const Tensor x = random_normal({2, size.h, size.w, 3}, 0, 1, random, cpu_device());
    CHECK(relative_error(OnnxFile(path).run(x), logits_of(*network, x)) < 2e-5);
  }
}

TEST_CASE("what cannot be exported is refused by name") {
  const auto transunet = make_network("transunet", {.width = 0.05, .image_size = {64, 48}});
  transunet->eval();
  const std::string text = refusal([&] { onnx_bytes(*transunet, {"transunet", 1, {64, 48}, {}}); });
  CHECK_MESSAGE(contains(text, "2: this network cannot be exported to ONNX: transunet, op "), text);
  CHECK_MESSAGE(contains(refusal([&] {
                           onnx_bytes(*transunet, {"transunet", 1, {64, 64}, {}});
                         }),
                         "2: the network takes pictures of one size only: transunet: expected 64x48, found 64x64"),
                text);
  const auto enet = make_network("enet", {.width = 0.2});
  CHECK(contains(refusal([&] { onnx_bytes(*enet, {"enet", 1, {32, 32}, {}}); }), "training mode"));
  enet->eval();
  for (const ImageSize size : {ImageSize{32, 30}, {0, 32}, {-8, 8}})
    CHECK(contains(refusal([&] { onnx_bytes(*enet, {"enet", 1, size, {}}); }), "expected multiples of 8"));
}

TEST_CASE("files that are no exports are refused, not run") {
  const TemporaryFolder folder;
  const GoldenExport& g = kGoldenExports[2];
  const std::string path = folder / "n.onnx", bytes = onnx_bytes(*exported_network(g), export_options(g));
  CHECK(contains(refusal([&] { OnnxFile{folder / "none.onnx"}; }), "3: cannot read ONNX file"));
  write_file_atomically(path, "not a model");
  CHECK(contains(refusal([&] { OnnxFile{path}; }), "3: cannot read ONNX file"));
  write_file_atomically(path, bytes.substr(0, bytes.size() / 2));
  CHECK(contains(refusal([&] { OnnxFile{path}; }), "3: "));
  // Of the same length: an op that does not exist, and (with the tag of the field before it) one that does.
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string other = bytes;
    for (std::size_t at; (at = other.find(from)) != other.npos;) other.replace(at, from.size(), to);
    REQUIRE(other != bytes);
    return other;
  };
  write_file_atomically(path, replaced("MaxUnpool", "MinUnpool"));
  CHECK(contains(refusal([&] { OnnxFile{path}; }), "3: ONNX's checker refuses the file"));
  write_file_atomically(path, replaced("\"\x04Relu", "\"\x04Tanh"));
  const std::string tanh = refusal([&] { OnnxFile(path).run(Tensor::zeros({1, 32, 64, 1})); });
  CHECK_MESSAGE(contains(tanh, "(Tanh): expected an op that exports use, found Tanh"), tanh);
}
