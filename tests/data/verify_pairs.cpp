// verify where files of several cases are missing: all are told, and the other cases looked at.
#include "data/hdf5.h"
#include "data/png.h"
#include "engine/io/npz_writer.h"
#include "kernels/philox.h"
#include "tests/data/verify_found.h"

namespace gf {
namespace {

using namespace fixtures;
namespace fs = std::filesystem;

// 12 x 12 pixels of noise, one foreground corner.
void picture(const std::string& path, std::uint64_t seed) {
  fs::create_directories(fs::path(path).parent_path());
  Bytes8 p{12, 12, 1, Bytes(144)};
  for (std::size_t i = 0; i < p.bytes.size(); ++i) p.bytes[i] = static_cast<std::uint8_t>(philox(seed, 5, i).v[0]);
  write_png(path, p);
}

void mask(const std::string& path) {
  fs::create_directories(fs::path(path).parent_path());
  Mask m(12, 12);
  std::fill_n(m.values.begin(), 30, 1);
  write_png_mask(path, m);
}

// An image and a label of 12 x 12 x 2 voxels.
void volume(const std::string& image, const std::string& label, std::uint64_t seed, std::uint8_t value = 1) {
  std::vector<float> v(288);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(philox(seed, 6, i).v[0] % 1000);
  std::vector<std::uint8_t> l(288);
  std::fill_n(l.begin(), 40, value);
  write_bytes(image, gzip(NiftiBytes({12, 12, 2}, 16, 32).file(v)));
  write_bytes(label, gzip(NiftiBytes({12, 12, 2}, 2, 8).file(l)));
}

std::string number(int i) { return std::to_string(i); }

// Findings of one kind, and how many cases were examined with an image that reads.
std::size_t readable(const Found& f) {
  return static_cast<std::size_t>(std::ranges::count(f.facts, true, &CaseFacts::readable));
}
Marks of_check(const Found& f, Check check) {
  Marks ids;
  for (const Finding& x : f.findings)
    if (x.check == check) ids.push_back(x.case_id);
  return ids;
}
std::size_t errors(const Found& f) {
  return static_cast<std::size_t>(std::ranges::count(f.findings, Severity::error, &Finding::severity));
}

TEST_CASE("verify: two pairs missing in busi, cvc, gastric, images with masks: both told, the rest examined") {
  const TemporaryFolder t;
  for (int i = 1; i <= 9; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    const std::string n = number(i);
    picture(t / ("busi/benign/benign (" + n + ").png"), seed);
    mask(t / ("busi/benign/benign (" + n + ")_mask.png"));
    picture(t / ("cvc/Original/" + n + ".png"), seed);
    mask(t / ("cvc/Ground Truth/" + n + ".png"));
    picture(t / ("gastric/train/n" + n + ".bmp"), seed);
    mask(t / ("gastric/train/n" + n + ".png"));
    picture(t / ("folders/images/n" + n + ".png"), seed);
    mask(t / ("folders/masks/n" + n + ".png"));
  }
  picture(t / "gastric/test/n1.bmp", 99);
  mask(t / "gastric/test/n1.png");
  DatasetSource busi{"busi", t / "busi", {}};
  busi.subsets = {"benign"};
  const DatasetSource gastric{"gastric", t / "gastric", {}};

  fs::remove(t / "busi/benign/benign (3)_mask.png");
  fs::remove(t / "busi/benign/benign (5).png");
  Found f = examine(busi);
  CHECK(of_check(f, Check::missing_pair) == Marks{"benign (5)", "benign (3)"});
  CHECK(errors(f) == 2);
  CHECK(readable(f) == 8);
  CHECK(holds(f.text(), t / "busi/benign/benign (3).png"));
  CHECK(holds(f.text(), t / "busi/benign/benign (5)_mask.png"));
  // Other faults beside them are told too.
  write_text(t / "busi/benign/benign (7).png", "no picture");
  CHECK(of_check(examine(busi), Check::unreadable) == Marks{"benign (7)"});

  for (int i : {2, 7}) {
    fs::remove(t / ("cvc/Ground Truth/" + number(i) + ".png"));
    fs::remove(t / ("gastric/train/n" + number(i) + ".png"));
    fs::remove(t / ("folders/masks/n" + number(i) + ".png"));
  }
  f = examine({"cvc", t / "cvc", {}});
  CHECK(of_check(f, Check::missing_pair) == Marks{"2", "7"});
  CHECK(errors(f) == 2);
  CHECK(readable(f) == 9);
  write_text(t / "gastric/train/n4.bmp", "no picture");
  f = examine(gastric);
  CHECK(of_check(f, Check::missing_pair) == Marks{"n2", "n7"});
  CHECK(readable(f) == 9);
  const Marks unreadable = of_check(f, Check::unreadable);
  CHECK(std::ranges::count(unreadable, "n4") > 0);
  f = examine({"images_masks", t / "folders", {}});
  CHECK(of_check(f, Check::missing_pair) == Marks{"n2", "n7"});
  CHECK(errors(f) == 2);
  CHECK(readable(f) == 9);
  // To train on, the first is enough.
  CHECK(holds(message_of([&] { open_dataset(busi, {}); }), "benign (5)_mask.png"));
  CHECK(holds(message_of([&] { open_dataset(gastric, {}); }), "n2.png"));
}

TEST_CASE("verify: equal file names in the two folders of gastric are no leak, equal pictures are") {
  const TemporaryFolder t;
  for (int i = 1; i <= 4; ++i) {
    picture(t / ("train/n" + number(i) + ".bmp"), static_cast<std::uint64_t>(i));
    mask(t / ("train/n" + number(i) + ".png"));
  }
  picture(t / "test/n1.bmp", 99);
  mask(t / "test/n1.png");
  CHECK(examine({"gastric", t.path(), {}}).marks() == Marks{});
  picture(t / "test/n1.bmp", 2);
  CHECK(examine({"gastric", t.path(), {}}).marks() == Marks{"error duplicate_image n1"});
}

TEST_CASE("verify: two files missing in btcv, monai, csv, nnunet: both told, the rest examined") {
  const TemporaryFolder t;
  std::string list, table = "image,label\n";
  for (int i = 1; i <= 9; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    const std::string n = number(i), file = n + ".nii.gz";
    volume(t / ("btcv/img/img000" + file), t / ("btcv/label/label000" + file), seed, 6);
    volume(t / ("lists/i" + file), t / ("lists/l" + file), seed);
    volume(t / ("nnunet/imagesTr/c" + n + "_0000.nii.gz"), t / ("nnunet/labelsTr/c" + file), seed);
    list += (i == 1 ? "" : ", ") + (R"({"image": "i)" + file) + R"(", "label": "l)" + file + R"("})";
    table += "i" + file + ",l" + file + "\n";
  }
  write_text(t / "lists/datalist.json", R"({"labels": {"0": "background", "1": "x"}, "training": [)" + list + "]}");
  write_text(t / "lists/list.csv", table);
  write_text(t / "nnunet/dataset.json", R"({"channel_names": {"0": "CT"}, "labels": {"background": 0, "x": 1},
    "numTraining": 9, "file_ending": ".nii.gz"})");
  const auto none = [](const Found& f) { return errors(f); };
  const DatasetSource btcv{"btcv", t / "btcv", {}}, monai{"monai", t / "lists", {}},
      csv{"csv", t / "lists/list.csv", {}}, nnunet{"nnunet", t / "nnunet", {}};
  for (const DatasetSource* s : {&btcv, &monai, &csv, &nnunet}) CHECK(none(examine(*s)) == 0);

  for (int i : {3, 5}) {
    fs::remove(t / ("btcv/label/label000" + number(i) + ".nii.gz"));
    fs::remove(t / ("lists/l" + number(i) + ".nii.gz"));
    fs::remove(t / ("nnunet/labelsTr/c" + number(i) + ".nii.gz"));
  }
  // A header that does not read beside them.
  write_bytes(t / "btcv/img/img0004.nii.gz", {1, 2, 3});
  Found f = examine(btcv);
  CHECK(of_check(f, Check::missing_pair) == Marks{"case0003", "case0005"});
  CHECK(readable(f) == 8);
  const Marks unreadable = of_check(f, Check::unreadable);
  CHECK(std::ranges::count(unreadable, "case0004") > 0);
  for (const DatasetSource* s : {&monai, &csv}) {
    f = examine(*s);
    CHECK(of_check(f, Check::missing_file).size() == 2);
    CHECK(errors(f) == 2);
    CHECK(readable(f) == 9);
    CHECK(holds(f.text(), t / "lists/l3.nii.gz"));
    CHECK(holds(f.text(), t / "lists/l5.nii.gz"));
  }
  f = examine(nnunet);
  CHECK(of_check(f, Check::missing_pair) == Marks{"c3", "c5"});
  CHECK(errors(f) == 2);
  CHECK(readable(f) == 9);
  fs::remove(t / "lists/i7.nii.gz");
  for (const DatasetSource* s : {&monai, &csv}) {
    f = examine(*s);
    CHECK(of_check(f, Check::missing_file).size() == 3);
    CHECK(errors(f) == 3);
    CHECK(readable(f) == 8);
  }
  // A channel is missing: the case is left out, not taken as one of fewer channels.
  write_text(t / "lists/datalist.json", R"({"labels": {"0": "background", "1": "x"}, "training": [)" + list +
                                            R"(, {"image": ["i1.nii.gz", "none.nii.gz"], "label": "l1.nii.gz"}]})");
  f = examine(monai);
  CHECK(of_check(f, Check::missing_file).size() == 4);
  CHECK(errors(f) == 4);
  CHECK(readable(f) == 8);
}

TEST_CASE("verify: slices and volumes that synapse's lists name and that are not there, or do not read") {
  const TemporaryFolder t;
  const std::vector<float> label(144, 5.0f);
  std::vector<float> image(144);
  std::string train;
  fs::create_directories(t / "train_npz");
  fs::create_directories(t / "test_vol_h5");
  for (int i = 0; i < 6; ++i) {
    for (std::size_t k = 0; k < image.size(); ++k)
      image[k] = uniform01(philox(7, static_cast<std::uint32_t>(i), k).v[0]);
    const std::string name = "case0005_slice00" + number(i);
    write_npz(t / ("train_npz/" + name + ".npz"),
              {{"image", "<f4", {12, 12}, std::as_bytes(std::span<const float>(image))},
               {"label", "<f4", {12, 12}, std::as_bytes(std::span<const float>(label))}});
    train += name + "\n";
  }
  image[0] = 2;
  write_hdf5(t / "test_vol_h5/case0001.npy.h5", {{"image", {1, 12, 12}, image}, {"label", {1, 12, 12}, label}});
  image[0] = 3;
  write_hdf5(t / "test_vol_h5/case0003.npy.h5", {{"image", {1, 12, 12}, image}});
  write_text(t / "test_vol_h5/case0004.npy.h5", "no HDF5");
  write_text(t / "lists_Synapse/train.txt", train + "case0006_slice000\nnoslice\n");
  write_text(t / "train_npz/noslice.npz", "");
  write_text(t / "lists_Synapse/test_vol.txt", "case0001\ncase0002\ncase0003\ncase0004\n../case0005\n");
  fs::remove(t / "train_npz/case0005_slice002.npz");
  DatasetSource source{"synapse", t.path(), {}};
  source.val_share = 0;
  const Found f = examine(source);
  CHECK(of_check(f, Check::missing_file) == Marks{"case0005_slice002", "case0006_slice000", "case0002"});
  CHECK(holds(f.text(), "lists_Synapse/train.txt line 3"));
  CHECK(of_check(f, Check::unreadable).at(0) == "case0003");  // without a label
  CHECK(of_check(f, Check::unreadable).at(1) == "case0004");
  CHECK(holds(f.text(), "a name like case0005_slice000"));
  CHECK(of_check(f, Check::data_set).at(1) == "../case0005");
  CHECK(holds(f.text(), "the list leads to another folder"));
  CHECK(readable(f) == 3);
  CHECK(f.facts[0].size[0] == 5);
}

}  // namespace
}  // namespace gf
