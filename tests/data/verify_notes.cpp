// verify: what a layout has to say of a data set is told too where its own reader has given up.
#include "data/png.h"
#include "tests/data/verify_found.h"
#include "tests/harness/discs.h"

namespace gf {
namespace {

namespace fs = std::filesystem;
using namespace fixtures;

std::string message_with(const Found& f, const std::string& part) {
  for (const Finding& found : f.findings)
    if (found.message.find(part) != std::string::npos) return found.message;
  return {};
}

void volume(const std::string& path, int level) {
  std::vector<float> v(512);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>((static_cast<int>(i) * 37 + level) % 101);
  write_bytes(path, gzip(NiftiBytes({8, 8, 8}, 16, 32).file(v)));
}

void label(const std::string& path) {
  std::vector<std::uint8_t> v(512);
  std::fill_n(v.begin(), 99, std::uint8_t{1});
  write_bytes(path, gzip(NiftiBytes({8, 8, 8}, 2, 8).file(v)));
}

TEST_CASE("verify: notes and faults that a layout met before it gave up are kept") {
  const TemporaryFolder t;
  for (int i = 1; i <= 4; ++i) {
    const std::string n = std::to_string(i);
    volume(t / ("imagesTr/c" + n + "_0000.nii.gz"), i);
    if (i != 3) label(t / ("labelsTr/c" + n + ".nii.gz"));
  }
  write_text(t / "dataset.json", R"({"channel_names": {"0": "CT"}, "labels": {"background": 0, "x": 1},
    "numTraining": 9, "file_ending": ".nii.gz"})");
  const DatasetSource source{"nnunet", t.path(), {}};
  Found f = examine(source);
  CHECK(holds(message_with(f, "speaks of"), "speaks of 9 training cases, 4 are there"));
  CHECK(std::ranges::count(f.marks(), "error missing_pair c3") == 1);
  // A test part without a picture: the layout's reader stops.
  label(t / "labelsTs/c9.nii.gz");
  fs::create_directories(t / "imagesTs");
  f = examine(source);
  CHECK(holds(f.text(), t / "imagesTs"));
  CHECK(f.listing.dataset.cases.size() == 4);
  CHECK(holds(message_with(f, "speaks of"), "speaks of 9 training cases, 4 are there"));
  CHECK(std::ranges::count(f.marks(), "error missing_pair c3") == 1);  // told by both readers
  for (const std::string& note : f.listing.dataset.notes) CHECK_FALSE(note.starts_with("warning"));
}

TEST_CASE("verify: a table read leniently keeps what the layout says of more than one case") {
  const TemporaryFolder t;
  test::write_discs(t.path(), 6, 40);
  fs::remove(t / "images/disc_0.png");
  write_text(t / "split.csv", "case,patient,split\ndisc_1,disc_1,train\n");
  DatasetSource source{"images_masks", t.path(), {"background", "disc"}};
  CHECK(examine(source).marks() == Marks{"error missing_file disc_0"});
  source.split_file = t / "split.csv";
  const Found f = examine(source);
  CHECK(f.marks() == Marks{"error missing_file disc_0", "error data_set"});
  CHECK(holds(f.text(), "a case is missing from the split: " + source.split_file));
}

TEST_CASE("verify: a table beside a layout that reads none is not taken for the data set") {
  const TemporaryFolder t;
  Bytes8 picture{20, 20, 1, Bytes(400)};
  for (int i = 1; i <= 3; ++i) {
    const std::string n = "benign/benign (" + std::to_string(i) + ")";
    for (int k = 0; k < 400; ++k) picture.bytes[k] = static_cast<std::uint8_t>((k * 37 + i) % 101);
    fs::create_directories(t / "benign");
    write_png(t / (n + ".png"), picture);
    Mask mask(20, 20);
    mask.at(3, 3) = 1;
    if (i != 2) write_png_mask(t / (n + "_mask.png"), mask);
  }
  write_text(t / "index.csv", "image,mask,split\nnowhere.png,none.png,train\n");
  DatasetSource source{"busi", t.path(), {}};
  source.subsets = {"benign"};
  const Found f = examine(source);
  CHECK(f.marks() == Marks{"error missing_pair benign (2)"});
  CHECK(f.listing.dataset.cases.size() == 3);
  REQUIRE(f.listing.dataset.notes.size() == 1);
  CHECK(holds(f.listing.dataset.notes[0], "busi: 3 benign (published"));
}

}  // namespace
}  // namespace gf
