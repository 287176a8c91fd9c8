#include "data/preprocess.h"

#include <cmath>

#include "data/case.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

Preprocessing by(Normalisation n) {
  Preprocessing p;
  p.normalisation = n;
  return p;
}

TEST_CASE("normalisation") {
  std::vector<float> v(1001);
  for (std::size_t i = 0; i < v.size(); ++i) v[(i * 8) % v.size()] = static_cast<float>(i);  // 0..1000, shuffled
  std::vector<float> minmax = v, percentile = v, zscore = v, none = v;
  normalise(none, 1, by(Normalisation::none));
  CHECK(none == v);
  normalise(minmax, 1, by(Normalisation::minmax));
  normalise(percentile, 1, by(Normalisation::percentile));  // percentiles 5 and 995
  normalise(zscore, 1, by(Normalisation::zscore));
  const double deviation = std::sqrt((1001.0 * 1001 - 1) / 12);
  for (std::size_t i = 0; i < v.size(); ++i) {
    CHECK(minmax[i] == doctest::Approx(v[i] / 1000));
    CHECK(percentile[i] == doctest::Approx((std::min(std::max(v[i], 5.0f), 995.0f) - 5) / 990));
    CHECK(zscore[i] == doctest::Approx((v[i] - 500) / deviation));
  }
  for (const Normalisation n : {Normalisation::minmax, Normalisation::percentile, Normalisation::zscore}) {
    std::vector<float> constant(5, 3.0f), one = {2};
    normalise(constant, 1, by(n));
    normalise(one, 1, by(n));
    CHECK(constant == std::vector<float>(5, 0.0f));
    CHECK(one == std::vector<float>{0});
    std::vector<float> two = {0, 10, 1, 30, 2, 20};  // two channels, each on its own
    normalise(two, 2, by(Normalisation::minmax));
    CHECK(two == std::vector<float>{0, 0, 0.5f, 1, 1, 0.5f});
  }
  std::vector<float> four = {0, 1, 2, 3};  // percentiles between values: 0.015 and 2.985
  normalise(four, 1, by(Normalisation::percentile));
  CHECK(four[1] == doctest::Approx((1 - 0.015) / 2.97));
  CHECK(four[0] == 0);
  CHECK(parse_normalisation("zscore") == Normalisation::zscore);
  CHECK(holds(message_of([] { parse_normalisation("z"); }, ErrorKind::usage), "percentile"));
}

TEST_CASE("normalisation: clip window, other percentiles, bytes and ImageNet's numbers") {
  std::vector<float> hu = {-1000, -125, 75, 275, 3000};
  Preprocessing p = by(Normalisation::window);
  p.clip = {-125, 275};
  std::vector<float> v = hu;
  normalise(v, 1, p);
  CHECK(v == std::vector<float>{0, 0, 0.5f, 1, 1});
  p.normalisation = Normalisation::none;
  v = hu;
  normalise(v, 1, p);
  CHECK(v == std::vector<float>{-125, -125, 75, 275, 275});
  p.normalisation = Normalisation::minmax;  // of what the window left
  v = {0, 100, 3000};
  normalise(v, 1, p);
  CHECK(v[1] == doctest::Approx(100.0 / 275));

  std::vector<float> line(101);
  for (std::size_t i = 0; i < line.size(); ++i) line[i] = static_cast<float>(i);
  p = by(Normalisation::percentile);
  p.percentiles = {10, 60};
  normalise(line, 1, p);
  CHECK(line[5] == 0);
  CHECK(line[35] == doctest::Approx(0.5));
  CHECK(line[90] == 1);

  v = {0, 51, 255};
  normalise(v, 3, by(Normalisation::bytes));
  CHECK(v == std::vector<float>{0, 0.2f, 1});
  v = {0, 51, 255};
  normalise(v, 3, by(Normalisation::imagenet));
  CHECK(v[0] == doctest::Approx(-0.485 / 0.229));
  CHECK(v[1] == doctest::Approx((0.2 - 0.456) / 0.224));
  CHECK(v[2] == doctest::Approx((1 - 0.406) / 0.225));
  CHECK(
      holds(message_of([&] { normalise(v, 1, by(Normalisation::imagenet), "a.png"); }), "a.png: expected 3 channels"));
  v = {0, 256};
  CHECK(holds(message_of([&] { normalise(v, 1, by(Normalisation::bytes), "a.png"); }),
              "a.png: expected values from 0 to 255, found 0 to 256"));

  CHECK(holds(message_of([] { check(by(Normalisation::window)); }, ErrorKind::usage), "data.clip"));
  p.clip = {5, 5};
  CHECK(holds(message_of([&] { check(p); }, ErrorKind::usage), "expected low below high, found 5,5"));
  p.clip.reset();
  p.percentiles = {60, 10};
  CHECK(holds(message_of([&] { check(p); }, ErrorKind::usage), "data.percentiles"));
}

