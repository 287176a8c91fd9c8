#include "engine/io/weights.h"

#include "engine/io/checkpoint.h"
#include "engine/io/safetensors.h"
#include "tests/engine/io_files.h"
#include "tests/engine/io_net.h"

namespace gf {
namespace {

using namespace test;

std::vector<float> everything(const Module& m) {
  std::vector<float> all;
  for (const auto& list : {m.parameters(), m.buffers()})
    for (const NamedTensor& t : list)
      for (const float v : t.tensor.to_vector()) all.push_back(v);
  return all;
}

// Tensors of the golden file as values to write again, some changed.
struct Copy {
  std::vector<std::pair<FileTensor, std::vector<float>>> tensors;
  explicit Copy(const std::string& path) {
    const SafetensorsFile file(path);
    for (const FileTensor& t : file.tensors())
      if (t.dtype == "F32") tensors.emplace_back(t, file.floats(t.name));
  }
  FileTensor& operator[](const std::string& name) {
    for (auto& [t, values] : tensors)
      if (t.name == name) return t;
    throw std::out_of_range(name);
  }
  void save(const std::string& path) const {
    std::vector<TensorToWrite> list;
    for (const auto& [t, values] : tensors) list.push_back(to_write(t.name, t.shape, std::span<const float>(values)));
    write_safetensors(path, list);
  }
};

}  // namespace

TEST_CASE("weights: PyTorch's file lands in our order") {
  SmallNet net;
  const LoadReport report = load_weights(net, golden("safetensors_net.safetensors"));
  CHECK(report.complete());
  CHECK(report.loaded.size() == 9);
  // Element i of a tensor, counted in PyTorch's order, is i + 1000 * its place in PyTorch's state_dict.
  const auto check = [](const Tensor& ours, const Shape& shape, int place, auto index_in_file) {
    REQUIRE(ours.shape() == shape);
    const float* value = ours.data();
    for (std::int64_t n = 0; n < shape.n; ++n)
      for (std::int64_t h = 0; h < shape.h; ++h)
        for (std::int64_t w = 0; w < shape.w; ++w)
          for (std::int64_t c = 0; c < shape.c; ++c)
            REQUIRE(*value++ == static_cast<float>(1000 * place + index_in_file(n, h, w, c)));
  };
  const auto vector = [](auto, auto, auto, auto c) { return c; };
  check(net.conv.weight, {4, 2, 5, 3}, 0, [](auto o, auto h, auto w, auto i) { return ((o * 3 + i) * 2 + h) * 5 + w; });
  check(net.conv.bias, {1, 1, 1, 4}, 1, vector);
  check(net.bn.weight, {1, 1, 1, 4}, 2, vector);
  check(net.bn.bias, {1, 1, 1, 4}, 3, vector);
  check(net.bn.running_mean, {1, 1, 1, 4}, 4, vector);
  check(net.bn.running_var, {1, 1, 1, 4}, 5, vector);
  check(net.depthwise.weight, {4, 3, 3, 1}, 7, [](auto c, auto h, auto w, auto) { return (c * 3 + h) * 3 + w; });
  check(net.up.weight, {4, 3, 2, 2}, 8, [](auto i, auto h, auto w, auto o) { return ((i * 2 + o) * 3 + h) * 2 + w; });
  check(net.up.bias, {1, 1, 1, 2}, 9, vector);
}

TEST_CASE("weights: what we save is what PyTorch saved, without its batch counter") {
  const TemporaryFolder folder;
  const std::string ours = folder.file("ours"), theirs = folder.file("theirs");
  SmallNet net;
  load_weights(net, golden("safetensors_net.safetensors"));
  save_weights(ours, net);
  Copy(golden("safetensors_net.safetensors")).save(theirs);
  CHECK(read_file(ours) == read_file(theirs));
  save_weights(ours, net, {{"arch", "small"}});
  CHECK(SafetensorsFile(ours).metadata() == Metadata{{"arch", "small"}});
}

TEST_CASE("weights: strict refuses every difference, lists it, and touches nothing") {
  const TemporaryFolder folder;
  const std::string path = folder.file("w");
  SmallNet net;
  net.initialise(1);
  const std::vector<float> before = everything(net);
  const auto refused = [&](const std::string& part) {
    const std::string message = error_of(ErrorKind::bad_data, [&] { load_weights(net, path); });
    check_contains(message, part);
    check_contains(message, path);
    CHECK(everything(net) == before);
  };
  Copy other_shape(golden("safetensors_net.safetensors"));
  other_shape["depthwise.weight"].shape = {4, 9, 1, 1};
  other_shape.save(path);
  refused("wrong shape (1): depthwise.weight (file F32 [4,9,1,1], network [4,1,3,3])");

  Copy other_name(golden("safetensors_net.safetensors"));
  other_name["up.bias"].name = "up.offset";
  other_name.save(path);
  refused("not in the file (1): up.bias; not in the network (1): up.offset");

  save_weights(path, SmallNet(3));
  refused("found 7 tensors fit; wrong shape (2)");

  const std::vector<std::int32_t> integers(4);
  write_safetensors(path, {to_write("conv.bias", {4}, integers)});
  refused("conv.bias (file I32 [4], network [4])");
}

TEST_CASE("weights: by name loads what fits and reports the rest") {
  const TemporaryFolder folder;
  const std::string path = folder.file("w");
  Copy changed(golden("safetensors_net.safetensors"));
  changed["up.bias"].name = "up.offset";
  changed["bn.weight"].shape = {2, 2};
  changed.save(path);
  SmallNet net, whole;
  net.initialise(1);
  load_weights(whole, golden("safetensors_net.safetensors"));
  const std::vector<float> bias = net.up.bias.to_vector();
  const LoadReport report = load_weights(net, path, LoadMode::by_name);
  CHECK(report.missing == std::vector<std::string>{"up.bias"});
  CHECK(report.unexpected == std::vector<std::string>{"up.offset"});
  REQUIRE(report.wrong_shape.size() == 1);
  CHECK(report.wrong_shape[0].name == "bn.weight");
  CHECK(report.loaded.size() == 7);
  CHECK(net.up.bias.to_vector() == bias);
  CHECK(net.bn.weight.to_vector() == std::vector<float>(4, 1.0f));
  CHECK(net.up.weight.to_vector() == whole.up.weight.to_vector());
  CHECK(net.bn.running_var.to_vector() == whole.bn.running_var.to_vector());
}

TEST_CASE("weights: long lists are cut") {
  LoadReport report;
  for (int i = 0; i < 20; ++i) report.missing.push_back("p" + std::to_string(i));
  CHECK(report.text(3) == "0 tensors fit; not in the file (20): p0, p1, p2 and 17 more");
  check_contains(report.text(), "p7 and 12 more");
}

TEST_CASE("weights: a checkpoint's model can be loaded as weights") {
  const TemporaryFolder folder;
  const std::string path = folder.file("c");
  SmallNet net, other;
  load_weights(net, golden("safetensors_net.safetensors"));
  FlatParameters flat(net);
  const Optimizer adam(flat, {});
  save_checkpoint(path, net, &adam, {});
  CHECK(load_weights(other, path).complete());
  CHECK(everything(other) == everything(net));
}

}  // namespace gf
