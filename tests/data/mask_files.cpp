// Folders of masks against each other: what goes with what, and every way a pair can be wrong.
#include "data/mask_files.h"

#include <cmath>

#include "data/nifti.h"
#include "data/png.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

constexpr std::int16_t kUint8 = 2, kFloat32 = 16;

// 3 x 2 x 2 voxels of 0.5 x 0.8 x 3 mm.
NiftiBytes small_volume(std::int16_t type = kUint8, std::int16_t bits = 8) {
  NiftiBytes n({3, 2, 2}, type, bits);
  n.put<float>(80, 0.5f).put<float>(84, 0.8f).put<float>(88, 3.0f);
  n.put<std::int16_t>(254, 1);  // sform
  n.put<float>(280, 0.5f).put<float>(300, 0.8f).put<float>(320, 3.0f);
  return n;
}

const std::vector<std::uint8_t> kVoxels = {0, 1, 1, 0, 2, 0, 0, 1, 0, 2, 2, 0};

MaskReading three_classes() {
  MaskReading r;
  r.classes = 3;
  return r;
}

TEST_CASE("masks of two folders go together by name, the rest is told") {
  const TemporaryFolder f;
  write_bytes(f / "truth/b.nii.gz", gzip(small_volume().file(kVoxels)));
  write_bytes(f / "truth/a.nii", small_volume().file(kVoxels));
  write_bytes(f / "truth/lost.nii", small_volume().file(kVoxels));
  write_text(f / "truth/dataset.json", "{}");
  write_bytes(f / "prediction/a.nii.gz", gzip(small_volume().file(kVoxels)));
  write_bytes(f / "prediction/b.nii.gz", gzip(small_volume().file(kVoxels)));
  write_png_mask(f / "prediction/a_preview.png", Mask(2, 2));
  write_bytes(f / "prediction/c.nii.gz", gzip(small_volume().file(kVoxels)));
  const MaskFolders m = pair_masks(f / "truth", f / "prediction");
  REQUIRE(m.pairs.size() == 2);
  CHECK(m.pairs[0].id == "a");
  CHECK(m.pairs[0].prediction == f / "prediction/a.nii.gz");
  CHECK(m.pairs[1].id == "b");
  REQUIRE(m.unpaired.size() == 2);
  CHECK(m.unpaired[1].id == "c");
  CHECK(holds(m.unpaired[1].error, "no truth for " + (f / "prediction/c.nii.gz")));
  CHECK(m.unpaired[0].id == "lost");
  CHECK(holds(m.unpaired[0].error, "no prediction for " + (f / "truth/lost.nii")));

  const MaskPictures p = read_mask_pair(m.pairs[0], three_classes());
  CHECK(p.volume);
  CHECK(p.spacing[0] == doctest::Approx(3));
  CHECK(p.spacing[1] == doctest::Approx(0.8));
  CHECK(p.spacing[2] == doctest::Approx(0.5));
  REQUIRE(p.truth.size() == 2);
  CHECK(p.truth[0].values == std::vector<std::int32_t>{0, 1, 1, 0, 2, 0});
  CHECK(p.prediction[1].at(1, 0) == 2);
  CHECK(stored_labels(m.pairs, &MaskFiles::truth, std::nullopt) == std::set<std::int32_t>{1, 2});
  CHECK(stored_labels(m.pairs, &MaskFiles::truth, 2) == std::set<std::int32_t>{1});
}

