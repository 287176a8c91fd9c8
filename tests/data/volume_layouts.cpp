// Volume layouts on small copies of what is published: nnunet, monai, btcv, synapse, and the way between the last two.
#include <algorithm>
#include <cmath>
#include <map>

#include "data/array_files.h"
#include "data/case.h"
#include "data/convert_synapse.h"
#include "data/dataset.h"
#include "data/hdf5.h"
#include "data/synapse_classes.h"
#include "engine/io/npz.h"
#include "engine/io/npz_writer.h"
#include "tests/data/fixtures.h"
#include "tests/harness/golden_folder.h"

namespace gf {
namespace {

using namespace fixtures;

std::string golden(const std::string& name) { return test::golden_folder() + "layout_" + name; }

void volume(const std::string& path, std::int16_t depth = 2, std::uint8_t value = 1) {
  const NiftiBytes n({2, 2, depth}, 2, 8);
  write_bytes(path, gzip(n.file(std::vector<std::uint8_t>(static_cast<std::size_t>(4 * depth), value))));
}

std::map<std::string, Split> split_of(const Dataset& d) {
  std::map<std::string, Split> s;
  for (const Case& c : d.cases) s[c.id] = c.split;
  return s;
}

std::map<Split, int> parts(const Dataset& d) {
  std::map<Split, int> n;
  for (const Case& c : d.cases) ++n[c.split];
  return n;
}

DatasetSource source(const std::string& layout, const std::string& root) { return {layout, root, {}}; }

TEST_CASE("nnunet: dataset.json of both versions, channels, the ignore label, a test part, folds") {
  const TemporaryFolder folder;
  for (int i = 0; i < 10; ++i) {
    const std::string id = "BRATS_00" + std::to_string(i);
    for (const char* channel : {"_0000", "_0001"}) volume(folder / ("imagesTr/" + id + channel + ".nii.gz"));
    volume(folder / ("labelsTr/" + id + ".nii.gz"));
  }
  const auto describe = [&](const std::string& text) { write_text(folder / "dataset.json", text); };
  Preprocessing p;
  p.channels = 2;
  const auto open = [&] { return open_dataset(source("nnunet", folder.path()), p); };
  describe(R"({"channel_names": {"0": "FLAIR", "1": "T1"}, "labels": {"background": 0, "tumour": 1, "ignore": 2},
               "numTraining": 10, "file_ending": ".nii.gz"})");
  Dataset d = open();
  CHECK(d.class_names == std::vector<std::string>{"background", "tumour"});
  CHECK(d.preprocessing.label_map.ignore_index == 2);
  CHECK(parts(d) == std::map<Split, int>{{Split::train, 7}, {Split::val, 1}, {Split::test, 2}});
  CHECK(d.notes.empty());
  CHECK(load_case(d, d.cases[0], Purpose::training).images[0].c == 2);
  describe(R"({"modality": {"0": "FLAIR", "1": "T1"}, "labels": {"0": "background", "1": "tumour"}, "numTraining": 9,
               "training": []})");
  d = open();
  CHECK(d.class_names[1] == "tumour");
  CHECK(holds(d.notes.at(0), "speaks of 9"));
  p.channels = 1;
  CHECK(holds(message_of(open, ErrorKind::usage), "set data.channels = 2"));
  p.channels = 2;
  volume(folder / "imagesTs/T_0000.nii.gz");  // without labels they are no test part
  CHECK(parts(open())[Split::test] == 2);
  volume(folder / "imagesTs/T_0001.nii.gz");
  volume(folder / "labelsTs/T.nii.gz");
  CHECK(parts(open()) == std::map<Split, int>{{Split::train, 9}, {Split::val, 1}, {Split::test, 1}});

