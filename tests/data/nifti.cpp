#include "data/nifti.h"

#include <cmath>
#include <limits>

#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

template <class T>
void check_type(std::int16_t code, const std::vector<T>& values) {
  const TemporaryFolder folder;
  for (const bool big : {false, true}) {
    CAPTURE(code);
    CAPTURE(big);
    const NiftiBytes n({3, 2, 1}, code, static_cast<std::int16_t>(8 * sizeof(T)), big);
    write_bytes(folder / "v.nii", n.file(values));
    write_bytes(folder / "v.nii.gz", gzip(n.file(values)));
    for (const char* name : {"v.nii", "v.nii.gz"}) {
      const Volume v = read_nifti(folder / name);
      CHECK(v.header.nx == 3);
      CHECK(v.header.ny == 2);
      CHECK(v.header.nz == 1);
      for (std::size_t i = 0; i < values.size(); ++i) CHECK(v.voxels[i] == static_cast<float>(values[i]));
      if (std::abs(double(values[0])) < 1e9) {
        const LabelVolume l = read_nifti_labels(folder / name);
        for (std::size_t i = 0; i < values.size(); ++i) CHECK(l.voxels[i] == static_cast<std::int32_t>(values[i]));
      }
    }
  }
}

TEST_CASE("nifti: every scalar type in both byte orders, plain and compressed") {
  check_type<std::uint8_t>(2, {0, 1, 2, 3, 254, 255});
  check_type<std::int8_t>(256, {-128, -1, 0, 1, 2, 127});
  check_type<std::int16_t>(4, {-32768, -1, 0, 1, 258, 32767});
  check_type<std::uint16_t>(512, {0, 1, 258, 3, 40000, 65535});
  check_type<std::int32_t>(8, {-70000, 1, 2, 3, 16909060, 5});
  check_type<std::uint32_t>(768, {0, 1, 2, 70000, 16909060, 5});
  check_type<std::int64_t>(1024, {-70000, 1, 2, 3, 16909060, 5});
  check_type<std::uint64_t>(1280, {0, 1, 2, 70000, 16909060, 5});
  check_type<float>(16, {-3, 1, 2, 70000, 16909060, 5});
  check_type<double>(64, {-3, 1, 2, 70000, 16909060, 5});
  check_type<std::uint64_t>(1280, {std::uint64_t{1} << 63, 1, 2, 3, 4, 5});
  check_type<float>(16, {1.5e10f, 0.25f, -1e-30f, 3, 4, 5});
}

TEST_CASE("nifti: slope and intercept, where given") {
  const TemporaryFolder folder;
  const std::string path = folder / "s.nii";
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto value = [&](float slope, float inter) {
    NiftiBytes n({1, 1, 1}, 4, 16);
    write_bytes(path, n.put(112, slope).put(116, inter).file<std::int16_t>({-3}));
    return read_nifti(path).voxels.at(0);
  };
  CHECK(value(0.5f, 10) == 8.5f);
  CHECK(value(1, 10) == 7);
  CHECK(value(0, 10) == -3);     // the standard: slope 0 means not scaled
  CHECK(value(nan, nan) == -3);  // what some writers leave instead
  CHECK(holds(message_of([&] { value(INFINITY, 0); }), "scl_slope"));
  CHECK(holds(message_of([&] { value(2, nan); }), "scl_inter"));
  NiftiBytes n({2, 1, 1}, 2, 8);
  write_bytes(path, n.put(112, 2.0f).put(116, 1.0f).file<std::uint8_t>({0, 4}));
  CHECK(read_nifti_labels(path).voxels == std::vector<std::int32_t>{1, 9});
}

TEST_CASE("nifti: vox_offset, extensions before the voxels") {
  const TemporaryFolder folder;
  const std::string path = folder / "o.nii";
  NiftiBytes n({2, 1, 1}, 2, 8);
  write_bytes(path, n.put(108, 368.0f).file<std::uint8_t>({7, 8}, 20));
  CHECK(read_nifti(path).voxels == std::vector<float>{7, 8});
  write_bytes(path, n.put(108, 0.0f).file<std::uint8_t>({7, 8}));
  CHECK(read_nifti(path).voxels == std::vector<float>{7, 8});
  for (const float bad : {100.0f, 352.5f, -4.0f, std::numeric_limits<float>::infinity()}) {
    write_bytes(path, n.put(108, bad).file<std::uint8_t>({7, 8}));
    CHECK(holds(message_of([&] { read_nifti(path); }), "vox_offset"));
  }
}