TEST_CASE("folders that hold nothing to compare") {
  const TemporaryFolder f;
  std::filesystem::create_directories(f / "empty");
  write_png_mask(f / "truth.png", Mask(2, 2));
  std::filesystem::create_directories(f / "pictures");
  write_png_mask(f / "pictures/x.png", Mask(2, 2));
  std::filesystem::create_directories(f / "others");
  write_png_mask(f / "others/y.png", Mask(2, 2));
  CHECK(
      holds(message_of([&] { pair_masks(f / "pictures", f / "empty"); }), "no masks in the folder: " + (f / "empty")));
  CHECK(holds(message_of([&] { pair_masks(f / "pictures", f / "none"); }), "no such file or folder"));
  CHECK(holds(message_of([&] { pair_masks(f / "truth.png", f / "pictures"); }),
              "a file cannot be held against a folder"));
  CHECK(holds(message_of([&] { pair_masks(f / "pictures", f / "others"); }), "no mask in common"));
  write_bytes(f / "pictures/z.nii", small_volume().file(kVoxels));
  CHECK(holds(message_of([&] { pair_masks(f / "pictures", f / "pictures"); }), "volumes and pictures in one folder"));
  write_bytes(f / "pictures/x.nii", small_volume().file(kVoxels));
  CHECK(holds(message_of([&] { pair_masks(f / "pictures", f / "pictures"); }), "two masks of one name"));
}

TEST_CASE("pairs of masks that do not fit each other are refused with both files") {
  const TemporaryFolder f;
  const std::string truth = f / "t.nii", prediction = f / "p.nii";
  write_bytes(truth, small_volume().file(kVoxels));
  const MaskFiles files{"t", truth, prediction};
  const auto refuse = [&](const Bytes& bytes, const std::string& text) {
    write_bytes(prediction, bytes);
    const std::string message = message_of([&] { read_mask_pair(files, three_classes()); });
    CHECK(holds(message, text));
    CHECK(holds(message, prediction));
  };
  refuse(NiftiBytes({2, 3, 2}, kUint8, 8).file(kVoxels), "truth and prediction differ in their grids");
  refuse(small_volume().put<float>(88, 2.5f).file(kVoxels), "truth and prediction differ in their grids");
  refuse(small_volume().put<float>(292, 7.0f).file(kVoxels), "truth and prediction differ in position");
  std::vector<std::uint8_t> seven = kVoxels;
  seven[4] = 7;
  refuse(small_volume().file(seven), "label value without a class: 7");
  std::vector<float> values(kVoxels.begin(), kVoxels.end());
  values[3] = NAN;
  refuse(small_volume(kFloat32, 32).file(values), "NaN or infinite");
  values[3] = 0.5f;
  refuse(small_volume(kFloat32, 32).file(values), "values that are no labels");
  // A rounding of the spacing is no difference; floats that are whole numbers are labels.
  values[3] = 0;
  write_bytes(prediction, small_volume(kFloat32, 32).put<float>(88, 3.0001f).file(values));
  CHECK(read_mask_pair(files, three_classes()).prediction[0].at(1, 1) == 2);

  const std::string picture = f / "t.png", other = f / "p.png";
  write_png_mask(picture, Mask(4, 5, 1));
  write_png_mask(other, Mask(4, 6, 1));
  CHECK(holds(message_of([&] { read_mask_pair({"t", picture, other}, three_classes()); }), "expected 5x4, found 6x4"));
  CHECK(holds(message_of([&] { read_mask_pair({"t", picture, truth}, three_classes()); }), "of different kinds"));
}

TEST_CASE("a label map, ids in predictions, and an ignored label") {
  const TemporaryFolder f;
  Mask stored(1, 4), ids(1, 4);
  stored.values = {0, 255, 255, 9};
  ids.values = {0, 1, 1, 0};
  write_png_mask(f / "t.png", stored);
  write_png_mask(f / "p.png", ids);
  MaskReading r;
  r.classes = 2;
  r.label_map.entries = {{255, 1}};
  r.label_map.ignore_index = 9;
  const MaskFiles files{"t", f / "t.png", f / "p.png"};
  CHECK(holds(message_of([&] { read_mask_pair(files, r); }), "without a class: 1"));
  r.prediction_has_ids = true;
  const MaskPictures m = read_mask_pair(files, r);
  CHECK(m.truth[0].values == std::vector<std::int32_t>{0, 1, 1, 9});
  CHECK(m.prediction[0].values == ids.values);
  CHECK(!m.volume);
  ids.values = {0, 1, 1, 9};
  write_png_mask(f / "p.png", ids);
  CHECK(holds(message_of([&] { read_mask_pair(files, r); }), "without a class: 9"));  // a prediction ignores nothing
}

}  // namespace
}  // namespace gf
