#include <set>

#include "data/case.h"
#include "data/dataset.h"
#include "data/image.h"
#include "data/split_cases.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

void write_case(const std::string& folder, const std::string& image, const std::string& label, std::int16_t depth = 2,
                std::uint8_t value = 1) {
  const NiftiBytes n({2, 2, depth}, 2, 8);
  std::vector<std::uint8_t> voxels(static_cast<std::size_t>(4 * depth), value);
  write_bytes(folder + "/" + image, gzip(n.file(voxels)));
  voxels.assign(voxels.size(), 0);
  voxels[0] = 1;
  if (!label.empty()) write_bytes(folder + "/" + label, gzip(n.file(voxels)));
}

TEST_CASE("images_masks: index with splits") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "images");
  std::filesystem::create_directories(folder / "masks");
  for (const char* name : {"a", "b", "c"}) {
    write_png(folder / ("images/" + std::string(name) + ".png"), {2, 3, 3, Bytes(18, 100)});
    write_png(folder / ("masks/" + std::string(name) + ".png"), {2, 3, 1, {0, 0, 0, 255, 255, 255}});
  }
  write_text(folder / "index.csv",
             "split,image,mask\ntrain,images/a.png,masks/a.png\nval,images/b.png,masks/b.png\ntest,images/c.png,masks/"
             "c.png\n");
  Preprocessing p;
  p.channels = 3;
  p.label_map.entries = {{255, 1}};
  const Dataset d = open_dataset({"images_masks", folder.path(), {}}, p);
  CHECK(d.cases.size() == 3);
  CHECK(d.class_names == std::vector<std::string>{"background", "foreground"});
  CHECK(d.cases[1].split == Split::val);
  CHECK(d.cases[2].id == "c");
  CHECK(samples_of(d, Split::train).size() == 1);
  const PreparedCase c = load_case(d, d.cases[0], Purpose::evaluation);
  CHECK(c.images[0].c == 3);
  CHECK(c.truth[0].values == std::vector<std::int32_t>{0, 0, 0, 1, 1, 1});

  Dataset unmapped = d;
  unmapped.preprocessing.label_map = {};
  CHECK(holds(message_of([&] { load_case(unmapped, d.cases[0], Purpose::training); }), "\"255\" = 1"));
  write_png(folder / "masks/a.png", {3, 2, 1, Bytes(6)});
  const std::string e = message_of([&] { load_case(d, d.cases[0], Purpose::training); });
  CHECK(holds(e, "3x2 pixels"));
  CHECK(holds(e, "2x3 pixels"));
}

TEST_CASE("cases of a split: what fits stays decoded, the rest is decoded at every use") {
  const TemporaryFolder folder;
  constexpr std::int64_t side = 256;  // 4 + 4 + 4 bytes a pixel: 0.75 MiB a case
  std::string index = "image,mask,split\n";
  for (const char* name : {"a", "b", "c"}) {
    const std::string n = name;
    write_png(folder / (n + ".png"), {side, side, 1, Bytes(side * side, 7)});
    write_png(folder / (n + "_mask.png"), {side, side, 1, Bytes(side * side, 1)});
    index += n + ".png," + n + "_mask.png," + (n == "a" ? "train" : "val") + "\n";
  }
  write_text(folder / "index.csv", index);
  Preprocessing p;
  p.normalisation = Normalisation::none;
  const Dataset d = open_dataset({"images_masks", folder.path(), {}}, p);
  const SplitCases cases(d, Split::val, 1);
  REQUIRE(cases.size() == 2);
  CHECK(cases.at(0)->id == "b");
  CHECK(cases.at(1)->id == "c");
  for (const char* name : {"b", "c"})
    write_png(folder / (std::string(name) + ".png"), {side, side, 1, Bytes(side * side, 9)});
  CHECK(cases.at(0)->images[0].at(0, 0) == 7);  // the first fitted
  CHECK(cases.at(1)->images[0].at(0, 0) == 9);  // the second did not
  CHECK(cases.at(1)->truth.size() == 1);
  CHECK(SplitCases(d, Split::test).empty());
  CHECK_THROWS(cases.at(2));
}

TEST_CASE("images_masks: what is missing is said") {
  const TemporaryFolder folder;
  const auto open = [&] { open_dataset({"images_masks", folder.path(), {}}, {}); };
  CHECK(holds(message_of(open), "data folder is empty"));
  write_text(folder / "readme", "");
  CHECK(holds(message_of(open), "index.csv"));
  write_text(folder / "index.csv", "image,mask,split\n");
  CHECK(holds(message_of(open), "no cases"));
  write_text(folder / "index.csv", "image,mask\n");
  CHECK(holds(message_of(open), "\"split\""));
  write_text(folder / "index.csv", "image,mask,split\na.png,b.png,train\n");
  CHECK(holds(message_of(open), "a.png: expected the file named by"));
  write_png(folder / "a.png", {1, 1, 1, {0}});
  CHECK(holds(message_of(open), "b.png"));
  write_png(folder / "b.png", {1, 1, 1, {0}});
  open();
  write_text(folder / "index.csv", "image,mask,split\na.png,b.png,dev\n");
  CHECK(holds(message_of(open), "line 2"));
  write_text(folder / "index.csv", "image,mask,split\na.png,b.png,train\na.png,b.png,test\n");
  CHECK(holds(message_of(open), "twice"));
  CHECK(holds(message_of([&] { open_dataset({"images_masks", folder / "none", {}}, {}); }), "data folder is missing"));
  CHECK(holds(message_of([&] { open_dataset({"stacks", folder.path(), {}}, {}); }, ErrorKind::usage), "nifti_cases"));
}

