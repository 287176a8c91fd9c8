// verify on pictures in several files: BUSI's further masks, nnU-Net's one file a channel; and on TIFF.
#include <cmath>

#include "data/image.h"
#include "data/png.h"
#include "data/verify/thumbnail.h"
#include "kernels/philox.h"
#include "tests/data/verify_found.h"

namespace gf {
namespace {

using namespace fixtures;

// Noise of its own for every `seed`: pictures that are alike would be found.
void noise(const std::string& path, std::uint64_t seed, std::int64_t h, std::int64_t w, std::int64_t c) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  Bytes8 picture{h, w, c, Bytes(static_cast<std::size_t>(h * w * c))};
  for (std::size_t i = 0; i < picture.bytes.size(); ++i)
    picture.bytes[i] = static_cast<std::uint8_t>(philox(seed, 3, i).v[0]);
  write_png(path, picture);
}

// `value` in rows y0 .. y1 of 12 x 16 pixels, else 0.
Mask rows(std::int32_t value, std::int64_t y0, std::int64_t y1, std::int64_t h = 12) {
  Mask m(h, 16);
  for (std::int64_t y = y0; y <= y1; ++y)
    for (std::int64_t x = 0; x < 16; ++x) m.at(y, x) = value;
  return m;
}

void cut_in_half(const std::string& path) {
  Bytes bytes = read_bytes(path);
  bytes.resize(bytes.size() / 2);
  write_bytes(path, bytes);
}

struct Busi {
  TemporaryFolder folder;
  DatasetSource source{"busi", folder.path(), {}};

  Busi() {
    for (const std::string subset : {"benign", "malignant"})
      for (int i = 1; i <= 5; ++i) {
        noise(image(subset, i), static_cast<std::uint64_t>(i + (subset == "benign" ? 0 : 9)), 12, 16, 3);
        write_png_mask(mask(subset, i), rows(255, 2, 5));
      }
    write_png_mask(further(), rows(255, 4, 8));
  }
  std::string name(const std::string& subset, int i) const {
    return folder / (subset + "/" + subset + " (" + std::to_string(i) + ")");
  }
  std::string image(const std::string& subset, int i) const { return name(subset, i) + ".png"; }
  std::string mask(const std::string& subset, int i) const { return name(subset, i) + "_mask.png"; }
  std::string further() const { return name("benign", 2) + "_mask_1.png"; }
};

TEST_CASE("verify: all masks of a BUSI picture are looked at, and counted as the one that training makes of them") {
  const Busi d;
  Found f = examine(d.source);
  CHECK(f.marks() == Marks{});
  REQUIRE(f.listing.dataset.cases[1].id == "benign (2)");
  CHECK(f.facts[1].labels == std::map<std::int32_t, std::int64_t>{{0, 5 * 16}, {255, 7 * 16}});
  CHECK(f.facts[1].classes == std::map<std::int32_t, std::int64_t>{{0, 5 * 16}, {1, 7 * 16}});
  Picture picture;
  Mask shown;
  REQUIRE(thumbnail_of(f.listing, f.listing.dataset.cases[1], 16, picture, shown));
  CHECK(shown.at(2, 0) == 255);
  CHECK(shown.at(8, 0) == 255);

  write_png_mask(d.further(), rows(255, 4, 8, 10));
  f = examine(d.source);
  CHECK(f.marks() == Marks{"error size_mismatch benign (2)"});
  CHECK(holds(f.text(), d.further() + ": image and mask differ in size: expected 16x12 pixels, found 16x10"));
  write_png_mask(d.further(), rows(7, 4, 8));
  f = examine(d.source);
  CHECK(f.marks() == Marks{"error label_range benign (2)"});
  CHECK(holds(f.text(), d.further()));
  CHECK(f.facts[1].classes == std::map<std::int32_t, std::int64_t>{{0, 8 * 16}, {1, 4 * 16}});  // of the sound one
  cut_in_half(d.further());
  f = examine(d.source);
  CHECK(f.marks() == Marks{"error unreadable benign (2)"});
  CHECK(holds(f.text(), d.further()));
  // A lesion that only the further mask shows is foreground.
  write_png_mask(d.mask("benign", 2), Mask(12, 16));
  write_png_mask(d.further(), rows(255, 4, 8));
  CHECK(examine(d.source).marks() == Marks{});
  write_png_mask(d.further(), Mask(12, 16));
  CHECK(examine(d.source).marks() == Marks{"warning empty_mask benign (2)"});
}

TEST_CASE("verify: a picture that cannot be read does not hide what is wrong with its mask") {
  const Busi d;
  cut_in_half(d.image("benign", 1));
  write_png_mask(d.mask("benign", 1), rows(7, 2, 5));
  CHECK(examine(d.source).marks() == Marks{"error unreadable benign (1)", "error label_range benign (1)"});
}

struct TwoChannels {
  TemporaryFolder folder;
  DatasetSource source{"nnunet", folder.path(), {}};
  Preprocessing preprocessing;