  write_text(
      folder / "splits_final.json",
      R"([{"train": ["BRATS_000"], "val": ["BRATS_001"]}, {"train": ["BRATS_001"], "val": ["BRATS_000", "BRATS_007"]}])");
  DatasetSource fold = source("nnunet", folder.path());
  fold.fold = 1;
  CHECK(split_of(open_dataset(fold, p)) ==
        std::map<std::string, Split>{
            {"BRATS_000", Split::val}, {"BRATS_001", Split::train}, {"BRATS_007", Split::val}, {"T", Split::test}});
  fold.fold = 2;
  CHECK(holds(message_of([&] { open_dataset(fold, p); }), "2 folds"));
  write_text(folder / "splits_final.json", R"([{"train": ["ghost"], "val": []}])");
  CHECK(holds(message_of(open), "ghost"));
  write_text(folder / "splits_final.json", R"({"train": 1})");
  CHECK(holds(message_of(open), "splits_final.json"));
  std::filesystem::remove(folder / "splits_final.json");

  describe(R"({"labels": {"background": 0, "whole": [1, 2], "core": 2}})");
  CHECK(holds(message_of(open), "regions of several labels are not supported"));
  describe(R"({"labels": {"background": 0, "tumour": 1}, "file_ending": ".mha"})");
  CHECK(holds(message_of(open), ".mha"));
  describe(R"({"labels": {"background": 0, "tumour": 1}, "file_ending": ".png"})");
  CHECK(holds(message_of(open), "ending in .png"));
  describe("[1]");
  CHECK(holds(message_of(open), "not a JSON object"));
  std::filesystem::remove(folder / "dataset.json");
  CHECK(holds(message_of(open), "dataset.json"));
}

TEST_CASE("nnunet: pictures, one RGB file or one file a channel") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "imagesTr");
  std::filesystem::create_directories(folder / "labelsTr");
  for (int i = 0; i < 3; ++i) {
    const std::string id = "road" + std::to_string(i);
    write_png(folder / ("imagesTr/" + id + "_0000.png"), {1, 2, 3, {1, 2, 3, 4, 5, 6}});
    Mask m(1, 2);
    write_png_mask(folder / ("labelsTr/" + id + ".png"), m);
  }
  write_text(folder / "dataset.json",
             R"({"channel_names": {"0": "R", "1": "G", "2": "B"}, "labels": {"background": 0, "road": 1},
                                          "numTraining": 3, "file_ending": ".png"})");
  Preprocessing p;
  p.channels = 3;
  p.normalisation = Normalisation::none;
  Dataset d = open_dataset(source("nnunet", folder.path()), p);
  CHECK(!d.volumes);
  CHECK(load_case(d, d.cases[0], Purpose::training).images[0].pixels == std::vector<float>{1, 2, 3, 4, 5, 6});
  write_png(folder / "imagesTr/road0_0001.png", {1, 2, 1, {8, 9}});
  write_png(folder / "imagesTr/road0_0000.png", {1, 2, 1, {7, 6}});
  write_text(folder / "dataset.json", R"({"labels": {"background": 0, "road": 1}, "file_ending": ".png"})");
  p.channels = 2;
  d = open_dataset(source("nnunet", folder.path()), p);
  CHECK(load_case(d, d.cases[0], Purpose::training).images[0].pixels == std::vector<float>{7, 8, 6, 9});
  write_png(folder / "imagesTr/road0_0001.png", {2, 1, 1, {8, 9}});
  CHECK(holds(message_of([&] { load_case(d, d.cases[0], Purpose::training); }), "channels differ in size"));
}

