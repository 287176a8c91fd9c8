// graphflow predict as a user runs it: inputs of every kind, what goes with a mask, warnings.
#include <doctest/doctest.h>

#include <filesystem>

#include "apps/prediction.h"
#include "data/csv.h"
#include "data/image.h"
#include "data/png.h"
#include "engine/io/npz.h"
#include "tests/apps/disc_model.h"
#include "tests/apps/fixtures.h"
#include "tests/harness/golden_folder.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

TEST_CASE("predict: statistics, report, probabilities and previews of a folder") {
  const TemporaryFolder out;
  const std::string command = model().predict("-i " + model().images + " -o " + out.path() +
                                              " --statistics --report --save-probabilities --preview");
  Outcome o = run(command);
  REQUIRE_MESSAGE(o.code == 0, o.text);
  const CsvTable table = CsvTable::read(out / "statistics.csv");
  REQUIRE(table.rows() == 18);
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const std::string mask_file = table.at(i, table.column("mask")), stem = fs::path(mask_file).stem().string();
    const Mask mask = read_png_mask(mask_file);
    CHECK(table.at(i, table.column("class")) == "disc");
    CHECK(table.at(i, table.column("voxels")) == std::to_string(std::count(mask.values.begin(), mask.values.end(), 1)));
    CHECK(table.at(i, table.column("ml")).empty());  // pictures have no size in mm
    const NpzFile file(out / (stem + ".npz"));
    REQUIRE(file.tensors().size() == 1);
    CHECK(file.tensors()[0].shape == std::vector<std::int64_t>{2, 1, mask.h, mask.w});
    const std::vector<float> p = file.floats("probabilities");
    const std::size_t n = static_cast<std::size_t>(mask.h * mask.w);
    for (std::size_t k = 0; k < n; ++k) {
      CHECK(p[k] + p[n + k] == doctest::Approx(1));
      CHECK((p[n + k] > p[k]) == (mask.values[k] == 1));
    }
    CHECK(fs::exists(out / (stem + "_preview.png")));
  }
  const std::string page = read_text(out / "predictions.html");
  CHECK(markup_fault(without_style(page)) == "");
  CHECK(contains(page, "18 cases, 0 failed"));
  CHECK(contains(page, "data:image/png"));

  const std::string before = read_text(out / "statistics.csv");
  o = run(command + " --continue");
  CHECK_MESSAGE(contains(o.text, "0 written, 18 kept"), o.text);
  CHECK(read_text(out / "statistics.csv") == before);  // of masks that were there
}

TEST_CASE("predict: tiles and mirror images") {
  const TemporaryFolder out;
  const std::string input = first_image();
  CHECK(run(model().predict("-i " + input + " -o " + (out / "whole.png"))).code == 0);
  CHECK(run(model().predict("-i " + input + " -o " + (out / "tiles.png") + " --tile 32 --overlap 0.25")).code == 0);
  CHECK(run(model().predict("-i " + input + " -o " + (out / "mirrors.png") + " --mirrors --tile 32x64")).code == 0);
  const Mask whole = read_png_mask(out / "whole.png");
  for (const char* name : {"tiles.png", "mirrors.png"}) {
    const Mask m = read_png_mask(out / name);
    CHECK(m.h == whole.h);
    CHECK(m.w == whole.w);
  }
  Outcome o = run(model().predict("-i " + input + " -o " + (out / "x.png") + " --tile 33"));
  CHECK(o.code == 2);
  CHECK_MESSAGE(contains(o.text, "--tile"), o.text);
  CHECK(run(model().predict("-i " + input + " -o " + (out / "x.png") + " --tile 0x32")).code == 2);
  CHECK(run(model().predict("-i " + input + " -o " + (out / "x.png") + " --tile 32 --overlap 1")).code == 2);
  CHECK(!fs::exists(out / "x.png"));
}

TEST_CASE("predict: a list of files, a broken one is reported, the rest go on") {
  const TemporaryFolder t;
  const std::string input = first_image();
  fs::copy_file(input, t / "near.png");
  write_text(t / "broken.png", "no picture");
  write_text(t / "list.txt", "# pictures\n" + input + "\nnear.png\nbroken.png\n\n");
  Outcome o = run(model().predict("-i " + (t / "list.txt") + " -o " + (t / "out") + " --report --statistics"));
  CHECK_MESSAGE(o.code == 4, o.text);
  CHECK(contains(o.text, "2 written, 0 kept, 1 failed"));
  CHECK(contains(o.text, "broken.png"));
  CHECK(CsvTable::read(t / "out/statistics.csv").rows() == 2);
  const std::string page = read_text(t / "out/predictions.html");
  CHECK(contains(page, "2 cases, 1 failed"));
  CHECK(contains(page, "broken.png"));

  write_text(t / "empty.txt", "\n");
  CHECK(run(model().predict("-i " + (t / "empty.txt") + " -o " + (t / "out"))).code == 3);
  o = run(model().predict("-i " + input + " -i " + input + " -o " + (t / "out")));
  CHECK(o.code == 2);
  CHECK_MESSAGE(contains(o.text, "two inputs have one mask"), o.text);
}

