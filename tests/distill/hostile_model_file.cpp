// Model files whose description was changed: refused by name, before memory is taken for what they describe.
#include <doctest/doctest.h>

#include "distill/model_file.h"
#include "engine/io/checkpoint.h"
#include "engine/memory.h"
#include "kernels/error.h"
#include "tests/harness/temporary_folder.h"

namespace gf::test {
namespace {

std::string saved(const TemporaryFolder& folder, const Module& module, const FileEntries& entries) {
  const std::string path = folder.path() + "/model.gfm";
  CheckpointState state;
  state.entries = entries;
  save_checkpoint(path, module, nullptr, state);
  return path;
}

// The message, with the exit code in front, and no more memory taken than `bytes`.
template <class Load>
std::string refusal(const Load& load, std::size_t bytes) {
  reset_memory_peak();
  const std::size_t before = memory_statistics().total.now;
  std::string text;
  try {
    load();
  } catch (const Error& e) {
    text = std::to_string(static_cast<int>(e.kind())) + ": " + e.what();
  }
  CHECK(memory_statistics().total.peak - before < bytes);
  return text;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a network's file that describes another network than it holds is refused, a larger one before it is made") {
  const TemporaryFolder folder;
  NetworkDescription d{"mobile_unet", {.in_channels = 1, .classes = 2, .width = 0.25}, {"background", "disc"}, {}};
  const auto net = make_network(d.arch, d.options);
  net->initialise(1);
  CHECK(load_network(saved(folder, *net, d.to_entries())).network->parameter_count() == net->parameter_count());
  for (const auto& [key, value] : {std::pair{"model.width", "4"},
                                   {"model.width", "1000"},
                                   {"model.width", "4000"},
                                   {"model.width", "-1"},
                                   {"model.width", "nan"},
                                   {"model.classes", "-1"},
                                   {"model.classes", "0"},
                                   {"model.classes", "2.5"},
                                   {"model.classes", "1e30"},
                                   {"model.classes", "900000000"},
                                   {"model.in_channels", "0"},
                                   {"model.in_channels", "1000000000"},
                                   {"model.arch", "fanet"},
                                   {"model.arch", "transunet"}}) {
    CAPTURE(key);
    CAPTURE(value);
    FileEntries changed = d.to_entries();
    changed[key] = value;
    const std::string path = saved(folder, *net, changed);
    const std::string text = refusal([&] { load_network(path); }, 16 << 20);
    CHECK_MESSAGE(text.substr(0, 3) == "3: ", text);
    CHECK_MESSAGE(has(text, path), text);
  }
}

TEST_CASE("a file of paraphrasers that describes larger ones than it holds is refused before they are made") {
  const TemporaryFolder folder;
  const ParaphraserDescription d{{{8, 10, 3}}, {{"encoder3", "up7"}}};
  Paraphrasers written(d.sizes);
  written.initialise(3);
  for (const auto& [key, value] : {std::pair{"paraphraser.shallow_channels", "100000"},
                                   {"paraphraser.factors", "1000000000"},
                                   {"paraphraser.factors", "0"},
                                   {"paraphraser.pairs", "-3"}}) {
    CAPTURE(key);
    FileEntries changed = d.to_entries();
    changed[key] = value;
    const std::string path = saved(folder, written, changed);
    const std::string text = refusal([&] { load_paraphrasers(path); }, 16 << 20);
    CHECK_MESSAGE(text.substr(0, 3) == "3: ", text);
    CHECK_MESSAGE(has(text, path), text);
  }
}

}  // namespace gf::test
