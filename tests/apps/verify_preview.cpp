// graphflow verify and graphflow preview as a user runs them, and what verify finds given straight to the other
// subcommands.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/image.h"
#include "data/png.h"
#include "engine/io/utf8.h"
#include "tests/apps/program.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

std::string image(const TemporaryFolder& t, int i) { return t / ("data/images/disc_" + std::to_string(i) + ".png"); }
std::string mask(const TemporaryFolder& t, int i) { return t / ("data/masks/disc_" + std::to_string(i) + ".png"); }

// A NIfTI-1 file of float32 voxels, spacing 1; dimensions beyond the third are channels.
void write_volume(const std::string& path, const std::vector<std::int16_t>& dim, const std::vector<float>& voxels) {
  std::string h(352, '\0');
  const auto put = [&](std::size_t at, auto value) { std::memcpy(&h[at], &value, sizeof value); };
  put(0, std::int32_t{348});
  put(40, static_cast<std::int16_t>(dim.size()));
  for (std::size_t i = 0; i < 7; ++i) put(42 + 2 * i, i < dim.size() ? dim[i] : std::int16_t{1});
  put(70, std::int16_t{16});
  put(72, std::int16_t{32});
  for (std::size_t i = 0; i < 8; ++i) put(76 + 4 * i, 1.0f);
  put(108, 352.0f);
  put(112, 1.0f);
  h[123] = 2;
  std::memcpy(&h[344], "n+1", 4);
  h.append(reinterpret_cast<const char*>(voxels.data()), voxels.size() * sizeof(float));
  write_text(path, h);
}

int lines_of(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

TEST_CASE("verify: text, JSON and page, 0 for a good data set and for warnings, 3 for errors and with --strict") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path());
  Outcome o = run("verify -c " + config + " --json " + (t / "v.json") + " --html " + (t / "v.html"));
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "18 cases: train 12, val 3, test 3"));
  CHECK(contains(o.text, "0 errors, 0 warnings"));
  CHECK(contains(o.text, "| 1 disc"));
  CHECK(markup_fault(without_style(read_text(t / "v.html"))) == "");
  CHECK(contains(read_text(t / "v.html"), "Nothing was found."));

  write_png_mask(mask(t, 7), Mask(40, 40));
  CHECK(run("verify -c " + config).code == 0);
  CHECK(run("verify --strict -c " + config).code == 3);

  write_text(image(t, 4), "no picture");
  fs::copy_file(image(t, 1), image(t, 5), fs::copy_options::overwrite_existing);
  o = run("verify -c " + config + " --json " + (t / "v.json") + " --html " + (t / "v.html"));
  CHECK_MESSAGE(o.code == 3, o.text);
  CHECK(contains(o.text, "error unreadable [disc_4]: cannot read image: " + image(t, 4)));
  CHECK(contains(o.text, "warning empty_mask [disc_7]"));
  CHECK(contains(o.text, "2 errors, 1 warning"));
  const nlohmann::json j = nlohmann::json::parse(read_text(t / "v.json"));
  CHECK(j["errors"] == 2);
  CHECK(j["warnings"] == 1);
  CHECK(j["complete"] == true);
  CHECK(j["cases"].size() == 18);
  CHECK(j["cases"][4]["readable"] == false);
  CHECK(j["cases"][1]["content"] == j["cases"][5]["content"]);
  CHECK(j["cases"][0]["size"] == nlohmann::json({1, 40, 40}));
  CHECK(j["findings"][0]["check"] == "unreadable");
  CHECK(j["findings"][0]["case"] == "disc_4");
  CHECK(j["findings"][1]["check"] == "duplicate_image");
  CHECK(j["classes"][1]["name"] == "1 disc");
  const std::string page = read_text(t / "v.html");
  CHECK(markup_fault(without_style(page)) == "");
  CHECK(contains(page, "Data set check: 2 errors, 1 warning"));
  CHECK(contains(page, "data:image/png;base64,"));
  CHECK(contains(page, "disc_4"));

  o = run("verify -i " + (t / "data"));
  CHECK(o.code == 3);
  CHECK(contains(o.text, "2 errors, 1 warning"));
  CHECK(run("verify").code == 2);
  CHECK(run("verify -c " + config + " -i " + (t / "data")).code == 2);
  CHECK(run("verify -i " + (t / "none")).code == 3);
  CHECK(run("verify -c " + config + " --json " + (t / "no/such/v.json")).code == 1);
  CHECK(contains(run("verify -c " + config + " --set data.root=" + (t / "none")).text, "data folder is missing"));
}