TEST_CASE("monai: lists, folds, several channels, entries without labels") {
  const TemporaryFolder folder;
  std::string training;
  for (int i = 0; i < 10; ++i) {
    const std::string id = std::to_string(i);
    for (const char* modality : {"a", "b"}) volume(folder / ("imagesTr/" + std::string(modality) + id + ".nii.gz"));
    volume(folder / ("labelsTr/" + id + ".nii.gz"));
    training += (i ? "," : "") + std::string(R"({"image": ["./imagesTr/a)") + id + R"(.nii.gz", "imagesTr/b)" + id +
                R"(.nii.gz"], "label": "./labelsTr/)" + id + R"(.nii.gz", "fold": )" + std::to_string(i % 5) + "}";
  }
  const auto list = [&](const std::string& rest) {
    write_text(folder / "datalist.json",
               R"({"labels": {"0": "background", "1": "organ"}, "training": [)" + training + "]" + rest + "}");
  };
  Preprocessing p;
  p.channels = 2;
  DatasetSource s = source("monai", folder.path());
  const auto open = [&] { return open_dataset(s, p); };
  list("");
  Dataset d = open();
  CHECK(d.class_names[1] == "organ");
  CHECK(d.volumes);
  CHECK(parts(d) == std::map<Split, int>{{Split::train, 8}, {Split::val, 2}});
  CHECK(split_of(d).at("a5") == Split::val);
  CHECK(load_case(d, d.cases[0], Purpose::training).images[0].c == 2);
  s.fold = 3;
  CHECK(split_of(open()).at("a8") == Split::val);
  s.fold = 5;
  CHECK(holds(message_of(open), "fold 5"));
  s.fold = 0;
  s.root = folder / "datalist.json";
  CHECK(open().cases.size() == 10);
  list(R"(, "test": ["imagesTr/a1.nii.gz", {"image": "imagesTr/a2.nii.gz"}])");
  CHECK(holds(open().notes.at(0), "2 entries"));
  volume(folder / "t.nii.gz");
  list(R"(, "testing": [{"image": ["t.nii.gz", "t.nii.gz"], "label": "t.nii.gz"}])");
  CHECK(split_of(open()).at("t") == Split::test);
  for (const std::string fold : {"0", "1", "2", "3", "4"})
    for (std::size_t at; (at = training.find(", \"fold\": " + fold)) != std::string::npos;) training.erase(at, 11);
  list("");
  CHECK(parts(open()) == std::map<Split, int>{{Split::train, 7}, {Split::val, 1}, {Split::test, 2}});
  list(R"(, "validation": [{"image": ["t.nii.gz", "t.nii.gz"], "label": "t.nii.gz"}])");
  CHECK(parts(open()) == std::map<Split, int>{{Split::train, 10}, {Split::val, 1}});
  list(R"(, "validation": [{"image": "none.nii.gz", "label": "t.nii.gz"}])");
  CHECK(holds(message_of(open), "validation entry 0"));
  write_text(folder / "datalist.json", R"({"training": [{"image": 3, "label": "t.nii.gz"}]})");
  CHECK(holds(message_of(open), "training entry 0"));
  write_text(folder / "datalist.json", R"({"training": {}})");
  CHECK(holds(message_of(open), "a list \"training\""));
  write_text(folder / "datalist.json", "{}");
  CHECK(holds(message_of(open), "without training cases"));
  s.root = folder / "labelsTr";
  CHECK(holds(message_of(open), "datalist.json or dataset.json"));
}

// The nibabel volume as cases of the BTCV data set.
void write_btcv(const std::string& root, const std::vector<std::string>& numbers) {
  std::filesystem::create_directories(root + "/img");
  std::filesystem::create_directories(root + "/label");
  for (const std::string& n : numbers) {
    std::filesystem::copy(golden("btcv_img.nii.gz"), root + "/img/img" + n + ".nii.gz");
    std::filesystem::copy(golden("btcv_label.nii.gz"), root + "/label/label" + n + ".nii.gz");
  }
}

TEST_CASE("btcv: the published parts, 13 organs or eight of them") {
  const TemporaryFolder folder;
  write_btcv(folder / "RawData/Training", {"0001", "0005", "0040", "0038"});
  DatasetSource s = source("btcv", folder.path());
  s.val_share = 0;
  Dataset d = open_dataset(s, {});
  CHECK(split_of(d) == std::map<std::string, Split>{{"case0001", Split::test},
                                                    {"case0005", Split::train},
                                                    {"case0038", Split::test},
                                                    {"case0040", Split::train}});
  CHECK(d.class_names.size() == 14);
  CHECK(d.class_names[8] == "aorta");
  CHECK(d.cases[0].slices() == 4);
  s.class_order = "cascade";
  d = open_dataset(s, {});
  CHECK(d.class_names[5] == "pancreas");
  CHECK(holds(d.notes.at(0), "6 liver"));
  for (const Mask& m : load_case(d, d.cases[0], Purpose::training).labels)
    for (const std::int32_t v : m.values) CHECK(v <= 8);
  std::filesystem::remove(folder / "RawData/Training/label/label0040.nii.gz");
  CHECK(holds(message_of([&] { open_dataset(s, {}); }), "label0040.nii.gz"));
  CHECK(holds(message_of([&] { open_dataset(source("btcv", folder / "RawData/Training/label"), {}); }),
              "not the layout btcv"));
}