TEST_CASE("nifti_cases: index.csv, several channels per case, slice counts along the axis") {
  const TemporaryFolder folder;
  write_case(folder.path(), "im/x.nii.gz", "la/x.nii.gz", 5);
  write_text(folder / "index.csv", "image,label,split\nim/x.nii.gz,la/x.nii.gz,train\n");
  write_text(folder / "dataset.json", R"({"labels": {"0": "background", "1": "lesion"}})");
  Dataset d = open_dataset({"nifti_cases", folder.path(), {}}, {});
  CHECK(d.class_names == std::vector<std::string>{"background", "lesion"});
  CHECK(samples_of(d, Split::train).size() == 5);
  Preprocessing sagittal;
  sagittal.slice_axis = 0;
  CHECK(samples_of(open_dataset({"nifti_cases", folder.path(), {"a", "b"}}, sagittal), Split::train).size() == 2);
  write_case(folder.path(), "other.nii.gz", "", 4);
  Case c = d.cases[0];
  c.label = folder / "other.nii.gz";
  CHECK(holds(message_of([&] { load_case(d, c, Purpose::training); }), "2x2x4 voxels"));
  c = d.cases[0];
  c.images.push_back(c.images[0]);
  CHECK(holds(message_of([&] { load_case(d, c, Purpose::training); }), "data.channels"));
  d.preprocessing.channels = 2;
  const PreparedCase two = load_case(d, c, Purpose::training);
  CHECK(two.images[0].c == 2);
  CHECK(two.truth.empty());
  c.images[1] = folder / "other.nii.gz";
  CHECK(holds(message_of([&] { load_case(d, c, Purpose::training); }), "2x2x4 voxels"));
  c.label.clear();
  c.images = {d.cases[0].images[0]};
  d.preprocessing.channels = 1;
  CHECK(load_case(d, c, Purpose::evaluation).labels.empty());
}

TEST_CASE("nifti_cases: nnU-Net's folders") {
  const TemporaryFolder folder;
  for (int i = 0; i < 10; ++i) {
    const std::string id = "c" + std::to_string(i);
    write_case(folder.path(), "imagesTr/" + id + "_0000.nii.gz", "labelsTr/" + id + ".nii.gz");
    write_case(folder.path(), "imagesTr/" + id + "_0001.nii.gz", "");
  }
  write_text(folder / "dataset.json", R"({"labels": {"background": 0, "tumour": 1}})");
  Preprocessing p;
  p.channels = 2;
  Dataset d = open_dataset({"nifti_cases", folder.path(), {}}, p);
  CHECK(d.class_names[1] == "tumour");
  REQUIRE(d.cases.size() == 10);
  CHECK(d.cases[3].id == "c3");
  CHECK(d.cases[3].images.size() == 2);
  CHECK(samples_of(d, Split::train).size() == 14);
  CHECK(samples_of(d, Split::val).size() == 2);
  CHECK(samples_of(d, Split::test).size() == 4);
  CHECK(load_case(d, d.cases[0], Purpose::training).images[0].c == 2);
  write_case(folder.path(), "imagesTs/t_0000.nii.gz", "labelsTs/t.nii.gz");
  d = open_dataset({"nifti_cases", folder.path(), {}}, p);
  CHECK(samples_of(d, Split::train).size() == 16);
  CHECK(samples_of(d, Split::test).size() == 2);
  std::filesystem::remove(folder / "labelsTr/c4.nii.gz");
  CHECK(holds(message_of([&] { open_dataset({"nifti_cases", folder.path(), {}}, p); }), "c4"));
  write_text(folder / "dataset.json", R"({"labels": {"background": 0, "tumour": 2}})");
  CHECK(holds(message_of([&] { open_dataset({"nifti_cases", folder.path(), {}}, p); }), "gap"));
  write_text(folder / "dataset.json", "{");
  CHECK(holds(message_of([&] { open_dataset({"nifti_cases", folder.path(), {}}, p); }), "not a JSON"));
}

TEST_CASE("data set nuclei_he") {
  const std::string root = shared_data("nuclei_he");
  if (root.empty()) return;
  Preprocessing p;
  p.channels = 3;
  p.label_map.entries = {{255, 1}};
  const Dataset d = open_dataset({"images_masks", root, {"background", "nucleus"}}, p);
  CHECK(samples_of(d, Split::train).size() == 81);
  CHECK(samples_of(d, Split::val).size() == 7);
  CHECK(samples_of(d, Split::test).size() == 19);
  const PreparedCase c = load_case(d, d.cases[0], Purpose::evaluation);
  CHECK(c.full == Extent{256, 320});
  double foreground = 0;
  for (const std::int32_t v : c.truth[0].values) foreground += v;
  CHECK(foreground / (256 * 320) == doctest::Approx(0.3586).epsilon(1e-3));  // index.csv says so
}

TEST_CASE("data set hippocampus") {
  const std::string root = shared_data("hippocampus");
  if (root.empty()) return;
  const Dataset d = open_dataset({"nifti_cases", root, {}}, {});
  CHECK(d.class_names == std::vector<std::string>{"background", "Anterior", "Posterior"});
  CHECK(d.cases.size() == 260);
  std::size_t all = 0;
  for (const Split s : {Split::train, Split::val, Split::test}) all += samples_of(d, s).size();
  CHECK(all == 9270);
  std::int64_t counts[3] = {};
  for (std::size_t i = 0; i < d.cases.size(); i += 40) load_case(d, d.cases[i], Purpose::training);
  const PreparedCase first = load_case(d, d.cases[0], Purpose::evaluation);
  for (const Mask& m : first.truth)
    for (const std::int32_t v : m.values) ++counts[v];
  CHECK(counts[1] == 1324);  // as index.csv has it
  CHECK(counts[2] == 1624);
}

}  // namespace
}  // namespace gf