TEST_CASE("nifti: four and five dimensions are channels, missing ones are 1") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.nii";
  write_bytes(path, NiftiBytes({2, 1, 1, 3}, 2, 8).file<std::uint8_t>({1, 2, 3, 4, 5, 6}));
  Volume v = read_nifti(path);
  CHECK(v.header.channels == 3);
  CHECK(v.voxels == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(holds(message_of([&] { read_nifti_labels(path); }), "3 channels"));
  write_bytes(path, NiftiBytes({2, 1, 1, 1, 2}, 2, 8).file<std::uint8_t>({1, 2, 3, 4}));
  CHECK(read_nifti(path).header.channels == 2);
  NiftiBytes two({2, 2}, 2, 8);
  two.put<std::int16_t>(46, 0);  // dim[3] beyond dim[0] means nothing
  write_bytes(path, two.file<std::uint8_t>({1, 2, 3, 4}));
  CHECK(read_nifti(path).header.nz == 1);
}

TEST_CASE("nifti: header and image in two files") {
  const TemporaryFolder folder;
  NiftiBytes n({2, 1, 1}, 2, 8);
  std::memcpy(&n.header[344], "ni1", 4);
  n.put(108, 0.0f);
  write_bytes(folder / "p.hdr", n.header);
  CHECK(holds(message_of([&] { read_nifti(folder / "p.hdr"); }), ".img"));
  write_bytes(folder / "p.img", {5, 6});
  CHECK(read_nifti(folder / "p.hdr").voxels == std::vector<float>{5, 6});
  CHECK(read_nifti(folder / "p.img").voxels == std::vector<float>{5, 6});
  write_bytes(folder / "q.img", {5, 6});
  CHECK(holds(message_of([&] { read_nifti(folder / "q.img"); }), ".hdr"));
}

TEST_CASE("nifti: geometry") {
  const TemporaryFolder folder;
  const std::string path = folder / "g.nii";
  NiftiBytes n({2, 2, 2}, 2, 8);
  n.put(80, 2.0f).put(84, 3.0f).put(88, 4.0f);
  n.put<std::int16_t>(254, 1);
  const float rows[12] = {-2, 0, 0, 10, 0, 3, 0, 20, 0, 0, 4, 30};
  for (int i = 0; i < 12; ++i) n.put(280 + 4 * i, rows[i]);
  const std::vector<std::uint8_t> voxels(8);
  write_bytes(path, n.file(voxels));
  NiftiHeader h = read_nifti_header(path);
  CHECK(h.spacing_mm == std::array<double, 3>{2, 3, 4});
  CHECK(h.sform_code == 1);
  CHECK(h.affine[0] == std::array<double, 4>{-2, 0, 0, 10});
  CHECK(h.affine[2] == std::array<double, 4>{0, 0, 4, 30});
  n.header[123] = 1;  // metres
  write_bytes(path, n.file(voxels));
  CHECK(read_nifti_header(path).spacing_mm[0] == 2000);
  n.header[123] = 3;  // micrometres
  write_bytes(path, n.file(voxels));
  CHECK(read_nifti_header(path).spacing_mm[2] == doctest::Approx(0.004));
}