TEST_CASE("convert: BTCV to what TransUNet's preprocessing makes of it, and back with the geometry") {
  const TemporaryFolder folder;
  write_btcv(folder / "btcv", {"0001", "0005"});
  DatasetSource s = source("btcv", folder / "btcv");
  s.val_share = 0;
  const Dataset btcv = open_dataset(s, {});
  const OrganOrder& order = find_organ_order("transunet");
  for (const Case& c : btcv.cases) write_synapse_case(c, order, folder / "synapse");
  write_synapse_lists(btcv.cases, folder / "synapse");
  CHECK(std::filesystem::exists(synapse_file(btcv.cases[0], folder / "synapse")));
  CHECK(read_bytes(folder / "synapse/lists_Synapse/test_vol.txt") ==
        Bytes({'c', 'a', 's', 'e', '0', '0', '0', '1', '\n'}));

  const NpzFile expected(golden("synapse.npz"));
  const std::vector<float> image = expected.floats("image"), label = expected.floats("label");
  const ImageStack stack = read_image_stack({folder / "synapse/test_vol_h5/case0001.npy.h5"}, 0, -1);
  CHECK(stack.pixels == image);
  const NpzFile slice(folder / "synapse/train_npz/case0005_slice003.npz");
  CHECK(slice.floats("image") == std::vector<float>(image.begin() + 90, image.end()));
  CHECK(slice.floats("label") == std::vector<float>(label.begin() + 90, label.end()));

  s = source("synapse", folder / "synapse");
  s.val_share = 0;
  const Dataset synapse = open_dataset(s, {});
  CHECK(split_of(synapse) == split_of(btcv));
  CHECK(holds(synapse.notes.at(0), "1 aorta, 2 gallbladder"));
  CHECK(holds(synapse.notes.at(1), "case0005 4 for 117"));
  const PreparedCase prepared = load_case(synapse, synapse.cases.back(), Purpose::evaluation);
  REQUIRE(prepared.truth.size() == 4);
  CHECK(prepared.spacing_mm[0] == doctest::Approx(3));
  CHECK(prepared.spacing_mm[1] == doctest::Approx(0.75));
  // A mask for TransUNet's file lies on the original volume.
  write_prediction(folder / "mask.nii.gz", prepared, prepared.truth, synapse.preprocessing);
  LabelVolume original = read_nifti_labels(golden("btcv_label.nii.gz"));
  const LabelVolume mask = read_nifti_labels(folder / "mask.nii.gz");
  require_same_grid("original", original.header, "mask", mask.header);
  organ_label_map(order).apply(original.voxels, 9, "original");
  CHECK(mask.voxels == original.voxels);

  for (const Case& c : synapse.cases) CHECK(write_btcv_case(c, order, folder / "back"));
  const Dataset back = open_dataset({"btcv", folder / "back", {}}, {});
  REQUIRE(back.cases.size() == 2);
  const Volume there = read_nifti(golden("btcv_img.nii.gz"));
  for (const Case& c : back.cases) {
    const Volume here = read_nifti(c.images[0]);
    require_same_grid("there", there.header, "here", here.header);
    CHECK(here.header.affine == there.header.affine);
    CHECK(here.header.raw[252] == there.header.raw[252]);  // qform_code
    double worst = 0;
    for (std::size_t i = 0; i < here.voxels.size(); ++i)
      worst = std::max(worst, std::abs(double(here.voxels[i]) - std::clamp(there.voxels[i], -125.f, 275.f)));
    CHECK(worst < 1e-4);
    const LabelVolume labels = read_nifti_labels(c.label), stored = read_nifti_labels(golden("btcv_label.nii.gz"));
    for (std::size_t i = 0; i < labels.voxels.size(); ++i) {
      const std::int32_t v = stored.voxels[i];
      CHECK(labels.voxels[i] == (v == 5 || v == 9 || v == 10 || v > 11 ? 0 : v));
    }
  }
}