TEST_CASE("resizing: pictures by splines, labels and results by the nearest pixel, whatever the file's size") {
  Preprocessing p = by(Normalisation::none);
  p.resize_height = 12, p.resize_width = 8;
  p.stride = 8;
  Picture plane(30, 21, 1);
  Mask half(30, 21);
  for (std::int64_t y = 0; y < 30; ++y)
    for (std::int64_t x = 0; x < 21; ++x) plane.at(y, x) = static_cast<float>(2 * y + x), half.at(y, x) = y < 15;
  for (const int order : {0, 1, 3}) {
    p.resize_order = order;
    const Picture small = fit(plane, p);
    CHECK(small.h == 12);
    CHECK(small.w == 8);
    CHECK(small.at(0, 0) == doctest::Approx(0).epsilon(1e-4));
    CHECK(small.at(11, 7) == doctest::Approx(78));
  }
  const Mask labels = fit(half, p);
  CHECK(labels.at(5, 3) == 1);
  CHECK(labels.at(6, 3) == 0);
  CHECK(shrunk_extent({30, 21}, p) == Extent{12, 8});
  const Mask network = pad(labels, padded_extent({12, 8}, p), 0);
  CHECK(Extent{network.h, network.w} == Extent{16, 8});
  CHECK(restore(network, {30, 21}, p).values == half.values);
  const Picture back = unfit(fit(plane, p), {30, 21}, p);
  CHECK(back.at(15, 10) == doctest::Approx(40).epsilon(0.02));
  p.shrink = 2;
  CHECK(holds(message_of([&] { check(p); }, ErrorKind::usage), "either resized or shrunk"));
  p.shrink = 1;
  p.resize_order = 2;
  CHECK(holds(message_of([&] { check(p); }, ErrorKind::usage), "expected 0, 1 or 3"));
  p.resize_width = 0;
  CHECK(holds(message_of([&] { check(p); }, ErrorKind::usage), "data.resize"));
}

// Discs about (250, 250) of 512 x 512, taken to 224 x 224 and back by scipy.ndimage.zoom 1.17.1, order 0.
TEST_CASE("resizing: what TransUNet's size costs a perfect label, as with SciPy") {
  Preprocessing p;
  p.resize_height = p.resize_width = 224;
  p.zoom_border = ZoomBorder::scipy;
  for (const auto& [radius, dice] : std::map<int, double>{
           {5, 0.8554}, {8, 0.9227}, {12, 0.9412}, {20, 0.9764}, {40, 0.9869}, {80, 0.9918}, {120, 0.9943}}) {
    Mask disc(512, 512);
    for (int y = 0; y < 512; ++y)
      for (int x = 0; x < 512; ++x) disc.at(y, x) = (y - 250) * (y - 250) + (x - 250) * (x - 250) <= radius * radius;
    const Mask back = restore(fit(disc, p), {512, 512}, p);
    double both = 0, sum = 0;
    for (std::size_t i = 0; i < disc.values.size(); ++i)
      both += disc.values[i] * back.values[i], sum += disc.values[i] + back.values[i];
    CHECK(2 * both / sum == doctest::Approx(dice).epsilon(5e-5));
  }
}

LabelVolume numbered(std::int64_t nx, std::int64_t ny, std::int64_t nz) {
  LabelVolume v;
  v.header.nx = nx;
  v.header.ny = ny;
  v.header.nz = nz;
  v.header.spacing_mm = {1, 2, 3};
  for (std::int64_t i = 0; i < nx * ny * nz; ++i) v.voxels.push_back(static_cast<std::int32_t>(i));
  return v;
}