TEST_CASE("nifti: broken headers are refused with the field and the file") {
  const TemporaryFolder folder;
  const std::string path = folder / "h.nii";
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::uint8_t> voxels(8);
  const auto message = [&](const NiftiBytes& n) {
    write_bytes(path, n.file(voxels));
    const std::string e = message_of([&] { read_nifti(path); });
    CHECK(holds(e, path));
    return e;
  };
  const NiftiBytes good({2, 2, 2}, 2, 8);
  CHECK(holds(message(NiftiBytes(good).put<std::int32_t>(0, 540)), "NIfTI-2"));
  CHECK(holds(message(NiftiBytes(good).put<std::int32_t>(0, 17)), "found 17"));
  CHECK(holds(message(NiftiBytes(good).put<std::int32_t>(344, 0)), "ANALYZE"));
  CHECK(holds(message(NiftiBytes(good).put<std::int16_t>(40, 8)), "dimensions"));
  CHECK(holds(message(NiftiBytes(good).put<std::int16_t>(40, 0)), "dimensions"));
  CHECK(holds(message(NiftiBytes(good).put<std::int16_t>(44, -2)), "dim[2]"));
  CHECK(holds(message(NiftiBytes(good).put<std::int16_t>(46, 0)), "dim[3]"));
  CHECK(holds(message(NiftiBytes(good).put<std::int16_t>(70, 128)), "RGB24"));
  CHECK(holds(message(NiftiBytes(good).put<std::int16_t>(70, 999)), "999"));
  CHECK(holds(message(NiftiBytes(good).put<std::int16_t>(72, 16)), "bitpix"));
  CHECK(holds(message(NiftiBytes(good).put(80, nan)), "pixdim"));
  CHECK(holds(message(NiftiBytes(good).put(84, 0.0f)), "pixdim[2]"));
  CHECK(holds(message(NiftiBytes(good).put<std::int16_t>(254, 1).put(284, nan)), "sform"));
  CHECK(holds(message(NiftiBytes(good).put<std::int16_t>(252, 1).put(256, nan)), "qform"));
  CHECK(holds(message(NiftiBytes({30000, 30000, 30000}, 2, 8)), "truncated"));
  CHECK(holds(message(NiftiBytes({32767, 32767, 32767, 32767, 32767, 32767, 32767}, 2, 8)), "truncated"));
}

TEST_CASE("nifti: a file cut anywhere is an error, never zeros") {
  const TemporaryFolder folder;
  NiftiBytes n({20, 10, 5}, 4, 16);
  std::vector<std::int16_t> voxels(1000);
  for (std::size_t i = 0; i < voxels.size(); ++i) voxels[i] = static_cast<std::int16_t>(i * 37);
  for (const bool compressed : {false, true}) {
    const Bytes whole = compressed ? gzip(n.file(voxels)) : n.file(voxels);
    const std::string path = folder / (compressed ? "t.nii.gz" : "t.nii");
    for (std::size_t size = 0; size<whole.size(); size += size + 20> whole.size() ? 1 : 61) {
      CAPTURE(size);
      write_bytes(path, Bytes(whole.begin(), whole.begin() + size));
      CHECK(holds(message_of([&] { read_nifti(path); }), "truncated"));
    }
    write_bytes(path, whole);
    CHECK(read_nifti(path).voxels[999] == static_cast<float>(static_cast<std::int16_t>(999 * 37)));
  }
}

TEST_CASE("nifti: NaN voxels are counted and placed, or replaced on request") {
  const TemporaryFolder folder;
  const std::string path = folder / "nan.nii";
  const float nan = std::numeric_limits<float>::quiet_NaN();
  write_bytes(path, NiftiBytes({2, 3, 2}, 16, 32).file<float>({0, 1, 2, 3, 4, 5, 6, 7, 8, nan, INFINITY, 11}));
  const std::string e = message_of([&] { read_nifti(path); });
  CHECK(holds(e, "2 others"));
  CHECK(holds(e, "(1, 1, 1)"));
  CHECK(holds(e, "nan"));
  CHECK(read_nifti(path, NonFinite::zero).voxels == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 11});
  CHECK(holds(message_of([&] { read_nifti_labels(path); }), "2 others"));
  CHECK(read_nifti_labels(path, NonFinite::zero).voxels[8] == 8);
  write_bytes(path, NiftiBytes({2, 1, 1}, 64, 64).file<double>({1e300, 2}));  // infinite as float32
  CHECK(holds(message_of([&] { read_nifti(path); }), "1 others"));
}

TEST_CASE("nifti: labels must be integers") {
  const TemporaryFolder folder;
  const std::string path = folder / "l.nii";
  write_bytes(path, NiftiBytes({3, 1, 1}, 16, 32).file<float>({1, 0.5f, 2}));
  CHECK(holds(message_of([&] { read_nifti_labels(path); }), "0.5 at voxel (1, 0, 0)"));
  write_bytes(path, NiftiBytes({1, 1, 1}, 64, 64).file<double>({3e9}));
  CHECK(holds(message_of([&] { read_nifti_labels(path); }), "3000000000"));
}

