// Published weights of TransUNet by their names: NumPy's file as Google's, a safetensors file as the PyTorch code's
// (tests/golden/make_transunet_files.py). Which number each element holds is said there, and where it belongs is
// written out here once more, without the table in models/.
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "engine/io/npz.h"
#include "engine/io/safetensors.h"
#include "engine/io/weights.h"
#include "kernels/error.h"
#include "models/network.h"
#include "tests/harness/golden.h"
#include "tests/harness/golden_folder.h"
#include "tests/harness/temporary_folder.h"

namespace gf::test {
namespace {

constexpr double kWidth = 0.03;  // 2 channels at the root, 24 in the transformer

std::unique_ptr<Network> network(ImageSize size = {64, 64}) {
  auto net = make_network("transunet", {.in_channels = 1, .classes = 2, .width = kWidth, .image_size = size});
  net->initialise(1);
  return net;
}

float stored(int place, std::int64_t i) { return static_cast<float>(place + static_cast<double>(i % 251) / 256); }

// The place of every name in the sorted list.
std::map<std::string, int> places(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  std::map<std::string, int> p;
  for (const std::string& n : names) p[n] = static_cast<int>(p.size());
  return p;
}

Tensor tensor(const Network& net, const std::string& name) {
  for (const auto& list : {net.parameters(), net.buffers()})
    for (const NamedTensor& t : list)
      if (t.name == name) return t.tensor;
  FAIL("no tensor " << name);
  return {};
}

// index(o, kh, kw, i): where in the file the element of ours lies.
template <class Index>
void check_kernel(const Network& net, const std::string& name, int place, const Index& index) {
  CAPTURE(name);
  const Tensor t = tensor(net, name);
  const Shape& s = t.shape();
  const float* v = t.data();
  for (std::int64_t o = 0; o < s.n; ++o)
    for (std::int64_t h = 0; h < s.h; ++h)
      for (std::int64_t w = 0; w < s.w; ++w)
        for (std::int64_t i = 0; i < s.c; ++i) REQUIRE(*v++ == stored(place, index(o, h, w, i)));
}

void check_vector(const Network& net, const std::string& name, int place) {
  check_kernel(net, name, place, [](auto, auto, auto, auto i) { return i; });
}

std::vector<float> everything(const Network& net) {
  std::vector<float> all;
  for (const auto& list : {net.parameters(), net.buffers()})
    for (const NamedTensor& t : list)
      for (const float v : t.tensor.to_vector()) all.push_back(v);
  return all;
}

const std::string kGoogle = golden_folder() + "transunet_google.npz";

std::vector<std::string> google_names() {
  const NpzFile file(kGoogle);
  std::vector<std::string> names;
  for (const FileTensor& t : file.tensors()) names.push_back(t.name);
  return names;
}

}  // namespace

TEST_CASE("TransUNet import: every tensor of Google's file is where it belongs") {
  const auto net = network(), untouched = network();
  const LoadReport report = load_weights(*net, kGoogle, LoadMode::strict, net->foreign_names());
  CHECK(report.origin == "Google's checkpoints");
  CHECK(report.complete());
  CHECK(report.unneeded.size() == 3);  // class token and head
  CHECK(report.loaded.size() == google_names().size() - 3);
  CHECK(report.loaded.size() + report.fresh.size() == net->parameters().size() + net->buffers().size());
  for (const std::string& name : report.fresh)
    CHECK_MESSAGE((name.starts_with("bridge.") || name.starts_with("up") || name.starts_with("head.")), name);
  const std::string line = report.text(), table = report.table();
  for (const char* part : {"by the names of Google's checkpoints", "not needed (3): cls, head/bias, head/kernel",
                           "pos_embedding (from 5x5 to 4x4)", "beyond such files and as initialised (47): bridge."})
    CHECK_MESSAGE(line.find(part) != std::string::npos, line);
  for (const char* part : {"used         conv_root/kernel\n", "not needed   cls\n", "fresh        head.weight\n"})
    CHECK_MESSAGE(table.find(part) != std::string::npos, table);

  const std::map<std::string, int> at = places(google_names());
  // [kh,kw,in,out]
  const auto hwio = [](std::int64_t kw, std::int64_t in, std::int64_t out) {
    return [=](auto o, auto h, auto w, auto i) { return ((h * kw + w) * in + i) * out + o; };
  };
  check_kernel(*net, "root.weight", at.at("conv_root/kernel"), hwio(7, 3, 2));
  check_vector(*net, "gn_root.weight", at.at("gn_root/scale"));
  check_vector(*net, "gn_root.bias", at.at("gn_root/bias"));
  std::int64_t in = 2;
  for (const auto& [block, units] : {std::pair{1, 3}, std::pair{2, 4}, std::pair{3, 9}}) {
    const std::int64_t out = 4 << block, mid = out / 4;
    for (int unit = 1; unit <= units; ++unit) {
      const std::string ours = "block" + std::to_string(block) + ".unit" + std::to_string(unit) + ".",
                        theirs = "block" + std::to_string(block) + "/unit" + std::to_string(unit) + "/";
      check_kernel(*net, ours + "conv1.weight", at.at(theirs + "conv1/kernel"), hwio(1, in, mid));
      check_kernel(*net, ours + "conv2.weight", at.at(theirs + "conv2/kernel"), hwio(3, mid, mid));
      check_kernel(*net, ours + "conv3.weight", at.at(theirs + "conv3/kernel"), hwio(1, mid, out));
      for (const char* n : {"1", "2", "3"}) {
        check_vector(*net, ours + "gn" + n + ".weight", at.at(theirs + "gn" + n + "/scale"));
        check_vector(*net, ours + "gn" + n + ".bias", at.at(theirs + "gn" + n + "/bias"));
      }
      if (unit == 1) {
        check_kernel(*net, ours + "shortcut.weight", at.at(theirs + "conv_proj/kernel"), hwio(1, in, out));
        check_vector(*net, ours + "gn_shortcut.weight", at.at(theirs + "gn_proj/scale"));
        check_vector(*net, ours + "gn_shortcut.bias", at.at(theirs + "gn_proj/bias"));
      }
      in = out;
    }
  }
  check_kernel(*net, "patches.weight", at.at("embedding/kernel"), hwio(1, in, 24));
  check_vector(*net, "patches.bias", at.at("embedding/bias"));
  for (int layer = 0; layer < 12; ++layer) {
    const std::string ours = "layer" + std::to_string(layer + 1) + ".",
                      theirs = "Transformer/encoderblock_" + std::to_string(layer) + "/",
                      attention = theirs + "MultiHeadDotProductAttention_1/";
    check_vector(*net, ours + "attention_norm.weight", at.at(theirs + "LayerNorm_0/scale"));
    check_vector(*net, ours + "attention_norm.bias", at.at(theirs + "LayerNorm_0/bias"));
    check_vector(*net, ours + "mlp_norm.weight", at.at(theirs + "LayerNorm_2/scale"));
    check_vector(*net, ours + "mlp_norm.bias", at.at(theirs + "LayerNorm_2/bias"));
    for (const char* part : {"query", "key", "value"}) {
      // [in, head, channel of the head]: output channel o is head o / 2, its channel o % 2
      check_kernel(*net, ours + "attention." + part + ".weight", at.at(attention + part + "/kernel"),
                   [](auto o, auto, auto, auto i) { return (i * 12 + o / 2) * 2 + o % 2; });
      check_vector(*net, ours + "attention." + part + ".bias", at.at(attention + part + "/bias"));
    }
    // [head, channel of the head, out]
    check_kernel(*net, ours + "attention.out.weight", at.at(attention + "out/kernel"),
                 [](auto o, auto, auto, auto i) { return ((i / 2) * 2 + i % 2) * 24 + o; });
    check_vector(*net, ours + "attention.out.bias", at.at(attention + "out/bias"));
    check_kernel(*net, ours + "mlp1.weight", at.at(theirs + "MlpBlock_3/Dense_0/kernel"), hwio(1, 24, 96));
    check_vector(*net, ours + "mlp1.bias", at.at(theirs + "MlpBlock_3/Dense_0/bias"));
    check_kernel(*net, ours + "mlp2.weight", at.at(theirs + "MlpBlock_3/Dense_1/kernel"), hwio(1, 96, 24));
    check_vector(*net, ours + "mlp2.bias", at.at(theirs + "MlpBlock_3/Dense_1/bias"));
  }
  check_vector(*net, "norm.weight", at.at("Transformer/encoder_norm/scale"));
  check_vector(*net, "norm.bias", at.at("Transformer/encoder_norm/bias"));
  for (const std::string& name : report.fresh) CHECK(max_difference(tensor(*net, name), tensor(*untouched, name)) == 0);
}

TEST_CASE(
    "TransUNet import: the position embedding for another grid is SciPy's zoom, for its own without a class token") {
  const NpzFile expected(golden_folder() + "transunet_position.npz");
  for (const std::int64_t side : {4, 6}) {
    CAPTURE(side);
    const auto net = network({16 * side, 16 * side});
    load_weights(*net, kGoogle, LoadMode::strict, net->foreign_names());
    const Tensor wanted = Tensor::from(expected.floats("zoomed_" + std::to_string(side)), Shape{1, side, side, 24});
    CHECK(relative_error(tensor(*net, "position"), wanted) < 1e-6);
  }
  const int place = places(google_names()).at("Transformer/posembed_input/pos_embedding");
  const auto same = network({80, 80});
  const LoadReport report = load_weights(*same, kGoogle, LoadMode::strict, same->foreign_names());
  CHECK(report.resized.empty());
  const Tensor position = tensor(*same, "position");
  for (std::int64_t i = 0; i < position.count(); ++i) REQUIRE(position.data()[i] == stored(place, 24 + i));
}

TEST_CASE("TransUNet import: what does not fit is named, and nothing is touched") {
  const auto wide = make_network("transunet", {.classes = 2, .width = 0.05, .image_size = {64, 64}});
  wide->initialise(1);
  const std::vector<float> before = everything(*wide);
  try {
    load_weights(*wide, kGoogle, LoadMode::strict, wide->foreign_names());
    FAIL("2 channels are not 3");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::bad_data);
    const std::string text = e.what();
    for (const char* part :
         {"transunet_google.npz", "conv_root/kernel (file F32 [7,7,3,2], network [7,7,3,3])", "model.init_strict"})
      CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  }
  CHECK(everything(*wide) == before);
  CHECK(load_weights(*wide, kGoogle, LoadMode::by_name, wide->foreign_names()).loaded.empty());
  // Our own names are not in it, and a network without a table has no others.
  const auto unet = make_network("unet", {.width = 0.05});
  CHECK_THROWS_WITH_AS(load_weights(*unet, kGoogle, LoadMode::strict, unet->foreign_names()),
                       doctest::Contains("0 tensors fit"), Error);
}

