#include "engine/io/checkpoint.h"

#include "engine/autograd.h"
#include "engine/io/safetensors.h"
#include "engine/ops/dropout.h"
#include "engine/ops/losses.h"
#include "kernels/random.h"
#include "tests/engine/io_files.h"
#include "tests/engine/io_net.h"

namespace gf {
namespace {

using namespace test;

// Everything a run consists of.
struct Training {
  SmallNet net;
  FlatParameters flat;
  Optimizer optimizer;
  CheckpointState state;

  explicit Training(const std::string& optimizer_name, std::uint64_t seed = 1, std::int64_t up_channels = 2)
      : net(up_channels),
        flat(initialised(net, seed)),
        optimizer(flat, {.name = optimizer_name, .weight_decay = 1e-3}) {
    state.random = Random(seed);
  }
  static const Module& initialised(Module& m, std::uint64_t seed) {
    m.initialise(seed);
    return m;
  }

  void steps(int count) {
    for (int i = 0; i < count; ++i) {
      const Tensor x = Tensor::empty({2, 9, 8, 3});
      random_normal(Cpu{}, state.random.seed(), state.random.next_stream(), 0, 1, x.mutable_view());
      const Tensor y = net(dropout2d(x, 0.3f, state.random));
      flat.zero_grad();
      backward(mse_loss(y, Tensor::full(y.shape(), 0.5f)));
      optimizer.step(1e-2);
      ++state.step;
    }
  }
  void save(const std::string& path) const { save_checkpoint(path, net, &optimizer, state); }
  void load(const std::string& path) { load_checkpoint(path, net, &optimizer, state); }