TEST_CASE("slices: axes, order, and back into the volume") {
  const LabelVolume v = numbered(2, 3, 4);
  const auto voxel = [](int x, int y, int z) { return x + 2 * (y + 3 * z); };
  CHECK(slice_extent(v.header, 0) == Extent{3, 4});
  CHECK(slice_extent(v.header, 1) == Extent{2, 4});
  CHECK(slice_extent(v.header, 2) == Extent{2, 3});
  CHECK(slice_spacing(v.header, 0) == std::array<double, 3>{1, 2, 3});
  CHECK(slice_spacing(v.header, 1) == std::array<double, 3>{2, 1, 3});
  CHECK(slice_spacing(v.header, 2) == std::array<double, 3>{3, 1, 2});
  CHECK(label_slice(v, 0, 1).at(2, 3) == voxel(1, 2, 3));
  CHECK(label_slice(v, 1, 1).at(1, 3) == voxel(1, 1, 3));
  CHECK(label_slice(v, 2, 3).at(1, 2) == voxel(1, 2, 3));
  for (int axis = 0; axis < 3; ++axis) {
    LabelVolume back = numbered(2, 3, 4);
    std::fill(back.voxels.begin(), back.voxels.end(), -1);
    for (std::int64_t i = 0; i < slice_count(v.header, axis); ++i) place_slice(back, axis, i, label_slice(v, axis, i));
    CHECK(back.voxels == v.voxels);
  }
  CHECK_THROWS_AS(label_slice(v, 0, 2), Error);
  CHECK_THROWS_AS(label_slice(v, 3, 0), Error);
  LabelVolume w = numbered(2, 3, 4);
  CHECK_THROWS_AS(place_slice(w, 0, 0, Mask(4, 3)), Error);

  Volume image;
  image.header = v.header;
  image.header.channels = 2;
  for (int i = 0; i < 48; ++i) image.voxels.push_back(static_cast<float>(i));
  const Picture p = image_slice(image, 0, 1);
  CHECK(p.c == 2);
  CHECK(p.at(2, 3, 0) == static_cast<float>(voxel(1, 2, 3)));
  CHECK(p.at(2, 3, 1) == static_cast<float>(voxel(1, 2, 3) + 24));
}

TEST_CASE("shrink and unshrink") {
  Picture p(3, 3, 1);
  p.pixels = {0, 2, 4, 6, 8, 10, 12, 14, 16};
  const Picture half = shrink(p, 2);
  CHECK(half.h == 2);
  CHECK(half.pixels == std::vector<float>{4, 7, 13, 16});  // boxes of 4, 2, 2 and 1 pixels
  Mask m(3, 3);
  m.values = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  CHECK(shrink(m, 2).values == std::vector<std::int32_t>{0, 2, 6, 8});
  CHECK(shrink(m, 3).values == std::vector<std::int32_t>{4});
  CHECK(unshrink(shrink(m, 2), 2, {3, 3}).values == std::vector<std::int32_t>{0, 0, 2, 0, 0, 2, 6, 6, 8});
  CHECK(shrink(p, 1).pixels == p.pixels);
}

TEST_CASE("padding goes around and is undone, for every small size") {
  for (std::int64_t h = 1; h <= 9; ++h)
    for (std::int64_t w = 1; w <= 9; ++w) {
      Preprocessing p;
      p.stride = 4;
      Mask m(h, w);
      Picture picture(h, w, 2);
      for (std::size_t i = 0; i < m.values.size(); ++i) {
        m.values[i] = static_cast<std::int32_t>(i + 1);
        picture.pixels[2 * i] = static_cast<float>(i + 5);
        picture.pixels[2 * i + 1] = -static_cast<float>(i);
      }
      const Extent to = padded_extent({h, w}, p);
      CHECK(to.h % 4 == 0);
      CHECK((to.h >= h && to.h < h + 4 && to.w >= w && to.w < w + 4));
      CHECK(crop(pad(m, to, 9), {h, w}).values == m.values);
      CHECK(restore(pad(m, to, 9), {h, w}, p).values == m.values);
      const Picture q = pad(picture, to);
      CHECK(q.at((to.h - h) / 2, (to.w - w) / 2, 0) == 5);
      if (to.h > h) CHECK(q.at(to.h - 1, 0, 0) == 5);                                         // the least of channel 0
      if (to.w > w) CHECK(q.at(0, to.w - 1, 1) == -static_cast<float>(m.values.size() - 1));  // and of channel 1
    }
  Preprocessing p;
  p.min_height = 64;
  p.min_width = 40;
  CHECK(padded_extent({20, 20}, p) == Extent{64, 64});
  CHECK(padded_extent({65, 33}, p) == Extent{96, 64});
  CHECK_THROWS_AS(restore(Mask(32, 32), {20, 20}, p), Error);
}

