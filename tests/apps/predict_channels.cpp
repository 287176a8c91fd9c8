// graphflow predict where the channels of a case are files of their own, by nnU-Net's names and in lists.
#include <doctest/doctest.h>

#include <filesystem>

#include "apps/predict_inputs.h"
#include "data/nifti.h"
#include "data/png.h"
#include "tests/apps/fixtures.h"
#include "tests/apps/program.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

void gray(const std::string& path, int shift) {
  Bytes8 picture{32, 32, 1, std::vector<std::uint8_t>(32 * 32)};
  for (std::size_t i = 0; i < picture.bytes.size(); ++i)
    picture.bytes[i] = static_cast<std::uint8_t>(i * 7 % 200 + static_cast<std::size_t>(shift));
  write_png(path, picture);
}

void colour(const std::string& path) {
  Bytes8 picture{32, 32, 3, std::vector<std::uint8_t>(3 * 32 * 32, 9)};
  write_png(path, picture);
}

void volume(const std::string& path) {
  const std::vector<float> voxels(8 * 8 * 2, 3);
  write_nifti_image(path, plain_nifti_header(8, 8, 2), voxels);
}

// nnU-Net's data set of ten cases with two channels, and a model of it.
struct Channels {
  TemporaryFolder folder;
  std::string file = folder / "run/checkpoints/final.gfm";
  Channels() {
    for (const char* name : {"data/imagesTr", "data/labelsTr"}) fs::create_directories(folder / name);
    for (int i = 0; i < 10; ++i) {
      const std::string id = "c" + std::to_string(i);
      gray(folder / ("data/imagesTr/" + id + "_0000.png"), i);
      gray(folder / ("data/imagesTr/" + id + "_0001.png"), 20 + i);
      Mask mask(32, 32);
      for (std::int64_t x = 0; x < 16; ++x) mask.at(x, x) = 1;
      write_png_mask(folder / ("data/labelsTr/" + id + ".png"), mask);
    }
    write_text(folder / "data/dataset.json",
               R"({"channel_names": {"0": "a", "1": "b"}, "labels": {"background": 0, "line": 1},
                   "numTraining": 10, "file_ending": ".png"})");
    const Outcome o = run("train -q --set data.layout=nnunet --set data.root=" + (folder / "data") +
                          " --set data.channels=2 --set model.arch=mobile_unet --set model.width=0.25 "
                          "--set train.max_iterations=1 --set train.batch_size=2 -o " +
                          (folder / "run"));
    REQUIRE_MESSAGE(o.code == 0, o.text);
  }
};

const Channels& two_channels() {
  static const Channels c;
  return c;
}

std::string names_of(const std::vector<PredictInput>& inputs) {
  std::string s;
  for (const PredictInput& i : inputs) s += i.name + ":" + std::to_string(i.files.size()) + " ";
  return s;
}

}  // namespace

TEST_CASE("predict channels: a folder of nnU-Net, masks named after the cases") {
  const Channels& data = two_channels();
  const TemporaryFolder t;
  const std::string predict = "predict -m " + data.file + " -i ";
  Outcome o = run(predict + (data.folder / "data/imagesTr") + " -o " + (t / "out") + " --statistics");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "10 written, 0 kept, 0 failed"));
  CHECK(fs::exists(t / "out/c3.png"));
  CHECK_FALSE(fs::exists(t / "out/c3_0000.png"));
  o = run("evaluate -g " + (data.folder / "data/labelsTr") + " -p " + (t / "out"));  // the names fit
  CHECK_MESSAGE(o.code == 0, o.text);

  // The order counts: channels exchanged in a list give another input, and the same one the same mask.
  const std::string a = data.folder / "data/imagesTr/c3_0000.png", b = data.folder / "data/imagesTr/c3_0001.png";
  write_text(t / "list.txt", "# two channels\n" + a + "\t" + b + "\n");
  o = run(predict + (t / "list.txt") + " -o " + (t / "listed"));
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(read_text(t / "listed/c3.png") == read_text(t / "out/c3.png"));
  o = run(predict + a + " -i " + b + " -o " + (t / "one.png"));
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(read_text(t / "one.png") == read_text(t / "out/c3.png"));
}