TEST_CASE("TransUNet import: the PyTorch code's state dictionary, bare and as DataParallel wraps it") {
  std::ifstream list(golden_folder() + "transunet_names.txt");
  std::vector<std::string> names;
  std::map<std::string, std::vector<std::int64_t>> shapes;
  std::string line;
  while (std::getline(list, line)) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    names.push_back(name);
    for (std::int64_t extent = 0; words >> extent;) shapes[name].push_back(extent);
  }
  REQUIRE(names.size() == 400);
  const std::map<std::string, int> at = places(names);
  std::map<std::string, std::vector<float>> values;
  for (const std::string& name : names) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shapes[name]) count *= extent;
    for (std::int64_t i = 0; i < count; ++i) values[name].push_back(stored(at.at(name), i));
  }
  const TemporaryFolder folder;
  for (const char* prefix : {"", "module."}) {
    CAPTURE(prefix);
    std::vector<TensorToWrite> tensors;
    for (const std::string& name : names)
      tensors.push_back(to_write(prefix + name, shapes[name], std::span<const float>(values[name])));
    const std::vector<float> counter{3};
    tensors.push_back(to_write(std::string(prefix) + "decoder.conv_more.1.num_batches_tracked", {1},
                               std::span<const float>(counter)));
    const std::string file = folder / "transunet.safetensors";
    write_safetensors(file, tensors);
    const auto net = network();
    const LoadReport report = load_weights(*net, file, LoadMode::strict, net->foreign_names());
    CHECK(report.complete());
    CHECK(report.loaded.size() == 400);
    CHECK((report.fresh.empty() && report.resized.empty() && report.unneeded.empty()));
    const auto oihw = [](std::int64_t in, std::int64_t k) {
      return [=](auto o, auto h, auto w, auto i) { return ((o * in + i) * k + h) * k + w; };
    };
    const std::string body = "transformer.embeddings.hybrid_model.";
    check_kernel(*net, "root.weight", at.at(body + "root.conv.weight"), oihw(3, 7));
    check_vector(*net, "gn_root.bias", at.at(body + "root.gn.bias"));
    check_kernel(*net, "block2.unit4.conv2.weight", at.at(body + "body.block2.unit4.conv2.weight"), oihw(4, 3));
    check_kernel(*net, "block3.unit1.shortcut.weight", at.at(body + "body.block3.unit1.downsample.weight"),
                 oihw(16, 1));
    check_vector(*net, "block3.unit1.gn_shortcut.weight", at.at(body + "body.block3.unit1.gn_proj.weight"));
    check_vector(*net, "block3.unit9.gn3.weight", at.at(body + "body.block3.unit9.gn3.weight"));
    check_kernel(*net, "patches.weight", at.at("transformer.embeddings.patch_embeddings.weight"), oihw(32, 1));
    const Tensor position = tensor(*net, "position");
    const int place = at.at("transformer.embeddings.position_embeddings");
    for (std::int64_t i = 0; i < position.count(); ++i) REQUIRE(position.data()[i] == stored(place, i));
    check_kernel(*net, "layer12.mlp2.weight", at.at("transformer.encoder.layer.11.ffn.fc2.weight"), oihw(96, 1));
    check_kernel(*net, "layer1.attention.out.weight", at.at("transformer.encoder.layer.0.attn.out.weight"),
                 oihw(24, 1));
    check_vector(*net, "layer7.mlp_norm.bias", at.at("transformer.encoder.layer.6.ffn_norm.bias"));
    check_vector(*net, "norm.weight", at.at("transformer.encoder.encoder_norm.weight"));
    check_kernel(*net, "bridge.conv.weight", at.at("decoder.conv_more.0.weight"), oihw(24, 3));
    check_vector(*net, "bridge.bn.running_var", at.at("decoder.conv_more.1.running_var"));
    check_kernel(*net, "up3.first.conv.weight", at.at("decoder.blocks.2.conv1.0.weight"), oihw(6, 3));
    check_vector(*net, "up4.second.bn.running_mean", at.at("decoder.blocks.3.conv2.1.running_mean"));
    check_kernel(*net, "head.weight", at.at("segmentation_head.0.weight"), oihw(1, 3));
    check_vector(*net, "head.bias", at.at("segmentation_head.0.bias"));
  }
}

TEST_CASE("TransUNet: its own weights go through a file, to a grid of another size too") {
  const TemporaryFolder folder;
  const std::string file = folder / "own.safetensors";
  const auto net = network({32, 64});  // not square: as it is, by our own names
  tensor(*net, "position").assign(Tensor::full({1, 2, 4, 24}, 0.25f));
  save_weights(file, *net);
  const auto same = network({32, 64});
  CHECK(load_weights(*same, file, LoadMode::strict, same->foreign_names()).resized.empty());
  CHECK(everything(*same) == everything(*net));

  const auto square = network({64, 64}), larger = network({96, 80});
  tensor(*square, "position").assign(Tensor::full({1, 4, 4, 24}, 0.25f));
  save_weights(file, *square);
  const LoadReport report = load_weights(*larger, file, LoadMode::strict, larger->foreign_names());
  CHECK(report.resized == std::vector<std::string>{"position (from 4x4 to 6x5)"});
  CHECK(max_difference(tensor(*larger, "position"), Tensor::full({1, 6, 5, 24}, 0.25f)) < 1e-7);
}

}  // namespace gf::test
