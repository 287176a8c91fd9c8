// graphflow export as a user runs it.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "distill/model_file.h"
#include "engine/io/checkpoint.h"
#include "tests/apps/program.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

// A checkpoint as training writes it, of a network nobody has trained.
std::string write_model(const std::string& path, NetworkDescription d) {
  const auto network = make_network(d.arch, d.options);
  network->initialise(1);
  d.class_names = {"background", "left kidney", "tumour \"T1\""};
  d.preprocessing.stride = static_cast<int>(network->stride());
  CheckpointState state;
  state.entries = d.to_entries();
  save_checkpoint(path, *network, nullptr, state);
  return path;
}

NetworkDescription description(const std::string& arch) {
  NetworkDescription d;
  d.arch = arch;
  d.options = {.in_channels = 1, .classes = 3, .width = 0.1};
  return d;
}

}  // namespace

TEST_CASE("export: the file, its description, and the size of the preprocessing") {
  const TemporaryFolder t;
  NetworkDescription d = description("mobile_unet");
  d.preprocessing.min_height = 40;  // padded to 64
  d.preprocessing.min_width = 96;
  d.postprocessing = Postprocessing{true, {{}, {.min_mm3 = 12.5}, {.fill_holes = true}}};
  const std::string model = write_model(t / "m.gfm", d), onnx = t / "new folder/m.onnx";
  Outcome o = run("export -m " + model + " -o '" + onnx + "'");
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK_MESSAGE(contains(o.text, "mobile_unet for 64 x 96"), o.text);
  const auto j = nlohmann::json::parse(read_text(t / "new folder/m.json"));
  CHECK(j["file"] == "m.onnx");
  CHECK(j["opset"] == 17);
  CHECK(j["input"]["shape"] == nlohmann::json({"batch", 1, 64, 96}));
  CHECK(j["output"]["shape"] == nlohmann::json({"batch", 3, 64, 96}));
  CHECK(j["class_names"][2] == "tumour \"T1\"");
  CHECK(j["preprocessing"]["normalisation"] == "percentile");
  CHECK(j["postprocessing"]["foreground_largest_component"] == true);
  CHECK(j["postprocessing"]["classes"]["left kidney"]["min_mm3"] == 12.5);
  CHECK(j["postprocessing"]["classes"]["tumour \"T1\""]["fill_holes"] == true);
  CHECK(j["checked"]["difference"].get<double>() < 1e-5);
  const std::string bytes = read_text(onnx);
  CHECK(contains(bytes, "preprocessing.normalisation"));
  CHECK(contains(bytes, "postprocessing.1.min_mm3"));
  CHECK(contains(bytes, "[\"background\",\"left kidney\",\"tumour \\\"T1\\\"\"]"));

  o = run("export -m " + model + " -o '" + onnx + "' --size 32x32");
  CHECK_MESSAGE(contains(o.text, "for 32 x 32"), o.text);
  CHECK(read_text(onnx) != bytes);
}

TEST_CASE("export: what cannot be done is said in one line and leaves nothing behind") {
  const TemporaryFolder t;
  const std::string enet = write_model(t / "e.gfm", description("enet")), onnx = t / "x.onnx";
  const std::size_t files = t.files();
  const auto refused = [&](const std::string& arguments, int code, const std::string& text) {
    const Outcome o = run("export " + arguments);
    CHECK_MESSAGE(o.code == code, o.text);
    CHECK_MESSAGE(contains(o.text, text), o.text);
    CHECK_MESSAGE(std::count(o.text.begin(), o.text.end(), '\n') == 1, o.text);
    CHECK(t.files() == files);
  };
  refused("-m " + enet + " -o " + onnx, 2, "give --size HEIGHTxWIDTH, multiples of 8");
  refused("-m " + enet + " -o " + onnx + " --size 64x60", 2, "enet: expected multiples of 8, found 64x60");
  refused("-m " + enet + " -o " + onnx + " --size 64", 2, "not a size: --size: expected HEIGHTxWIDTH");
  refused("-m " + enet + " -o " + onnx + " --size 0x8", 2, "expected multiples of 8, found 0x8");
  refused("-m " + enet + " -o " + t / "x.pb" + " --size 64x64", 2, "expected NAME.onnx");
  refused("-m " + enet + " -o /proc/x.onnx --size 64x64", 1, "/proc/x.onnx");
  refused("-m " + t / "none.gfm" + " -o " + onnx + " --size 64x64", 1, "none.gfm");

  NetworkDescription d = description("transunet");
  d.options.width = 0.05;
  d.options.image_size = {64, 48};
  write_model(t / "t.gfm", d);
  CheckpointState state;
  state.entries = description("enet").to_entries();
  state.entries["model.arch"] = "segnet";
  for (int i = 0; i < 3; ++i) state.entries["class." + std::to_string(i)] = "c";
  save_checkpoint(t / "s.gfm", *make_network("enet", description("enet").options), nullptr, state);
  // Both checkpoints are files of this folder too.
  const Outcome transunet = run("export -m " + t / "t.gfm" + " -o " + onnx),
                segnet = run("export -m " + t / "s.gfm" + " -o " + onnx + " --size 64x64");
  CHECK(transunet.code == 2);
  CHECK_MESSAGE(contains(transunet.text, "this network cannot be exported to ONNX: transunet, op "), transunet.text);
  CHECK_MESSAGE(contains(segnet.text, "unknown network"), segnet.text);
  CHECK(segnet.code == 2);
  CHECK(t.files() == files + 2);

  // A failed export leaves an earlier file as it was.
  REQUIRE(run("export -m " + enet + " -o " + onnx + " --size 64x64").code == 0);
  const std::string bytes = read_text(onnx);
  CHECK(run("export -m " + t / "t.gfm" + " -o " + onnx).code == 2);
  CHECK(read_text(onnx) == bytes);
}