  std::vector<float> bits() const {
    std::vector<float> all = flat.values().to_vector();
    const auto add = [&](const Tensor& t) {
      for (const float v : t.to_vector()) all.push_back(v);
    };
    for (const Optimizer::State& s : optimizer.state()) add(s.buffer);
    for (const NamedTensor& b : net.buffers()) add(b.tensor);
    return all;
  }
};

}  // namespace

TEST_CASE("checkpoint: a resumed run goes on to the same bits") {
  const TemporaryFolder folder;
  for (const char* name : {"sgd", "adam", "adamw"}) {
    CAPTURE(name);
    Training unbroken(name), first(name), second(name, 99);
    unbroken.steps(10);
    first.steps(5);
    first.state.entries = {{"config", "a = 1\n[b]\n"}, {"empty", ""}};
    first.save(folder.file("c"));
    CHECK(second.bits() != first.bits());
    second.load(folder.file("c"));
    CHECK(second.bits() == first.bits());
    CHECK(second.state.step == 5);
    CHECK(second.optimizer.steps() == 5);
    CHECK(second.state.random.seed() == 1);
    CHECK(second.state.random.position() == first.state.random.position());
    CHECK(second.state.entries == first.state.entries);
    second.steps(5);
    CHECK(second.bits() == unbroken.bits());
    // Without the moments it would not have.
    Training without(name);
    CheckpointState state;
    load_checkpoint(folder.file("c"), without.net, nullptr, state);
    without.state = state;
    without.steps(5);
    CHECK(without.bits() != unbroken.bits());
  }
}

TEST_CASE("checkpoint: is a safetensors file with plain names, and the same state gives the same bytes") {
  const TemporaryFolder folder;
  Training t("adam");
  t.steps(2);
  t.state.entries["classes"] = "a,b";
  t.save(folder.file("a"));
  t.save(folder.file("b"));
  CHECK(read_file(folder.file("a")) == read_file(folder.file("b")));
  const SafetensorsFile file(folder.file("a"));
  CHECK(file.tensors().size() == 9 + 2 * 7);  // 7 parameters with two moments each, 2 buffers
  CHECK(file.at("model.conv.weight").shape == std::vector<std::int64_t>{4, 3, 2, 5});
  CHECK(file.at("optim.exp_avg.conv.weight").shape == std::vector<std::int64_t>{4, 3, 2, 5});
  CHECK(file.at("optim.exp_avg_sq.up.bias").shape == std::vector<std::int64_t>{2});
  CHECK(file.at("model.bn.running_mean").shape == std::vector<std::int64_t>{4});
  CHECK(file.metadata().at("classes") == "a,b");
  CHECK(file.metadata().at("graphflow.step") == "2");
  // A moment is stored in its parameter's order: element [o=1,i=2,h=0,w=3] of the file is (1,0,3,2) of ours.
  const float* ours = t.optimizer.state()[0].buffer.data() + t.flat.entries()[0].offset;
  REQUIRE(t.flat.entries()[0].name == "conv.weight");
  CHECK(file.floats("optim.exp_avg.conv.weight")[((1 * 3 + 2) * 2 + 0) * 5 + 3] == ours[((1 * 2 + 0) * 5 + 3) * 3 + 2]);
}

TEST_CASE("checkpoint: entries are read from the header alone") {
  const TemporaryFolder folder;
  Training t("sgd");
  t.steps(1);
  t.state.entries = {{"config", "x"}, {"metrics", "1,2"}};
  save_checkpoint(folder.file("c"), t.net, nullptr, t.state);
  CHECK(read_checkpoint_entries(folder.file("c")) == t.state.entries);
  const CheckpointState state = read_checkpoint_state(folder.file("c"));
  CHECK(state.step == 1);
  CHECK(state.random.position() == t.state.random.position());

  Training other("sgd", 2);
  other.state.step = 77;
  const std::string message = error_of(ErrorKind::bad_data, [&] { other.load(folder.file("c")); });
  check_contains(message, "saved for inference");
  CHECK(other.state.step == 77);
  CheckpointState loaded;
  load_checkpoint(folder.file("c"), other.net, nullptr, loaded);
  CHECK(other.net.up.weight.to_vector() == t.net.up.weight.to_vector());
}

TEST_CASE("checkpoint: entries are replaced and nothing else is") {
  const TemporaryFolder folder;
  const std::string path = folder.file("c");
  Training t("adam"), other("adam", 2);
  t.steps(2);
  t.state.entries = {{"config", "x"}, {"post.a", "1"}, {"post.b", "2"}, {"poster", "3"}};
  t.save(path);
  const std::string before = read_file(path), checksum = checkpoint_checksum(path);
  replace_checkpoint_entries(path, "post.", {{"post.c", "\"4\""}}, checksum);
  CHECK(read_checkpoint_entries(path) ==
        std::map<std::string, std::string>{{"config", "x"}, {"post.c", "\"4\""}, {"poster", "3"}});
  other.load(path);  // the checksum fits
  CHECK(other.bits() == t.bits());
  CHECK(other.state.random.position() == t.state.random.position());
  CHECK(other.optimizer.steps() == 2);
  // And back: the file is the same, byte for byte.
  replace_checkpoint_entries(path, "post.", {{"post.a", "1"}, {"post.b", "2"}}, checkpoint_checksum(path));
  CHECK(read_file(path) == before);
  CHECK(checkpoint_checksum(path) == checksum);

  t.steps(1);
  t.save(path);
  const std::string anew = read_file(path);
  check_contains(error_of(ErrorKind::failure, [&] { replace_checkpoint_entries(path, "post.", {}, checksum); }),
                 "saved anew meanwhile");
  CHECK(read_file(path) == anew);
  flip_bit(path, anew.size() - 3, 1);
  const std::string damaged = read_file(path);
  check_contains(
      error_of(ErrorKind::bad_data, [&] { replace_checkpoint_entries(path, "post.", {}, checkpoint_checksum(path)); }),
      "checkpoint damaged");
  CHECK(read_file(path) == damaged);
  CHECK(folder.count("c") == 1);
}

TEST_CASE("checkpoint: another architecture or optimiser is refused with what differs, and nothing is touched") {
  const TemporaryFolder folder;
  const std::string path = folder.file("c");
  Training saved("adam");
  saved.steps(1);
  saved.save(path);
  const auto refused = [&](Training& t) {
    const std::vector<float> before = t.bits();
    const std::string message = error_of(ErrorKind::bad_data, [&] { t.load(path); });
    CHECK(t.bits() == before);
    CHECK(t.optimizer.steps() == 0);
    CHECK(t.state.step == 0);
    return message;
  };
  Training wider("adam", 1, 3), sgd("sgd");
  const std::string architecture = refused(wider);
  check_contains(architecture, "checkpoint of another architecture: " + path);
  check_contains(architecture, "model.up.weight (file F32 [4,2,3,2], network [4,3,3,2])");
  check_contains(architecture, "model.up.bias (file F32 [2], network [3])");
  CHECK(architecture.find("optim.") == std::string::npos);
  const std::string optimizer = refused(sgd);
  check_contains(optimizer, "checkpoint of another optimiser");
  check_contains(optimizer, "not in the file (7): optim.momentum.conv.weight");
  check_contains(optimizer, "this run keeps momentum");
  Training adamw("adamw");  // keeps the same moments
  adamw.load(path);
}

TEST_CASE("checkpoint: what is no checkpoint is refused") {
  const TemporaryFolder folder;
  const std::string path = folder.file("w");
  Training t("sgd");
  check_contains(error_of(ErrorKind::bad_data, [&] { t.load(golden("safetensors_net.safetensors")); }),
                 "not a checkpoint");
  check_contains(error_of(ErrorKind::failure, [&] { t.load(folder.file("none")); }), "No such file");
  const auto with = [&](Metadata metadata) {
    write_safetensors(path, {}, std::move(metadata), Checksum::crc32);
    return error_of(ErrorKind::bad_data, [&] { read_checkpoint_entries(path); });
  };
  check_contains(with({{"graphflow.format", "checkpoint"}}), "graphflow.version");
  check_contains(with({{"graphflow.format", "checkpoint"}, {"graphflow.version", "2"}}), "expected format 1, found 2");
  check_contains(with({{"graphflow.format", "checkpoint"}, {"graphflow.version", "1"}, {"graphflow.step", "1x"}}),
                 "\"1x\"");
  t.state.entries["graphflow.step"] = "1";
  check_contains(error_of(ErrorKind::failure, [&] { t.save(path); }), "graphflow.step");
}

TEST_CASE("checkpoint: one cut at any length, or with a byte changed, is refused and touches nothing") {
  const TemporaryFolder folder;
  const std::string path = folder.file("c");
  Training t("adam"), other("adam", 2);
  t.steps(1);
  t.state.entries["config"] = "[a]\nb = \"c\"\n";
  t.save(path);
  const std::string whole = read_file(path);
  const std::vector<float> before = other.bits();
  const auto refused = [&] { check_contains(error_of(ErrorKind::bad_data, [&] { other.load(path); }), path); };
  for (std::size_t byte = 0; byte < whole.size(); ++byte) {
    CAPTURE(byte);
    const int bit = static_cast<int>(byte % 8);
    flip_bit(path, byte, bit);
    refused();
    flip_bit(path, byte, bit);
  }
  for_each_cut(
      path,
      [&](std::size_t n) {
        CAPTURE(n);
        refused();
      },
      4096, 7);
  CHECK(other.bits() == before);
  write_file(path, whole);
  other.load(path);
  CHECK(other.bits() == t.bits());
}

}  // namespace gf