TEST_CASE("verify: a layout named by --set, its notes in text, JSON and page, file names that are no UTF-8") {
  const TemporaryFolder t;
  for (const char* subset : {"benign", "malignant"}) {
    fs::create_directories(t / "data" + "/" + subset);
    for (int i = 0; i < 5; ++i) {
      const std::string name = t / "data" + "/" + subset + "/" + subset + " caf\xe9 " + std::to_string(i);
      Bytes8 picture{12, 12, 3, std::vector<std::uint8_t>(432)};
      for (std::size_t k = 0; k < 432; ++k)
        picture.bytes[k] = static_cast<std::uint8_t>(k * (i + (*subset == 'b' ? 3 : 11)));
      write_png(name + ".png", picture);
      write_png_mask(name + "_mask.png", Mask(12, 12, 1));
    }
  }
  write_text(t / "data/benign/benign caf\xe9 3_mask.png", "no mask");
  const std::string layout = " --set data.layout=busi", root = " --set data.root=" + (t / "data");
  const Outcome o = run("verify" + layout + root + " --json " + (t / "v.json") + " --html " + (t / "v.html"));
  CHECK_MESSAGE(o.code == 3, o.text);
  CHECK(contains(o.text, "busi: 5 benign, 5 malignant (published"));
  CHECK(contains(o.text, "1 error, 0 warnings"));
  const nlohmann::json j = nlohmann::json::parse(read_text(t / "v.json"));
  CHECK(contains(j.at("notes").at(0).get<std::string>(), "busi: 5 benign"));
  CHECK(j["cases"].size() == 10);
  const std::string page = read_text(t / "v.html");
  CHECK(contains(page, "busi: 5 benign"));
  CHECK(contains(page, "caf\xef\xbf\xbd 3_mask.png"));
  CHECK_NOTHROW(nlohmann::json(page).dump());             // throws where it is no UTF-8
  const auto findings = [](const std::string& command) {  // without the progress, which has a rate
    const std::string text = run(command).text;
    return text.substr(text.find('\n'));
  };
  CHECK(findings("verify" + layout + " -i " + (t / "data")) == findings("verify" + layout + root));

  CHECK(run("verify" + layout).code == 3);  // without a folder, as for train; brain knows where its data lie
  CHECK(run("verify" + layout + root + " -i " + (t / "data")).code == 2);
  CHECK(run("verify --set data.class_order=samed -i " + (t / "data")).code == 2);
  CHECK(run("verify --set data.layout=bsui -i " + (t / "data")).code == 2);
  CHECK(contains(run("verify -i " + (t / "data")).text, "--set data.layout=NAME"));
}

TEST_CASE("a page holds characters, whatever the text that goes into it") {
  CHECK(to_valid_utf8("plain, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x99\x82") ==
        "plain, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x99\x82");
  const std::string none = "\xef\xbf\xbd";
  CHECK(to_valid_utf8("caf\xe9 1") == "caf" + none + " 1");
  CHECK(to_valid_utf8("\xe2\x82") == none + none);             // cut off
  CHECK(to_valid_utf8("\xc0\xaf") == none + none);             // longer than need be
  CHECK(to_valid_utf8("\xed\xa0\x80") == none + none + none);  // a surrogate
  CHECK(to_valid_utf8("\xf4\x90\x80\x80") == none + none + none + none);
  CHECK(to_valid_utf8("\xff\x80") == none + none);
}