TEST_CASE("predict: names that no file can have, and names that would break a message") {
  const TemporaryFolder t;
  const std::string list = t / "list.txt", to = " -o " + (t / "out");
  const auto refused = [&](const std::string& text, const std::string& said) {
    write_text(list, text);
    const Outcome o = run(model().predict("-i " + list + to));
    CHECK_MESSAGE(o.code == 3, o.text);
    CHECK_MESSAGE(
        contains(o.text, "no list of files: " + list + " line 2: expected a path of at most 4096 bytes" + said),
        o.text);
    CHECK(o.text.size() < 1000);
    CHECK_FALSE(fs::exists(t / "out"));
  };
  refused("a.png\n" + std::string(100'000, 'a') + "\n", ", found 100000");
  refused(std::string("a.png\na.png\0.nii\n", 18), ", found a NUL character");

  write_text(t / "two\nlines\x1b[31m.png", "no picture");
  fs::copy_file(first_image(), t / "caf\xe9 'x'.png");
  Outcome o = run(model().predict("-i '" + (t / "two\nlines\x1b[31m.png") + "'" + to));
  CHECK(o.code == 3);
  CHECK_MESSAGE(contains(o.text, "two\\x0alines\\x1b[31m.png: expected an intact"), o.text);
  fs::remove(list);
  o = run(model().predict("-i " + t.path() + to));
  CHECK(o.code == 4);
  CHECK_MESSAGE(contains(o.text, "two\\x0alines"), o.text);
  CHECK(fs::exists(t / "out/caf\xe9 'x'.png"));
}

TEST_CASE("predict: HDF5 and npz files of other content, and a zip bomb") {
  const TemporaryFolder t;
  for (const auto& [file, said] : {std::pair{"other_keys.h5", "lacks a dataset"},
                                   {"huge.h5", "larger than its file can hold"},
                                   {"bomb.npz", "layout_bomb.npz"}}) {
    const Outcome o =
        run(model().predict("-i " + golden_folder() + "layout_" + file + " -o " + (t / "out") + " --statistics"));
    INFO(o.text);
    CHECK(o.code == 3);
    CHECK(contains(o.text.substr(std::min(o.text.find("error:"), o.text.size())), said));
    CHECK_FALSE(fs::exists(t / "out"));
  }
}

TEST_CASE("predict: warns of pictures unlike those of training") {
  const TemporaryFolder t;
  Bytes8 white{40, 40, 1, std::vector<std::uint8_t>(1600, 255)};
  for (std::size_t i = 0; i < 1600; i += 7) white.bytes[i] = 250;
  write_png(t / "white.png", white);
  Outcome o = run(model().predict("-i " + (t / "white.png") + " -o " + (t / "mask.png")));
  CHECK(o.code == 0);
  CHECK_MESSAGE(contains(o.text, "intensities unlike training: mean 2"), o.text);
  o = run(model().predict("-i " + first_image() + " -o " + (t / "mask.png")));
  CHECK_MESSAGE(!contains(o.text, "unlike training"), o.text);
}

TEST_CASE("predict: millilitres of a mask that is there follow its voxels' size") {
  const std::string file = std::string(GF_SOURCE_DIR) + "/tests/golden/nifti_small_u8.nii.gz";
  const LabelVolume v = read_nifti_labels(file);
  const std::int32_t most = *std::max_element(v.voxels.begin(), v.voxels.end());
  std::vector<std::string> names;
  for (std::int32_t k = 0; k <= most; ++k) names.push_back("class " + std::to_string(k));
  NetworkDescription description;
  description.class_names = names;
  const std::optional<Prediction> found = read_prediction({file}, file, description);
  REQUIRE(found);
  const Prediction& p = *found;
  REQUIRE(p.amounts.size() == static_cast<std::size_t>(most));
  const auto& mm = v.header.spacing_mm;
  CHECK(mm[0] * mm[1] * mm[2] != doctest::Approx(1));
  for (std::int32_t k = 1; k <= most; ++k) {
    const auto voxels = std::count(v.voxels.begin(), v.voxels.end(), k);
    CHECK(p.amounts[k - 1].voxels == voxels);
    CHECK(p.amounts[k - 1].millilitres == doctest::Approx(static_cast<double>(voxels) * mm[0] * mm[1] * mm[2] / 1000));
  }
}
