// Picture layouts on small copies of what is published: busi, cvc, gastric, csv, images and masks.
#include <map>
#include <set>

#include "data/case.h"
#include "data/dataset.h"
#include "data/image.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

void picture(const std::string& path, std::int64_t h = 4, std::int64_t w = 6, std::int64_t c = 3) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_png(path, {h, w, c, Bytes(static_cast<std::size_t>(h * w * c), 90)});
}

// 255 at the given places, else 0.
void mask(const std::string& path, const std::vector<std::size_t>& set, std::int64_t h = 4, std::int64_t w = 6) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  Mask m(h, w);
  for (const std::size_t at : set) m.values[at] = 255;
  write_png_mask(path, m);
}

std::map<Split, int> parts(const Dataset& d) {
  std::map<Split, int> n;
  for (const Case& c : d.cases) ++n[c.split];
  return n;
}

std::map<std::string, Split> split_of(const Dataset& d) {
  std::map<std::string, Split> s;
  for (const Case& c : d.cases) s[c.id] = c.split;
  return s;
}

DatasetSource source(const std::string& layout, const std::string& root) { return {layout, root, {}}; }

void write_busi(const std::string& root) {
  for (int i = 1; i <= 10; ++i) {
    const std::string name = root + "/benign/benign (" + std::to_string(i) + ")";
    picture(name + ".png");
    mask(name + "_mask.png", {0, 1});
  }
  for (int i = 1; i <= 20; ++i) {
    const std::string name = root + "/malignant/malignant (" + std::to_string(i) + ")";
    picture(name + ".png");
    mask(name + "_mask.png", {2});
  }
  picture(root + "/normal/normal (1).png");
  mask(root + "/normal/normal (1)_mask.png", {});
  mask(root + "/benign/benign (4)_mask_1.png", {1, 23});
  mask(root + "/benign/benign (4)_mask_2.png", {7});
}

