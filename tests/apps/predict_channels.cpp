// graphflow predict where the channels of a case are files of their own, by nnU-Net's names and in lists.
#include <doctest/doctest.h>

#include <filesystem>

#include "apps/predict_inputs.h"
#include "data/nifti.h"
#include "data/png.h"
#include "tests/apps/disc_model.h"
#include "tests/apps/fixtures.h"

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

// nnU-Net's data set of ten cases with so many channels, and a model of it.
struct Channels {
  TemporaryFolder folder;
  std::string file = folder / "run/checkpoints/final.gfm";
  explicit Channels(int channels) {
    for (const char* name : {"data/imagesTr", "data/labelsTr"}) fs::create_directories(folder / name);
    for (int i = 0; i < 10; ++i) {
      const std::string id = "c" + std::to_string(i);
      for (int c = 0; c < channels; ++c)
        gray(folder / ("data/imagesTr/" + id + "_000" + std::to_string(c) + ".png"), 20 * c + i);
      Mask mask(32, 32);
      for (std::int64_t x = 0; x < 16; ++x) mask.at(x, x) = 1;
      write_png_mask(folder / ("data/labelsTr/" + id + ".png"), mask);
    }
    write_text(folder / "data/dataset.json",
               R"({"channel_names": {"0": "a")" + std::string(channels > 1 ? R"(, "1": "b")" : "") +
                   R"(}, "labels": {"background": 0, "line": 1}, "numTraining": 10, "file_ending": ".png"})");
    const Outcome o = run("train -q --set data.layout=nnunet --set data.root=" + (folder / "data") +
                          " --set data.channels=" + std::to_string(channels) +
                          " --set model.arch=mobile_unet --set model.width=0.25 "
                          "--set train.max_iterations=1 --set train.batch_size=2 -o " +
                          (folder / "run"));
    REQUIRE_MESSAGE(o.code == 0, o.text);
  }
};

const Channels& two_channels() {
  static const Channels c(2);
  return c;
}

const Channels& one_channel() {
  static const Channels c(1);
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

TEST_CASE(
    "predict channels: CASE_0000 with all channels is CASE for a model of nnU-Net's, a frame of a series is not") {
  const TemporaryFolder t;
  for (const char* name : {"plain", "frames", "rgb", "two", "slices"}) fs::create_directories(t / name);
  const auto named = [&](const char* folder, int channels) {
    return names_of(find_inputs({t / folder}, channels, FileNames::nnunet));
  };
  for (const char* name : {"a_0000.png", "b_1_0000.png", "c.png", "d_0001.png", "e_000.png"})
    gray(t / ("plain/" + std::string(name)), 1);
  volume(t / "plain/a_0000.nii.gz");  // of another kind, with a mask of its own
  CHECK(named("plain", 1) == "a:1 a:1 b_1:1 c:1 d_0001:1 e_000:1 ");
  CHECK(names_of(find_inputs({t / "plain"}, 1)) == "a_0000:1 a_0000:1 b_1_0000:1 c:1 d_0001:1 e_000:1 ");
  for (int i = 0; i < 3; ++i) gray(t / ("frames/v_000" + std::to_string(i) + ".png"), i);
  CHECK(named("frames", 1) == "v_0000:1 v_0001:1 v_0002:1 ");
  colour(t / "rgb/a_0000.png");  // natural pictures hold the three channels in one file
  CHECK(named("rgb", 3) == "a:1 ");
  gray(t / "two/a_0000.png", 1);
  gray(t / "two/a_0001.png", 2);
  CHECK(named("two", 2) == "a:2 ");
  CHECK(names_of(find_inputs({t / "two/a_0000.png"}, 1, FileNames::nnunet)) == "a:1 ");
}

TEST_CASE("predict channels: masks of one channel are named after nnU-Net's cases, as the model's layout was") {
  const Channels& data = one_channel();
  const TemporaryFolder t;
  const std::string images = data.folder / "data/imagesTr";
  const std::string predict = "predict -m " + data.file + " -i ";
  Outcome o = run(predict + images + " -o " + (t / "out") + " --statistics --report");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "10 written, 0 kept, 0 failed"));
  CHECK(fs::exists(t / "out/c3.png"));
  CHECK_FALSE(fs::exists(t / "out/c3_0000.png"));
  CHECK(contains(read_text(t / "out/statistics.csv"), images + "/c3_0000.png,line,"));
  CHECK(contains(read_text(t / "out/statistics.csv"), (t / "out/c3.png") + "\n"));
  CHECK(contains(read_text(t / "out/predictions.html"), "c3_0000.png"));
  o = run("evaluate -g " + (data.folder / "data/labelsTr") + " -p " + (t / "out"));  // the names fit
  CHECK_MESSAGE(o.code == 0, o.text);
  o = run(predict + images + " -o " + (t / "out") + " --continue");
  CHECK_MESSAGE(contains(o.text, "0 written, 10 kept, 0 failed"), o.text);
  write_text(t / "list.txt", images + "/c3_0000.png\n" + images + "/c4_0000.png\n");
  o = run(predict + (t / "list.txt") + " -o " + (t / "listed") + " --preview");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(read_text(t / "listed/c3.png") == read_text(t / "out/c3.png"));
  CHECK(fs::exists(t / "listed/c4_preview.png"));

  // One mask for two files is none.
  fs::create_directories(t / "both");
  fs::copy_file(images + "/c3_0000.png", t / "both/c3.png");
  fs::copy_file(images + "/c3_0000.png", t / "both/c3_0000.png");
  o = run(predict + (t / "both") + " -o " + (t / "refused"));
  CHECK_MESSAGE(o.code == 2, o.text);
  CHECK(contains(o.text, "two inputs have one mask: " + (t / "refused/c3.png")));
  CHECK(contains(o.text, (t / "both/c3.png") + " and " + (t / "both/c3_0000.png")));
  CHECK_FALSE(fs::exists(t / "refused"));

  // Other layouts' models take the same files under their own names.
  o = run(model().predict("-i " + (t / "both") + " -o " + (t / "other")));
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(fs::exists(t / "other/c3.png"));
  CHECK(fs::exists(t / "other/c3_0000.png"));
}