  TwoChannels() {
    preprocessing.channels = 2;
    for (int k = 0; k < 5; ++k) {
      for (int channel : {0, 1}) noise(image(k, channel), static_cast<std::uint64_t>(10 * channel + k), 12, 16, 1);
      std::filesystem::create_directories(folder / "labelsTr");
      write_png_mask(folder / ("labelsTr/c" + std::to_string(k) + ".png"), rows(1, 3, 7));
    }
    write_text(folder / "dataset.json", R"({"channel_names": {"0": "a", "1": "b"}, "numTraining": 5,
      "labels": {"background": 0, "x": 1}, "file_ending": ".png"})");
  }
  std::string image(int k, int channel) const {
    return folder / ("imagesTr/c" + std::to_string(k) + "_000" + std::to_string(channel) + ".png");
  }
};

TEST_CASE("verify: pictures with a file a channel are looked at in all their files") {
  const TwoChannels d;
  Found f = examine(d.source, d.preprocessing);
  CHECK(f.marks() == Marks{});
  CHECK(f.facts[0].channels == 2);
  // The same first channel does not make the same picture.
  std::filesystem::copy_file(d.image(0, 0), d.image(4, 0), std::filesystem::copy_options::overwrite_existing);
  CHECK(examine(d.source, d.preprocessing).marks() == Marks{});
  noise(d.image(1, 1), 20, 10, 16, 1);
  cut_in_half(d.image(2, 1));
  std::filesystem::remove(d.image(3, 1));
  f = examine(d.source, d.preprocessing);
  CHECK(f.marks() == Marks{"error size_mismatch c1", "error unreadable c2", "error channels c3"});
  CHECK(holds(f.text(), d.image(1, 0) + " and " + d.image(1, 1) +
                            ": channels differ in size: expected 16x12 pixels, found 16x10"));
  CHECK(holds(f.text(), d.image(2, 1)));
}

// Uncompressed, one strip: `bits` a pixel, of format 1 (unsigned) or 3 (floating point).
template <class T>
void tiff(const std::string& path, std::uint32_t h, std::uint32_t w, const std::vector<T>& pixels,
          std::uint32_t format) {
  Bytes file = {'I', 'I', 42, 0, 8, 0, 0, 0, 9, 0};
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) file.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  const auto bytes = static_cast<std::uint32_t>(pixels.size() * sizeof(T));
  const std::uint32_t entries[9][2] = {{256, w}, {257, h},     {258, 8 * sizeof(T)},
                                       {259, 1}, {262, 1},     {273, 8 + 2 + 9 * 12 + 4},
                                       {278, h}, {279, bytes}, {339, format}};
  for (const auto& [tag, value] : entries) put(tag, 2), put(4, 2), put(1, 4), put(value, 4);
  put(0, 4);
  const auto* raw = reinterpret_cast<const std::uint8_t*>(pixels.data());
  file.insert(file.end(), raw, raw + bytes);
  write_bytes(path, file);
}

TEST_CASE("verify: TIFF has the same kinds of faults as PNG") {
  const TemporaryFolder folder;
  std::string index = "image,mask,split\n";
  const auto image = [&](int i) { return "i" + std::to_string(i) + ".tif"; };
  const auto mask = [&](int i) { return "m" + std::to_string(i) + ".tif"; };
  for (int i = 0; i < 6; ++i) {
    std::vector<float> pixels(12 * 16);
    for (std::size_t p = 0; p < pixels.size(); ++p)
      pixels[p] = static_cast<float>(philox(static_cast<std::uint64_t>(i), 4, p).v[0] % 100);
    if (i == 5) pixels[7] = NAN;
    tiff(folder / image(i), 12, 16, pixels, 3);
    const std::uint8_t value = i == 1 ? 9 : i == 2 ? 255 : 1;
    std::vector<std::uint8_t> labels(12 * 16);
    std::fill_n(labels.begin(), 40, value);
    if (i == 3) labels.resize(10 * 16);
    if (i == 4) std::fill(labels.begin(), labels.end(), std::uint8_t{0});
    tiff(folder / mask(i), i == 3 ? 10 : 12, 16, labels, 1);
    index += image(i) + "," + mask(i) + ",train\n";
  }
  write_text(folder / "index.csv", index);
  const Found f = examine({"images_masks", folder.path(), {"background", "x"}});
  CHECK(f.marks() == Marks{"error label_range i1", "error label_0_255 i2", "error size_mismatch i3",
                           "warning empty_mask i4", "error not_finite i5"});
  CHECK(holds(f.text(), folder / mask(3)));
}

}  // namespace
}  // namespace gf
