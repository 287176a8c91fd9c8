// Every check of data/verify on a small data set that has the fault, beside one that has none.
#include <cmath>

#include "data/image.h"
#include "data/verify/thumbnail.h"
#include "tests/data/verify_found.h"
#include "tests/harness/discs.h"

namespace gf {
namespace {

using namespace fixtures;

struct Discs {
  TemporaryFolder folder;
  DatasetSource source{"images_masks", folder.path(), {"background", "disc"}};

  Discs() { test::write_discs(folder.path(), 12, 40); }
  std::string image(int i) const { return folder / ("images/disc_" + std::to_string(i) + ".png"); }
  std::string mask(int i) const { return folder / ("masks/disc_" + std::to_string(i) + ".png"); }
};

TEST_CASE("verify: a data set without faults has no findings, configured or as a folder, facts are the files'") {
  const Discs d;
  Found f = examine(d.source);
  CHECK(f.marks() == Marks{});
  CHECK(f.listing.dataset.cases.size() == 12);
  CHECK(f.facts[0].size == std::array<std::int64_t, 3>{1, 40, 40});
  const Picture p = read_image(d.image(0));
  double sum = 0;
  for (const float v : p.pixels) sum += v;
  CHECK(f.facts[0].mean == doctest::Approx(sum / 1600));
  CHECK(f.facts[0].least == *std::min_element(p.pixels.begin(), p.pixels.end()));
  const Mask m = read_png_mask(d.mask(0));
  const auto disc = std::count(m.values.begin(), m.values.end(), 1);
  CHECK(f.facts[0].labels == std::map<std::int32_t, std::int64_t>{{0, 1600 - disc}, {1, disc}});
  CHECK(f.facts[0].classes == f.facts[0].labels);
  f = examine({"", d.folder.path(), {}});
  CHECK(f.marks() == Marks{});
  CHECK_FALSE(f.listing.classes_known);
  CHECK(f.listing.dataset.cases.size() == 12);
}

TEST_CASE("verify: broken, missing and unfit files are each named, and the other cases are looked at all the same") {
  const Discs d;
  std::filesystem::remove(d.image(0));
  std::filesystem::remove(d.mask(1));
  std::filesystem::remove(d.mask(2));
  std::filesystem::create_directory(d.mask(2));
  Bytes broken = read_bytes(d.image(3));
  broken.resize(broken.size() / 2);
  write_bytes(d.image(3), broken);
  write_png_mask(d.mask(4), Mask(40, 39, 1));
  Mask many(40, 40);
  for (int i = 0; i < 1600; ++i) many.values[i] = i % 300;
  write_png_mask(d.mask(5), many);
  Mask bytes(40, 40);
  for (int i = 0; i < 800; ++i) bytes.values[i] = 255;
  write_png_mask(d.mask(6), bytes);
  write_png_mask(d.mask(7), Mask(40, 40));
  write_png(d.image(8), {40, 40, 1, Bytes(1600, 9)});
  write_png(d.image(9), {1, 1, 1, {7}});
  write_png_mask(d.mask(9), Mask(1, 1, 1));
  const Found f = examine(d.source);
  CHECK(f.marks() == Marks{"error missing_file disc_0", "error missing_file disc_1", "error missing_file disc_2",
                           "error unreadable disc_3", "error size_mismatch disc_4", "error label_range disc_5",
                           "error label_0_255 disc_6", "warning empty_mask disc_7", "warning constant_image disc_8",
                           "warning tiny_image disc_9", "warning constant_image disc_9"});
  CHECK(f.listing.dataset.cases.size() == 11);
  const std::string text = f.text();
  CHECK(holds(text, d.image(0) + ": no such file, the image of " + (d.folder / "index.csv") + " line 2"));
  CHECK(holds(text, d.mask(2) + ": a folder, expected the mask of"));
  CHECK(holds(text, "expected 40x40 pixels, found 39x40"));
  CHECK(holds(text, "(300 values in all)"));
  CHECK(holds(text, "label_map = { \"255\" = 1 }"));
  CHECK(holds(text, d.mask(7) + ": no foreground"));
  // The same fault where nobody named the classes.
  CHECK(holds(examine({"", d.folder.path(), {}}).text(), "label_map = { \"255\" = 1 }"));
  // And none where the label map or the ignore index says what 255 is.
  Preprocessing p;
  p.label_map.entries = {{255, 1}, {1, 1}};
  for (const std::string& mark : examine(d.source, p).marks()) CHECK(mark != "error label_0_255 disc_6");
  p.label_map.entries = {};
  p.label_map.ignore_index = 255;
  for (const std::string& mark : examine(d.source, p).marks()) CHECK(mark != "error label_0_255 disc_6");
}

TEST_CASE("verify: images without labels and labels without images, in folders of equal names") {
  const Discs d;
  std::filesystem::remove(d.folder / "index.csv");
  std::filesystem::remove(d.mask(3));
  std::filesystem::remove(d.image(4));
  const Found f = examine({"", d.folder.path(), {}});
  CHECK(f.marks() == Marks{"error missing_pair disc_3", "warning missing_pair disc_4"});
  CHECK(holds(f.text(), d.image(3) + ": no label of that name in " + (d.folder / "masks")));
  // masks under another name
  std::filesystem::rename(d.mask(5), d.folder / "masks/disc_5_mask.png");
  CHECK(examine({"", d.folder.path(), {}}).marks() == f.marks());
  const TemporaryFolder empty;
  CHECK(examine({"", empty.path(), {}}).marks() == Marks{"error data_set"});
  CHECK(examine({"images_masks", empty.path(), {}}).marks() == Marks{"error data_set"});
  CHECK(examine({"images_masks", "/nonexistent", {}}).marks() == Marks{"error data_set"});
}

TEST_CASE("verify: one patient or one picture in two parts, the same picture twice in one") {
  const Discs d;
  std::string index = "image,mask,split,patient\n";
  for (int i = 0; i < 12; ++i) {
    const std::string name = "disc_" + std::to_string(i) + ".png";
    index += "images/" + name + ",masks/" + name + "," +
             (i < 8    ? "train"
              : i < 10 ? "val"
                       : "test") +
             ",p" +
             std::to_string(i == 9   ? 2
                            : i == 1 ? 0
                                     : i) +
             "\n";
  }
  write_text(d.folder / "index.csv", index);
  CHECK(examine(d.source).marks() == Marks{"error patient_leak disc_9"});
  // The same pixels in another file format are the same picture.
  std::filesystem::copy_file(d.image(3), d.image(11), std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(d.image(3), d.image(4), std::filesystem::copy_options::overwrite_existing);
  Picture p = read_image(d.image(10));
  Bytes8 rgb{40, 40, 1, Bytes(1600)};
  for (int i = 0; i < 1600; ++i) rgb.bytes[i] = static_cast<std::uint8_t>(p.pixels[i]);
  rgb.bytes[5] ^= 1;  // nearly the same is another
  write_png(d.image(7), rgb);
  const Found f = examine(d.source);
  CHECK(f.marks() ==
        Marks{"error patient_leak disc_9", "warning duplicate_image disc_4", "error duplicate_image disc_11"});
  CHECK(holds(f.text(), d.image(3) + " (train) and " + d.image(11) + " (test): the same image"));
  // Listed twice: the layout's reader stops there, the check says both lines.
  write_text(d.folder / "index.csv", index + "images/disc_0.png,masks/disc_0.png,test,p0\n");
  const std::string text = examine(d.source).text();
  CHECK(holds(text, "line 14: images/disc_0.png is listed twice, first in line 2"));
  CHECK(holds(text, "patient p0"));
}

TEST_CASE("verify: classes that never occur, or not where they are learnt, labels with a gap") {
  const Discs d;
  DatasetSource three = d.source;
  three.class_names = {"background", "disc", "square"};
  CHECK(examine(three).marks() == Marks{"warning class_coverage"});
  Mask square(40, 40);
  square.at(3, 3) = 2;
  square.at(4, 4) = 1;
  write_png_mask(d.mask(2), square);  // validation
  Found f = examine(three);
  CHECK(f.marks() == Marks{"warning class_coverage"});
  CHECK(holds(f.text(), "class 2 (square): in no label of the train part"));
  square.at(3, 3) = 4;
  write_png_mask(d.mask(2), square);
  CHECK(holds(examine({"", d.folder.path(), {}}).text(), "labels 0 to 4 have a gap at 2"));
  CHECK(examine(three).marks()[0] == "error label_range disc_2");
}

TEST_CASE("verify: a clip window that was made for other intensities") {
  const Discs d;
  Preprocessing p;
  p.clip = {0, 250};
  CHECK(examine(d.source, p).marks() == Marks{});
  p.clip = {-5000, 5000};
  const Found f = examine(d.source, p);
  CHECK(f.marks().size() == 12);
  CHECK(f.marks()[3] == "warning clip_window disc_3");
  CHECK(holds(f.text(), "of the window [-5000, 5000] (data.clip)"));
}

TEST_CASE("verify: bad tables are told row by row") {
  const Discs d;
  write_text(d.folder / "index.csv",
             "image,mask,split\nimages/disc_0.png,masks/disc_0.png,train\nimages/disc_1.png,,test\n"
             "images/disc_2.png,masks/disc_2.png,tset\n");
  const Found f = examine(d.source);
  CHECK(f.marks() == Marks{"error missing_file disc_1", "error data_set disc_2"});
  CHECK(holds(f.text(), "line 3: no mask"));
  CHECK(holds(f.text(), "\"tset\""));
  write_text(d.folder / "index.csv", "picture,mask\na,b\n");
  CHECK(examine(d.source).marks() == Marks{"error data_set", "error data_set"});
  write_text(d.folder / "index.csv", "image,mask,split\n\"a,b\n");
  CHECK(examine(d.source).marks() == Marks{"error data_set"});
}

// nnU-Net's folders with one image and label of 16 x 16 x 3 a case.
struct Volumes {
  TemporaryFolder folder;
  DatasetSource source{"nifti_cases", folder.path(), {"background", "organ"}};
  std::vector<float> image;
  std::vector<std::uint8_t> label;

  Volumes() : image(768), label(768) {
    for (int i = 0; i < 768; ++i) image[i] = static_cast<float>((i * 37) % 101), label[i] = i % 16 < 4;
    for (int k = 0; k < 6; ++k) write(k);
    write_text(folder / "dataset.json", R"({"labels": {"background": 0, "organ": 1}})");
  }
  std::string image_path(int k) const { return folder / ("imagesTr/c" + std::to_string(k) + ".nii.gz"); }
  std::string label_path(int k) const { return folder / ("labelsTr/c" + std::to_string(k) + ".nii.gz"); }
  static NiftiBytes header(std::int16_t type, std::int16_t bits) {
    NiftiBytes n({16, 16, 3}, type, bits);
    n.put<std::int16_t>(254, 1);  // sform_code
    for (int r = 0; r < 3; ++r) n.put<float>(280 + 16 * r + 4 * r, 1);
    return n;
  }
  void write(int k) const {
    std::vector<float> v = image;
    for (float& x : v) x += static_cast<float>(k);  // no slice lies in two volumes
    write_bytes(image_path(k), gzip(header(16, 32).file(v)));
    write_bytes(label_path(k), gzip(header(2, 8).file(label)));
  }
};

TEST_CASE("verify: volumes: NaN, truncation, size, place, channels, fractional labels") {
  const Volumes d;
  CHECK(examine(d.source).marks() == Marks{});
  CHECK(examine({"", d.folder.path(), {}}).listing.classes_known);  // dataset.json
  std::vector<float> nan = d.image;
  nan[100] = NAN, nan[200] = INFINITY;
  write_bytes(d.image_path(0), gzip(Volumes::header(16, 32).file(nan)));
  Bytes cut = read_bytes(d.image_path(1));
  cut.resize(cut.size() - 40);
  write_bytes(d.image_path(1), cut);
  NiftiBytes small({16, 16, 2}, 2, 8);
  write_bytes(d.label_path(2), gzip(small.file(std::vector<std::uint8_t>(512, 1))));
  NiftiBytes moved = Volumes::header(2, 8);
  moved.put<float>(280 + 12, 5);
  write_bytes(d.label_path(3), gzip(moved.file(d.label)));
  NiftiBytes drifted = Volumes::header(2, 8);
  drifted.put<float>(280 + 12, 0.2f);
  write_bytes(d.label_path(4), gzip(drifted.file(d.label)));
  NiftiBytes four({16, 16, 3, 2}, 16, 32);
  std::vector<float> two = d.image;
  two.insert(two.end(), d.image.begin(), d.image.end());
  write_bytes(d.image_path(5), gzip(four.file(two)));
  Found f = examine(d.source);
  CHECK(f.marks() == Marks{"error not_finite c0", "error unreadable c1", "error size_mismatch c2",
                           "error affine_mismatch c3", "warning affine_mismatch c4", "error channels c5",
                           "warning affine_mismatch c5"});
  CHECK(holds(f.text(), "c1.nii.gz"));
  CHECK(holds(f.text(), "expected 1 channel (data.channels), found 2"));
  CHECK(holds(f.text(), "0.2 voxels in position"));
  CHECK(holds(f.text(), "only one of them says where it lies"));

  // What stops the layout's own reader at once does not stop this one.
  write_bytes(d.image_path(1), {1, 2, 3});
  write_bytes(d.label_path(0), gzip(Volumes::header(16, 32).file(std::vector<float>(768, 0.5f))));
  f = examine(d.source);
  CHECK(f.listing.dataset.cases.size() == 6);
  const Marks marks = f.marks();
  CHECK(std::count(marks.begin(), marks.end(), "error unreadable c0") == 1);
  CHECK(std::count(marks.begin(), marks.end(), "error affine_mismatch c3") == 1);
}

TEST_CASE("verify: thumbnails show the slice with most foreground, as small as asked") {
  const Volumes d;
  std::vector<std::uint8_t> label(768);
  label[256 * 2 + 5] = 1;
  write_bytes(d.label_path(0), gzip(Volumes::header(2, 8).file(label)));
  const Listing listing = list_cases(d.source, {});
  Picture p;
  Mask m;
  REQUIRE(thumbnail_of(listing, listing.dataset.cases[0], 16, p, m));
  CHECK(m.at(5, 0) == 1);  // x is the height of an axial slice
  CHECK(p.at(0, 0) == d.image[512]);
  REQUIRE(thumbnail_of(listing, listing.dataset.cases[1], 8, p, m));
  CHECK(p.h == 8);
  CHECK(m.w == 8);
  write_bytes(d.image_path(2), {1, 2, 3});
  CHECK_FALSE(thumbnail_of(listing, listing.dataset.cases[2], 8, p, m));
}

TEST_CASE("verify: cases unlike the others in scale, one by one or many together") {
  const auto darken = [](const std::string& file) {
    const Picture p = read_image(file);
    Bytes8 dark{40, 40, 1, Bytes(1600)};
    for (int i = 0; i < 1600; ++i) dark.bytes[i] = static_cast<std::uint8_t>(p.pixels[i] / 16);
    write_png(file, dark);
  };
  const Discs d;
  darken(d.image(5));
  CHECK(examine(d.source).marks() == Marks{"warning intensity_outlier disc_5"});
  test::write_discs(d.folder.path(), 100, 40);
  for (int i = 3; i < 15; ++i) darken(d.image(i));
  const Found f = examine(d.source);
  CHECK(f.marks() == Marks{"warning intensity_outlier"});
  CHECK(holds(f.text(), "12 of 100 cases are unlike the others in their intensities (disc_3, disc_4,"));
}

}  // namespace
}  // namespace gf