// Eight boxes of organs the size of which fits the order `transunet`: 16 slices of 16 x 16.
std::vector<float> organ_labels(const std::map<int, int>& rename = {}) {
  std::vector<float> v(16 * 16 * 16);
  const auto box = [&](int label, int z0, int z1, int y0, int y1, int x0, int x1) {
    for (int z = z0; z < z1; ++z)
      for (int y = y0; y < y1; ++y)
        for (int x = x0; x < x1; ++x)
          v[static_cast<std::size_t>((z * 16 + y) * 16 + x)] =
              static_cast<float>(rename.contains(label) ? rename.at(label) : label);
  };
  box(1, 0, 16, 0, 1, 0, 1);  // aorta: long and thin
  box(2, 4, 6, 1, 2, 0, 2);   // gallbladder
  box(3, 2, 8, 2, 4, 0, 2);   // kidneys
  box(4, 2, 8, 2, 4, 4, 6);
  box(5, 2, 14, 5, 13, 5, 13);  // liver
  box(6, 4, 8, 13, 14, 0, 6);
  box(7, 4, 12, 14, 16, 0, 4);
  box(8, 4, 12, 14, 16, 8, 14);
  return v;
}

void write_synapse(const std::string& root, const std::vector<float>& labels) {
  std::filesystem::create_directories(root + "/train_npz");
  std::filesystem::create_directories(root + "/test_vol_h5");
  const std::vector<float> image(16 * 16 * 16, 0.5f);
  const auto bytes = [](const std::vector<float>& v, int z) {
    return std::as_bytes(std::span<const float>(v).subspan(static_cast<std::size_t>(256 * z), 256));
  };
  for (int number : {5, 6, 40})
    for (int z = 0; z < 16; ++z) {
      char name[64];
      std::snprintf(name, sizeof name, "/train_npz/case%04d_slice%03d.npz", number, z);
      write_npz(root + name,
                {{"image", "<f4", {16, 16}, bytes(image, z)}, {"label", "<f4", {16, 16}, bytes(labels, z)}});
    }
  for (const char* name : {"/test_vol_h5/case0001.npy.h5", "/test_vol_h5/case0002.npy.h5"})
    write_hdf5(root + name, {{"image", {16, 16, 16}, image}, {"label", {16, 16, 16}, labels}});
}