TEST_CASE("preprocessing as flat text") {
  Preprocessing p;
  p.channels = 3;
  p.normalisation = Normalisation::zscore;
  p.slice_axis = 1;
  p.shrink = 2;
  p.stride = 16;
  p.min_height = 64;
  p.label_map = {{{255, 1}, {7, 2}}, 99};
  CHECK(Preprocessing::from_fields(p.to_fields()) == p);
  CHECK(Preprocessing::from_fields(Preprocessing{}.to_fields()) == Preprocessing{});
  CHECK(Preprocessing{}.to_fields().size() == 9);  // what older checkpoints hold is enough
  Preprocessing q;
  q.clip = {-125, 275.5};
  q.percentiles = {1, 99};
  q.resize_height = 224, q.resize_width = 192, q.resize_order = 1;
  q.zoom_border = ZoomBorder::scipy;
  CHECK(Preprocessing::from_fields(q.to_fields()) == q);
  for (const auto& [key, value] : std::map<std::string, std::string>{{"clip", "5"},
                                                                     {"clip", "5,x"},
                                                                     {"clip", "7,5"},
                                                                     {"resize", "0,5"},
                                                                     {"resize", "2.5,5"},
                                                                     {"resize_order", "2"}}) {
    auto fields = q.to_fields();
    fields[key] = value;
    CHECK(message_of([&] { Preprocessing::from_fields(fields); }) != "");
  }
  const auto changed = [&](const char* key, const char* value) {
    auto fields = p.to_fields();
    fields[key] = value;
    return fields;
  };
  CHECK_THROWS_AS(Preprocessing::from_fields(changed("shrink", "0")), Error);
  CHECK_THROWS_AS(Preprocessing::from_fields(changed("shrink", "two")), Error);
  CHECK_THROWS_AS(Preprocessing::from_fields(changed("slice_axis", "3")), Error);
  CHECK_THROWS_AS(Preprocessing::from_fields(changed("normalisation", "max")), Error);
  CHECK(holds(message_of([&] { Preprocessing::from_fields(changed("colour", "red")); }), "colour"));
  p.shrink = 0;
  CHECK(holds(message_of([&] { check(p); }, ErrorKind::usage), "shrink: expected 1 to 1024, found 0"));
  p.shrink = 2;
  auto fields = p.to_fields();
  fields.erase("stride");
  CHECK(holds(message_of([&] { Preprocessing::from_fields(fields); }), "stride"));
}

TEST_CASE("prediction: a volume goes through the network's size and back with its geometry") {
  const TemporaryFolder folder;
  NiftiBytes n({5, 7, 3}, 2, 8);
  std::vector<std::uint8_t> voxels(105);
  for (std::size_t i = 0; i < voxels.size(); ++i) voxels[i] = static_cast<std::uint8_t>(i * 37 % 3);
  write_bytes(folder / "case_7.nii.gz", gzip(n.file(voxels)));
  for (int axis = 0; axis < 3; ++axis) {
    Preprocessing p;
    p.slice_axis = axis;
    p.stride = 8;
    p.normalisation = Normalisation::none;
    const PreparedCase c = load_input({folder / "case_7.nii.gz"}, p);
    CHECK(c.id == "case_7");
    CHECK(static_cast<std::int64_t>(c.images.size()) == slice_count(c.header, axis));
    std::vector<Mask> masks;  // a network that answers with the intensity
    for (std::size_t i = 0; i < c.images.size(); ++i) {
      const Picture in = network_input(c, i, p);
      CHECK(in.h % 8 == 0);
      Mask out(in.h, in.w);
      out.values.assign(in.pixels.begin(), in.pixels.end());
      masks.push_back(restore(out, c.full, p));
    }
    write_prediction(folder / "out.nii.gz", c, masks, p);
    CHECK(read_nifti_labels(folder / "out.nii.gz").voxels == std::vector<std::int32_t>(voxels.begin(), voxels.end()));
    masks.pop_back();
    CHECK_THROWS_AS(write_prediction(folder / "out2.nii.gz", c, masks, p), Error);
  }
  CHECK(holds(message_of([&] {
                Preprocessing p;
                p.channels = 2;
                load_input({folder / "case_7.nii.gz"}, p);
              }),
              "channels: "));
}

TEST_CASE("prediction: a picture of one pixel") {
  const TemporaryFolder folder;
  write_png(folder / "dot.png", {1, 1, 1, {9}});
  const Preprocessing p;
  const PreparedCase c = load_input({folder / "dot.png"}, p);
  CHECK(c.id == "dot");
  const Picture in = network_input(c, 0, p);
  CHECK(in.h == 32);
  CHECK(in.w == 32);
  Mask out(32, 32);
  out.at(15, 15) = 1;
  write_prediction(folder / "mask.png", c, {restore(out, c.full, p)}, p);
  CHECK(read_png_mask(folder / "mask.png").values == std::vector<std::int32_t>{1});
}

}  // namespace
}  // namespace gf