TEST_CASE("nifti: a mask keeps the input's geometry, whatever its type and byte order") {
  const TemporaryFolder folder;
  const std::string input = folder / "in.nii";
  NiftiBytes n({2, 2, 2, 3}, 16, 32, true);
  n.put(80, 0.7f).put(84, 0.8f).put(88, 3.5f).put(112, 2.0f).put(116, 5.0f);
  n.put<std::int16_t>(252, 2).put<std::int16_t>(254, 4);
  for (int i = 0; i < 18; ++i) n.put(256 + 4 * i, 0.1f * static_cast<float>(i));
  write_bytes(input, n.file(std::vector<float>(24, 1.0f)));
  const NiftiHeader h = read_nifti_header(input);
  const auto check_mask = [&](const std::string& path, std::vector<std::int32_t> labels, const char* type) {
    write_nifti_mask(path, h, labels);
    const LabelVolume back = read_nifti_labels(path);
    CHECK(back.voxels == labels);
    CHECK(back.header.datatype == type);
    CHECK(back.header.channels == 1);
    CHECK(back.header.affine == h.affine);
    CHECK(back.header.spacing_mm == h.spacing_mm);
    CHECK(back.header.sform_code == 4);
    CHECK(back.header.qform_code == 2);
    CHECK(std::equal(h.raw.begin() + 252, h.raw.begin() + 328,
                     back.header.raw.begin() + 252));  // qform and sform, bit by bit
    CHECK(std::equal(h.raw.begin() + 76, h.raw.begin() + 92, back.header.raw.begin() + 76));  // qfac and pixdim
    CHECK(h.raw[123] == back.header.raw[123]);
  };
  check_mask(folder / "m.nii.gz", {0, 1, 2, 255, 4, 5, 6, 7}, "UINT8");
  check_mask(folder / "m.nii", {0, 1, 2, 256, 4, 5, 6, 7}, "UINT16");
  check_mask(folder / "m.nii", {0, 1, 2, 65536, 4, 5, 6, 7}, "INT32");
  CHECK(folder.files() == 3);
  const std::vector<std::int32_t> short_one(7), negative = {0, -1, 0, 0, 0, 0, 0, 0}, fine(8);
  CHECK_THROWS_AS(write_nifti_mask(folder / "x.nii", h, short_one), Error);
  CHECK_THROWS_AS(write_nifti_mask(folder / "x.nii", h, negative), Error);
  CHECK_THROWS_AS(write_nifti_mask(folder / "x.png", h, fine), Error);
  CHECK_THROWS_AS(write_nifti_mask(folder / "none/x.nii", h, fine), Error);
  CHECK(folder.files() == 3);
}

TEST_CASE("nifti: grids that differ are refused with both values") {
  const TemporaryFolder folder;
  const auto header = [&](const NiftiBytes& n, std::size_t voxels) {
    write_bytes(folder / "g.nii", n.file(std::vector<std::uint8_t>(voxels)));
    return read_nifti_header(folder / "g.nii");
  };
  NiftiBytes base({4, 4, 4}, 2, 8);
  base.put<std::int16_t>(254, 1);
  for (int i = 0; i < 3; ++i) base.put(280 + 20 * i, 1.0f);
  const NiftiHeader a = header(base, 64);
  require_same_grid("a", a, "b", a);
  require_same_grid("a", a, "b", header(NiftiBytes(base).put(292, 0.3f), 64));   // a third of a voxel
  require_same_grid("a", a, "b", header(NiftiBytes(base).put(80, 1.005f), 64));  // half a percent
  std::string e = message_of([&] { require_same_grid("a", a, "b", header(NiftiBytes({4, 4, 5}, 2, 8), 80)); });
  CHECK(holds(e, "4x4x4 voxels"));
  CHECK(holds(e, "4x4x5 voxels"));
  e = message_of([&] { require_same_grid("a", a, "b", header(NiftiBytes(base).put(80, 1.1f), 64)); });
  CHECK(holds(e, "1.1x1x1 mm"));
  e = message_of([&] { require_same_grid("a", a, "b", header(NiftiBytes(base).put(292, 3.0f), 64)); });
  CHECK(holds(e, "(3.000, 0.000, 0.000) mm"));
  require_same_grid("a", a, "b", header(NiftiBytes({4, 4, 4}, 2, 8), 64));  // a label without orientation: sizes only
}

TEST_CASE("nifti: file names") {
  CHECK(nifti_stem("/a/b.c/case_1.nii.gz") == "case_1");
  CHECK(nifti_stem("case.nii") == "case");
  CHECK(is_nifti_name("x.nii.gz"));
  CHECK(!is_nifti_name("x.png"));
}

}  // namespace
}  // namespace gf