TEST_CASE("synapse: TransUNet's folders and lists") {
  const TemporaryFolder folder;
  const std::string root = folder / "data/Synapse";
  write_synapse(root, organ_labels());
  DatasetSource s = source("synapse", root);
  Dataset d = open_dataset(s, {});
  CHECK(d.cases.size() == 5);
  CHECK(d.class_names[5] == "liver");
  CHECK(d.volumes);
  CHECK(d.preprocessing.normalisation == Normalisation::none);
  CHECK(samples_of(d, Split::test).size() == 32);
  CHECK(samples_of(d, Split::train).size() + samples_of(d, Split::val).size() == 48);
  std::string notes;
  for (const std::string& n : d.notes) notes += n + "\n";
  CHECK(holds(notes, "48 training slices in 3 cases, TransUNet's list has 2211 in 18"));
  CHECK(holds(notes, "2 test cases"));
  CHECK(holds(notes, "no lists_Synapse"));
  CHECK(holds(notes, "no voxel sizes"));
  CHECK(notes.find("does not look right") == std::string::npos);
  const PreparedCase c = load_case(d, d.cases[0], Purpose::evaluation);
  CHECK(c.id == "case0005");
  CHECK(c.images.size() == 16);
  CHECK(c.volume);
  const PreparedCase one = load_case(d, one_slice(d.cases[0], 3), Purpose::training);
  CHECK(one.images.size() == 1);
  CHECK(one.labels[0].values == c.labels[3].values);

  // The lists stand beside data/ in TransUNet's checkout; what they do not name takes no part.
  std::string train;
  for (int z = 0; z < 16; ++z) train += "case0006_slice0" + std::string(z < 10 ? "0" : "") + std::to_string(z) + "\r\n";
  write_text(folder / "lists/lists_Synapse/train.txt", train);
  write_text(folder / "lists/lists_Synapse/test_vol.txt", "case0002\n");
  s.val_share = 0;
  d = open_dataset(s, {});
  CHECK(split_of(d) == std::map<std::string, Split>{{"case0006", Split::train}, {"case0002", Split::test}});
  write_text(folder / "lists/lists_Synapse/test_vol.txt", "case0002\ncase0003\n");
  CHECK(holds(message_of([&] { open_dataset(s, {}); }), "test_vol.txt line 2"));
  write_text(folder / "lists/lists_Synapse/train.txt", train + "case0007_slice000\n");
  CHECK(holds(message_of([&] { open_dataset(s, {}); }), "train.txt line 17"));
  CHECK(holds(message_of([&] { open_dataset(source("synapse", folder / "lists"), {}); }), "train_npz"));
  const std::vector<float> image(8, 1.f);
  write_hdf5(root + "/test_vol_h5/case0002.npy.h5", {{"image", {2, 2, 2}, image}});
  write_text(folder / "lists/lists_Synapse/train.txt", train);
  write_text(folder / "lists/lists_Synapse/test_vol.txt", "case0002\n");
  CHECK(holds(message_of([&] { open_dataset(s, {}); }), "a dataset \"label\""));
}

TEST_CASE("synapse: an order of the organs that the sizes contradict is named, with those that fit") {
  const TemporaryFolder folder;
  write_synapse(folder.path(), organ_labels());
  const auto doubts = [&](const std::string& order) {
    DatasetSource s = source("synapse", folder.path());
    s.class_order = order;
    std::string text;
    for (const std::string& n : open_dataset(s, {}).notes)
      if (n.find("does not look right") != std::string::npos) text += n + "\n";
    return text;
  };
  CHECK(doubts("") == "");
  CHECK(holds(doubts("cascade"), "orders that fit: transunet"));
  CHECK(holds(doubts("cascade"), "label 5, in this order the pancreas, is the largest"));
  CHECK(holds(doubts("samed"), "label 4, in this order the gallbladder, is larger than a kidney"));
  std::map<int, int> to_cascade;  // the same organs numbered as CASCADE does
  const OrganOrder &from = find_organ_order("transunet"), &to = find_organ_order("cascade");
  for (int i = 0; i < kOrgans; ++i)
    for (int j = 0; j < kOrgans; ++j)
      if (from.btcv[i] == to.btcv[j]) to_cascade[i + 1] = j + 1;
  write_synapse(folder.path(), organ_labels(to_cascade));
  CHECK(doubts("cascade") == "");
  CHECK(holds(doubts("transunet"), "orders that fit: cascade"));
}

TEST_CASE("the organs' orders are those of BTCV's numbers") {
  const std::vector<std::string> btcv = btcv_class_names();
  for (const char* name : {"transunet", "samed", "cascade"}) {
    const OrganOrder& o = find_organ_order(name);
    for (int i = 0; i < kOrgans; ++i) CHECK(btcv[static_cast<std::size_t>(o.btcv[i])] == o.organs[i]);
    CHECK(organ_label_map(o).entries.size() == 13);
  }
  int slices = 0, training = 0, test = 0;
  for (int n = 0; n <= 40; ++n)
    slices += published_slices(n), training += is_synapse_training_case(n), test += is_synapse_test_case(n);
  CHECK(slices == kPublishedSlices);
  CHECK(training == 18);
  CHECK(test == 12);
}

}  // namespace
}  // namespace gf