TEST_CASE("preview: a sheet of what the network sees, augmented or not, from a configuration or a run folder") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), sheet = t / "sheet.png";
  Outcome o = run("preview -c " + config + " --set data.augment_preset=nnunet -n 10 --columns 4 --scale 1 -o " + sheet);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "row 3: "));
  CHECK(contains(o.text, "contour #e69f00: disc"));
  CHECK(contains(o.text, "10 pictures of 64x64, train part, augmented"));
  const Picture p = read_image(sheet);
  CHECK(p.w == 6 + 4 * 70);
  CHECK(p.h == 6 + 3 * 70);
  const std::string first = read_text(sheet);
  run("preview -c " + config +
      " --set data.augment_preset=nnunet --set data.workers=3 --set train.batch_size=8 -n 10 "
      "--columns 4 --scale 1 -o " +
      sheet);
  CHECK(read_text(sheet) == first);  // neither threads nor batches change them
  run("preview -c " + config + " --set data.augment_preset=nnunet --set train.seed=2 -n 10 --columns 4 --scale 1 -o " +
      sheet);
  CHECK(read_text(sheet) != first);

  o = run("preview -c " + config +
          " --set data.augment_preset=nnunet --unaugmented --cases disc_3,disc_1 --scale 1 -o " + sheet);
  CHECK_MESSAGE(contains(o.text, "row 1: disc_1, disc_3\n"), o.text);
  CHECK(contains(o.text, "2 pictures of 64x64, chosen cases, as they are"));
  // The picture itself, stretched, in the middle of its padding; the contour in the class's colour.
  const Picture two = read_image(sheet), disc = read_image(image(t, 1));
  const Mask truth = read_png_mask(mask(t, 1));
  int orange = 0;
  for (int y = 0; y < 40; ++y)
    for (int x = 0; x < 40; ++x) {
      const int sy = 6 + 12 + y, sx = 6 + 12 + x;
      const bool colour = two.at(sy, sx, 0) == 230 && two.at(sy, sx, 1) == 159 && two.at(sy, sx, 2) == 0;
      orange += colour;
      if (colour) CHECK(truth.at(y, x) == 1);
      if (truth.at(y, x) == 0) CHECK(two.at(sy, sx, 0) == two.at(sy, sx, 2));
    }
  CHECK(orange > 15);

  o = run("preview -c " + config + " --cases disc_2 -o " + sheet);  // of the validation part
  CHECK_MESSAGE(contains(o.text, "row 1: disc_2\n"), o.text);
  o = run("preview -c " + config + " --cases disc_2 --split test -o " + sheet);
  CHECK(o.code == 3);
  o = run("preview -c " + config + " --split test -n 50 -o " + sheet);
  CHECK(contains(o.text, "3 pictures of 64x64, test part, as they are"));
  o = run("preview -c " + config + " --cases disc_33 -o " + sheet);
  CHECK(o.code == 2);
  CHECK(contains(o.text, "did you mean"));
  CHECK(run("preview -o " + sheet).code == 2);
  CHECK(run("preview " + (t / "none") + " -o " + sheet).code == 2);
  REQUIRE(run("train -q -c " + config + " --set train.max_iterations=1 -o " + (t / "run")).code == 0);
  o = run("preview " + (t / "run") + " -n 4 -o " + sheet);
  CHECK_MESSAGE(o.code == 0, o.text);
}

TEST_CASE("a run with data.resize: masks at the file's size, the ceiling of the way there and back") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), out = t / "run";
  Outcome o = run("train -q -c " + config +
                  " --set data.resize=[32,32] --set data.zoom_border=scipy --set data.augment_preset=transunet "
                  "--set data.normalisation=bytes -o " +
                  out);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  const std::string model = out + "/checkpoints/best.gfm";
  o = run("evaluate -m " + model + " --split val --protocol transunet");
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(contains(o.text, "ceiling: the truth taken to 32x32 and back scores a mean Dice of 0.9"));
  o = run("predict -m " + model + " -i " + image(t, 2) + " -o " + (t / "m.png"));
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(read_png_mask(t / "m.png").h == 40);
  o = run("train -q -c " + config + " --set data.augment_preset=nnunet --set data.augment_on=device -o " + (t / "no"));
  CHECK(o.code == 2);
  CHECK(contains(o.text, "loader's threads only"));
}