TEST_CASE("predict channels: one that is missing is named, the other cases go on") {
  const Channels& data = two_channels();
  const TemporaryFolder t;
  fs::copy(data.folder / "data/imagesTr", t / "in");
  fs::remove(t / "in/c4_0001.png");
  fs::remove(t / "in/c5_0000.png");
  Outcome o = run("predict -m " + data.file + " -i " + (t / "in") + " -o " + (t / "out"));
  CHECK_MESSAGE(o.code == 4, o.text);
  CHECK(contains(o.text, "8 written, 0 kept, 2 failed"));
  CHECK(contains(o.text, "a channel's file is missing: " + (t / "in/c4_0000.png") +
                             ": expected c4_0001.png beside it; the model takes 2 channels"));
  CHECK(contains(o.text, "expected c5_0000.png beside it"));
  o = run("predict -m " + data.file + " -i " + (t / "in/c4_0000.png") + " -o " + (t / "x.png"));
  CHECK_MESSAGE(o.code == 3, o.text);
  // Channels are inputs too: none is replaced.
  o = run("predict -m " + data.file + " -i " + (t / "in/c6_0000.png") + " -i " + (t / "in/c6_0001.png") + " -o " +
          (t / "in/c6_0001.png"));
  CHECK_MESSAGE(o.code == 2, o.text);
  CHECK(contains(o.text, "would replace an input: " + (t / "in/c6_0001.png")));
}

TEST_CASE("predict channels: numbers that count frames, and files that hold all channels, stay cases of their own") {
  const TemporaryFolder t;
  for (const char* name : {"frames", "rgb", "three", "mixed", "volumes"}) fs::create_directories(t / name);
  for (int i = 0; i < 5; ++i) gray(t / ("frames/v_000" + std::to_string(i) + ".png"), i);
  for (int i = 0; i < 3; ++i) colour(t / ("rgb/v_000" + std::to_string(i) + ".png"));
  for (int i = 0; i < 3; ++i) gray(t / ("three/v_000" + std::to_string(i) + ".png"), i);
  CHECK(names_of(find_inputs({t / "frames"}, 1)) == "v_0000:1 v_0001:1 v_0002:1 v_0003:1 v_0004:1 ");
  CHECK(names_of(find_inputs({t / "frames"}, 3)) == "v_0000:1 v_0001:1 v_0002:1 v_0003:1 v_0004:1 ");
  CHECK(names_of(find_inputs({t / "rgb"}, 3)) == "v_0000:1 v_0001:1 v_0002:1 ");
  CHECK(names_of(find_inputs({t / "three"}, 3)) == "v:3 ");
  // Colour and one more channel: four in two files.
  colour(t / "mixed/a_0000.png");
  gray(t / "mixed/a_0001.png", 1);
  const std::vector<PredictInput> mixed = find_inputs({t / "mixed"}, 4);
  REQUIRE(names_of(mixed) == "a:2 ");
  CHECK_NOTHROW(require_all_channels(mixed[0], 4));
  CHECK(contains(error_of([&] { require_all_channels(mixed[0], 5); }), "3: a channel's file is missing: "));
  // One ending for all, and names without numbers beside them.
  for (const char* name : {"b_0000.nii.gz", "b_0001.nii.gz", "plain.nii.gz"})
    volume(t / ("volumes/" + std::string(name)));
  CHECK(names_of(find_inputs({t / "volumes"}, 2)) == "b:2 plain:1 ");
  CHECK(contains(error_of([&] { require_all_channels(find_inputs({t / "volumes"}, 3)[0], 3); }), "b_0002.nii.gz"));
}