TEST_CASE("busi: masks of one picture are united, parts are drawn from every folder alike") {
  const TemporaryFolder folder;
  const std::string root = folder / "Dataset_BUSI_with_GT";
  write_busi(root);
  Preprocessing p;
  p.channels = 3;
  const Dataset d = open_dataset(source("busi", folder.path()), p);
  CHECK(d.class_names == std::vector<std::string>{"background", "lesion"});
  CHECK(!d.volumes);
  REQUIRE(d.cases.size() == 30);  // normal is left out
  std::map<Split, int> benign;
  for (const Case& c : d.cases)
    if (c.subset == "benign") ++benign[c.split];
  CHECK(benign == std::map<Split, int>{{Split::train, 7}, {Split::val, 1}, {Split::test, 2}});
  CHECK(parts(d) == std::map<Split, int>{{Split::train, 21}, {Split::val, 3}, {Split::test, 6}});
  CHECK(holds(d.notes.at(0), "10 benign, 20 malignant"));
  for (const Case& c : d.cases) {
    const std::vector<std::int32_t> v = load_case(d, c, Purpose::evaluation).truth[0].values;
    if (c.id == "benign (4)")
      CHECK(v == std::vector<std::int32_t>{1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    else
      CHECK(std::count(v.begin(), v.end(), 1) == (c.subset == "benign" ? 2 : 1));
  }
  CHECK(split_of(open_dataset(source("busi", root), p)) == split_of(d));  // the folder itself, the same seed
  DatasetSource other = source("busi", root);
  other.split_seed = 2;
  CHECK(split_of(open_dataset(other, p)) != split_of(d));
  other.subsets = {"normal", "malignant"};
  CHECK(open_dataset(other, p).cases.size() == 21);
  other.subsets = {"cyst"};
  CHECK(holds(message_of([&] { open_dataset(other, p); }, ErrorKind::usage), "cyst"));
  other.subsets = {};
  other.val_share = 0.5, other.test_share = 0.5;
  CHECK(holds(message_of([&] { open_dataset(other, p); }, ErrorKind::usage), "leave nothing to train"));
}

TEST_CASE("busi: what does not fit is said with the file") {
  const TemporaryFolder folder;
  write_busi(folder.path());
  const auto open = [&] { return open_dataset(source("busi", folder.path()), {}); };
  mask(folder / "benign/benign (11)_mask.png", {});
  CHECK(holds(message_of(open), "benign (11)_mask.png"));
  picture(folder / "benign/benign (11).png");
  picture(folder / "benign/benign (12).png");
  CHECK(holds(message_of(open), "picture without a mask"));
  mask(folder / "benign/benign (12)_mask.png", {0}, 3, 3);
  const Dataset d = open();
  for (const Case& c : d.cases)
    if (c.id == "benign (12)") CHECK(holds(message_of([&] { load_case(d, c, Purpose::training); }), "3x3 pixels"));
  std::filesystem::remove_all(folder / "malignant");
  CHECK(holds(message_of(open), "a folder malignant"));
}

void write_cvc(const std::string& images, const std::string& masks, const std::string& ending) {
  for (int i = 1; i <= 612; ++i) {
    const std::string name = "/" + std::to_string(i) + ending;
    picture(images + name, 2, 2);
    mask(masks + name, {1}, 2, 2);
  }
}

TEST_CASE("cvc: a video's frames stay in one part, or are drawn one by one when asked") {
  const TemporaryFolder folder;
  write_cvc(folder / "PNG/Original", folder / "PNG/Ground Truth", ".png");
  const Dataset d = open_dataset(source("cvc", folder.path()), {});
  REQUIRE(d.cases.size() == 612);
  CHECK(d.notes.empty());
  CHECK(d.cases[9].id == "10");
  std::map<std::string, std::set<Split>> videos;
  for (const Case& c : d.cases) videos[c.patient].insert(c.split);
  CHECK(videos.size() == 29);
  for (const auto& [video, splits] : videos) CHECK(splits.size() == 1);
  CHECK(d.cases[24].patient == "video 01");
  CHECK(d.cases[25].patient == "video 02");
  CHECK(d.cases[611].patient == "video 29");
  std::map<Split, int> n = parts(d);
  CHECK(n[Split::test] >= 122);  // whole videos: at most one too many
  CHECK(n[Split::test] < 122 + 26);
  CHECK(n[Split::val] >= 61);
  CHECK(n[Split::train] > 400);
  DatasetSource random = source("cvc", folder.path());
  random.keep_sequences = false;
  const Dataset r = open_dataset(random, {});
  n = parts(r);
  CHECK(n[Split::test] == 122);
  CHECK(n[Split::val] == 61);
  CHECK(holds(r.notes.at(0), "trained on"));
  CHECK(load_case(d, d.cases[0], Purpose::evaluation).truth[0].values == std::vector<std::int32_t>{0, 1, 0, 0});
}

TEST_CASE("cvc: the publishers' folders of TIFF files, and files that do not fit") {
  const TemporaryFolder folder;
  // The same bytes under another ending: files are known by what they hold.
  for (const int frame : {1, 2, 30}) {
    picture(folder / ("Original/" + std::to_string(frame) + ".tif"), 2, 2);
    mask(folder / ("Ground Truth/" + std::to_string(frame) + ".tif"), {3}, 2, 2);
  }
  const auto open = [&] { return open_dataset(source("cvc", folder.path()), {}); };
  const Dataset d = open();
  CHECK(d.cases.size() == 3);
  CHECK(holds(d.notes.at(0), "3 frames, 612 were published"));
  picture(folder / "Original/700.tif", 2, 2);
  CHECK(holds(message_of(open), "without a mask"));
  mask(folder / "Ground Truth/700.tif", {}, 2, 2);
  CHECK(holds(message_of(open), "unknown video"));
  std::filesystem::remove_all(folder / "Ground Truth");
  CHECK(holds(message_of(open), "\"Ground Truth\""));
}

TEST_CASE("csv: patients stay together, files lie anywhere, parts are drawn where no column says them") {
  const TemporaryFolder folder;
  std::string table = "label,image,patient\n";
  for (int i = 0; i < 30; ++i) {
    const std::string name = std::to_string(i) + " \xe9.png";
    picture(folder / ("pics/" + name));
    mask(folder / ("m/" + name), {0});
    table += "m/" + name + "," + folder.path() + "/pics/" + name + ",p" + std::to_string(i / 3) + "\n";
  }
  write_text(folder / "index.csv", table);
  write_text(folder / "other.csv", table);
  Preprocessing p;
  p.label_map.entries = {{255, 1}};
  const Dataset d = open_dataset(source("csv", folder.path()), p);
  CHECK(parts(d) == std::map<Split, int>{{Split::train, 21}, {Split::val, 3}, {Split::test, 6}});
  std::map<std::string, std::set<Split>> patients;
  for (const Case& c : d.cases) patients[c.patient].insert(c.split);
  for (const auto& [name, splits] : patients) CHECK(splits.size() == 1);
  CHECK(load_case(d, d.cases[7], Purpose::training).labels[0].values[0] == 1);
  CHECK(split_of(open_dataset(source("csv", folder / "other.csv"), p)) == split_of(d));
  write_text(folder / "index.csv",
             "image,label,split\npics/0 \xe9.png,m/0 \xe9.png,train\npics/1 \xe9.png,,unlabelled\n");
  const Dataset two = open_dataset(source("csv", folder.path()), p);
  CHECK(two.cases[1].split == Split::unlabelled);
  CHECK(two.cases[1].label.empty());
  write_text(folder / "index.csv", "image,label,split\npics/9.png,m/0 \xe9.png,train\n");
  CHECK(holds(message_of([&] { open_dataset(source("csv", folder.path()), p); }), "index.csv line 2"));
  CHECK(holds(message_of([&] { open_dataset(source("csv", folder / "m"), p); }), "index.csv"));
  const NiftiBytes n({2, 2, 2}, 2, 8);
  write_bytes(folder / "v.nii", n.file(std::vector<std::uint8_t>(8, 1)));
  write_text(folder / "index.csv", "image,label,split\npics/0 \xe9.png,m/0 \xe9.png,train\nv.nii,v.nii,train\n");
  CHECK(holds(message_of([&] { open_dataset(source("csv", folder.path()), p); }), "volumes and pictures"));
  write_text(folder / "index.csv", "image,label,split\nv.nii,v.nii,train\n");
  CHECK(open_dataset(source("csv", folder.path()), p).cases[0].slices() == 2);
}

TEST_CASE("settings that a layout does not know are refused, not ignored") {
  const TemporaryFolder folder;
  picture(folder / "images/a.png");
  mask(folder / "masks/a.png", {0});
  const auto refused = [&](auto change) {
    DatasetSource s = source("images_masks", folder.path());
    change(s);
    return message_of([&] { open_dataset(s, {}); }, ErrorKind::usage);
  };
  CHECK(holds(refused([](DatasetSource& s) { s.subsets = {"normal"}; }), "layout busi"));
  CHECK(holds(refused([](DatasetSource& s) { s.keep_sequences = false; }), "layout cvc"));
  CHECK(holds(refused([](DatasetSource& s) { s.class_order = "samed"; }), "synapse or btcv"));
  CHECK(holds(refused([](DatasetSource& s) { s.fold = 1; }), "monai or nnunet"));
}

TEST_CASE("images_masks: folders without a table") {
  const TemporaryFolder folder;
  for (int i = 0; i < 10; ++i) {
    picture(folder / ("images/" + std::to_string(i) + ".png"));
    mask(folder / ("masks/" + std::to_string(i) + (i % 2 ? "_mask.png" : ".png")), {0});
  }
  const Dataset d = open_dataset(source("images_masks", folder.path()), {});
  CHECK(parts(d) == std::map<Split, int>{{Split::train, 7}, {Split::val, 1}, {Split::test, 2}});
  picture(folder / "images/x.png");
  CHECK(holds(message_of([&] { open_dataset(source("images_masks", folder.path()), {}); }), "x_mask.png"));
}

// A picture as a bitmap, because nothing here writes JPEG.
void bitmap(const std::string& path, int w, int h) {
  Bytes b(static_cast<std::size_t>(54 + (w * 3 + 3) / 4 * 4 * h), 128);
  std::fill(b.begin(), b.begin() + 54, 0);
  b[0] = 'B', b[1] = 'M', b[10] = 54, b[14] = 40, b[26] = 1, b[28] = 24;
  std::memcpy(&b[18], &w, 4);
  std::memcpy(&b[22], &h, 4);
  write_bytes(path, b);
}

TEST_CASE("gastric: pictures become tiles, of the test part others than of training") {
  const TemporaryFolder folder;
  for (int i = 0; i < 10; ++i) bitmap(folder / ("train/a " + std::to_string(i) + ".bmp"), 1030, 1024);
  bitmap(folder / "test/b.bmp", 600, 512);
  Mask m(1024, 1030);
  for (std::int64_t y = 0; y < 1024; ++y) m.at(y, 1027) = 1;
  for (int i = 0; i < 10; ++i) write_png_mask(folder / ("train/a " + std::to_string(i) + ".png"), m);
  Mask t(512, 600);
  for (std::int64_t y = 256; y < 512; ++y)
    for (std::int64_t x = 512; x < 600; ++x) t.at(y, x) = 255;
  write_png_mask(folder / "test/b.png", t);
  const Dataset d = open_dataset(source("gastric", folder.path()), {});
  CHECK(d.class_names[1] == "cancer");
  CHECK(parts(d) == std::map<Split, int>{{Split::train, 9}, {Split::val, 1}, {Split::test, 1}});
  CHECK(samples_of(d, Split::train).size() == 18);
  CHECK(samples_of(d, Split::test).size() == 6);
  const PreparedCase a = load_case(d, d.cases[0], Purpose::training);
  REQUIRE(a.images.size() == 2);
  CHECK((a.full == Extent{256, 256}));
  CHECK(a.images[0].at(9, 9) == 128.f / 255);
  CHECK(a.images[1].at(9, 9) == 0);  // beyond the picture
  CHECK(std::count(a.labels[0].values.begin(), a.labels[0].values.end(), 1) == 0);
  CHECK(a.whole_truth.values.empty());
  const PreparedCase b = load_case(d, d.cases.back(), Purpose::evaluation);
  REQUIRE(b.truth.size() == 6);
  CHECK(b.whole_truth.h == 512);
  const Mask cores = tile_cores(b.truth, *b.tiles);
  CHECK(cores.h == 128);
  CHECK(cores.w == 192);
  CHECK(cores.at(64, 128) == 1);
  CHECK(cores.at(63, 128) == 0);
  CHECK(cores.at(64, 127) == 0);
  // Put together, the tiles' own truth is the mask: its borders lie between pixels of the quarter.
  CHECK(merge_tiles(b.truth, *b.tiles).values == b.whole_truth.values);
  const std::string out = folder / "out.png";
  write_prediction(out, b, b.truth, d.preprocessing);
  CHECK(read_mask(out).values == b.whole_truth.values);
  // predict has no data set, only the preprocessing that the checkpoint remembers.
  const Preprocessing remembered = Preprocessing::from_fields(d.preprocessing.to_fields());
  CHECK(remembered == d.preprocessing);
  CHECK(load_input({folder / "test/b.bmp"}, remembered).images.size() == 6);
  CHECK(!Preprocessing().to_fields().contains("tiling"));
  std::filesystem::remove(folder / "test/b.png");
  CHECK(holds(message_of([&] { open_dataset(source("gastric", folder.path()), {}); }), "b.png"));
  std::filesystem::remove_all(folder / "test");
  CHECK(holds(message_of([&] { open_dataset(source("gastric", folder.path()), {}); }), "test"));
}

}  // namespace
}  // namespace gf