TEST_CASE("what verify finds, given straight to train, predict and evaluate: one clear line and its exit code") {
  const TemporaryFolder t;
  const std::string config = disc_config(t.path()), out = " -o " + (t / "run");
  REQUIRE(run("train -q -c " + config + " --set train.max_iterations=1 -o " + (t / "model")).code == 0);
  const std::string model = t / "model/checkpoints/final.gfm";
  const auto refuse = [&](const std::string& arguments, int code, const std::string& text) {
    const Outcome o = run(arguments);
    INFO(arguments << "\n" << o.text);
    CHECK(o.code == code);
    CHECK(contains(o.text, text));
    CHECK(lines_of(o.text.substr(std::min(o.text.find("error:"), o.text.size()))) == 1);  // and nothing after it
  };
  const auto restore_discs = [&] { write_discs(t / "data", 18, 40); };
  const std::string train = "train -q --overwrite -c " + config + out, evaluate = "evaluate -m " + model + " --split ",
                    predict = "predict -m " + model + " -o " + (t / "p.png") + " -i ";

  SUBCASE("a folder where a file should be") {
    fs::remove(image(t, 0));
    fs::create_directory(image(t, 0));
    refuse(train, 3, image(t, 0));
    refuse(evaluate + "train", 3, image(t, 0));
    refuse(predict + image(t, 0), 3, "nothing to predict in the folder");
    refuse("predict -m " + (t / "data") + " -i " + image(t, 1) + " -o " + (t / "p.png"), 1, "found a folder");
    refuse("evaluate -m " + (t / "data"), 1, "found a folder");
    refuse("evaluate -g " + (t / "data/masks") + " -p " + mask(t, 1), 3, "a file cannot be held against a folder");
    fs::create_directory(t / "folder.png");
    refuse("evaluate -g " + (t / "folder.png") + " -p " + (t / "folder.png"), 3, "no masks in the folder");
    const Outcome o = run("train -q -c " + (t / "data") + out);
    CHECK(o.code == 2);
    CHECK(contains(o.text, "directory: " + (t / "data")));
  }
  SUBCASE("missing files") {
    fs::remove(mask(t, 1));
    refuse(train, 3, mask(t, 1));
    refuse(predict + (t / "none.png"), 3, "none.png");
    refuse("evaluate -g " + (t / "none") + " -p " + (t / "data/masks"), 3, "none");
  }
  SUBCASE("truncated and empty files") {
    const std::string bytes = read_text(image(t, 0));
    write_text(image(t, 0), bytes.substr(0, bytes.size() / 2));
    refuse(train, 3, image(t, 0));
    refuse(predict + image(t, 0), 3, image(t, 0));
    write_text(image(t, 0), "");
    refuse(predict + image(t, 0), 3, image(t, 0));
    restore_discs();
    const std::string png = read_text(mask(t, 0));
    write_text(mask(t, 0), png.substr(0, png.size() - 20));
    refuse(train, 3, mask(t, 0));
    refuse("evaluate -g " + mask(t, 0) + " -p " + mask(t, 1), 3, mask(t, 0));
    const std::string checkpoint = read_text(model);
    write_text(t / "cut.gfm", checkpoint.substr(0, checkpoint.size() / 2));
    refuse("predict -m " + (t / "cut.gfm") + " -i " + image(t, 1) + " -o " + (t / "p.png"), 3, "cut.gfm");
  }
  SUBCASE("labels: 300 values, 0 and 255, another size") {
    Mask many(40, 40);
    for (int i = 0; i < 1600; ++i) many.values[i] = i % 300;
    write_png_mask(mask(t, 0), many);
    refuse(train, 3, "(300 values in all)");
    refuse("evaluate -g " + mask(t, 0) + " -p " + mask(t, 1), 3, "the labels are no class numbers");
    Mask bytes(40, 40);
    for (int i = 0; i < 800; ++i) bytes.values[i] = 255;
    write_png_mask(mask(t, 0), bytes);
    refuse(train, 3, "label_map = { \"255\" = 1 }");
    write_png_mask(mask(t, 0), Mask(40, 39, 1));
    refuse(train, 3, "image and mask differ in size");
    refuse("evaluate -g " + mask(t, 0) + " -p " + mask(t, 1), 3, "differ in size");
  }
  SUBCASE("a 1 x 1 image is padded like any other; an empty mask is a label") {
    write_png(image(t, 0), {1, 1, 1, {7}});
    write_png_mask(mask(t, 0), Mask(1, 1, 1));
    write_png_mask(mask(t, 1), Mask(40, 40));
    Outcome o = run("train -q --overwrite -c " + config + " --set data.pad_to=[64,64]" + out);
    CHECK_MESSAGE(o.code == 0, o.text);
    o = run(predict + image(t, 0));
    CHECK_MESSAGE(o.code == 0, o.text);
    CHECK(read_png_mask(t / "p.png").size_text() == "1x1");
    o = run("evaluate -g " + mask(t, 0) + " -p " + mask(t, 0));
    CHECK_MESSAGE(o.code == 0, o.text);
    refuse(train, 3, "pictures of one batch differ in size");
  }
  SUBCASE("volumes: NaN, four dimensions, another grid, truncation") {
    const std::vector<float> voxels(20 * 20 * 2, 1.0f);
    std::vector<float> nan = voxels, two = voxels;
    nan[5] = NAN;
    two.insert(two.end(), voxels.begin(), voxels.end());
    fs::create_directories(t / "nifti/imagesTr");
    fs::create_directories(t / "nifti/labelsTr");
    for (int i = 0; i < 10; ++i)
      for (const char* folder : {"nifti/imagesTr/c", "nifti/labelsTr/c"})
        write_volume((t / folder) + std::to_string(i) + ".nii", {20, 20, 2}, voxels);
    const std::string volumes = "train -q --overwrite -c " + config +
                                " --set data.layout=nifti_cases --set data.root=" + (t / "nifti") + out,
                      first = t / "nifti/imagesTr/c0.nii", label = t / "nifti/labelsTr/c0.nii";
    REQUIRE(run(volumes + " --set train.max_iterations=1").code == 0);
    const std::string trained = t / "run/checkpoints/final.gfm";
    fs::copy_file(trained, t / "volumes.gfm");
    const auto all = [&](const std::string& text) {
      refuse(volumes, 3, text);
      refuse("predict -m " + (t / "volumes.gfm") + " -o " + (t / "p.nii.gz") + " -i " + first, 3, text);
      refuse("evaluate -m " + (t / "volumes.gfm") + " --split train", 3, text);
      CHECK_FALSE(fs::exists(t / "p.nii.gz"));
    };
    write_volume(first, {20, 20, 2}, nan);
    all(first);
    write_volume(first, {20, 20, 2, 2}, two);
    all("another number of channels");
    write_volume(first, {20, 20, 2}, std::vector<float>(100, 1));
    all(first);
    write_volume(first, {20, 20, 2}, voxels);
    write_volume(label, {20, 20, 1}, std::vector<float>(400, 1));
    refuse(volumes, 3, "differ in their grids");
    refuse("evaluate -g " + label + " -p " + (t / "nifti/labelsTr/c1.nii"), 3, "differ in their grids");
    write_volume(label, {20, 20, 2}, nan);
    refuse(volumes, 3, label);
    refuse("evaluate -g " + label + " -p " + (t / "nifti/labelsTr/c1.nii"), 3, label);
  }
  SUBCASE("an image in two parts") {
    std::string index = read_text(t / "data/index.csv");
    const std::size_t row = index.find("images/disc_1.png");
    index.insert(row, "images/disc_0.png,masks/disc_0.png,test\n");
    write_text(t / "data/index.csv", index);
    refuse(train, 3, "image is listed twice");
  }
}
