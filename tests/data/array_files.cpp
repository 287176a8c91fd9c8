// Slices and stacks as TransUNet ships them: files by h5py and numpy (tests/golden/make_layouts.py) and our own.
#include "data/array_files.h"

#include "data/case.h"
#include "data/hdf5.h"
#include "engine/io/npz.h"
#include "engine/io/npz_writer.h"
#include "tests/data/fixtures.h"
#include "tests/harness/golden_folder.h"

namespace gf {
namespace {

using namespace fixtures;

std::string golden(const std::string& name) { return test::golden_folder() + "layout_" + name; }

std::vector<std::int32_t> integers(const std::vector<float>& v) { return {v.begin(), v.end()}; }

TEST_CASE("hdf5: h5py's volume, whole and in part") {
  const NpzFile expected(golden("synapse.npz"));
  const std::vector<float> image = expected.floats("image"), label = expected.floats("label");
  const StackShape shape = read_stack_shape(golden("stack.h5"));
  CHECK(shape.slices == 4);
  CHECK((shape.extent == Extent{6, 5}));
  CHECK(shape.has_label);
  CHECK(!shape.has_geometry);
  const ImageStack all = read_image_stack({golden("stack.h5")}, 0, -1);
  CHECK(all.pixels == image);
  CHECK(all.header.nx == 6);
  CHECK(all.header.ny == 5);
  CHECK(all.header.nz == 4);
  CHECK(!all.header.has_orientation());
  const ImageStack middle = read_image_stack({golden("stack.h5")}, 1, 2);
  CHECK(middle.pixels == std::vector<float>(image.begin() + 30, image.begin() + 90));
  const std::vector<Mask> labels = read_label_stack({golden("stack.h5")}, 2, 3);
  REQUIRE(labels.size() == 2);
  CHECK(labels[1].values == integers({label.begin() + 90, label.end()}));
}

TEST_CASE("npz: numpy's slices, labels of any type") {
  const NpzFile expected(golden("synapse.npz"));
  const std::vector<float> image = expected.floats("image"), label = expected.floats("label");
  for (const char* name : {"slice.npz", "slice_ints.npz"}) {
    const ImageStack s = read_image_stack({golden(name)}, 0, -1);
    CHECK(s.pixels == std::vector<float>(image.begin() + 30, image.begin() + 60));
    CHECK(s.header.nz == 1);
    CHECK(read_label_stack({golden(name)}, 0, 0)[0].values == integers({label.begin() + 30, label.begin() + 60}));
  }
}

TEST_CASE("hdf5 and npz: what cannot be read is one line with the file") {
  const TemporaryFolder folder;
  const auto stack = [](const std::string& path) { return message_of([&] { read_image_stack({path}, 0, -1); }); };
  std::string e = stack(golden("other_keys.h5"));
  CHECK(holds(e, "a dataset \"image\""));
  CHECK(holds(e, "raw, words"));
  CHECK(holds(stack(golden("linked.h5")), "a dataset \"image\""));  // a link out of the file is none
  CHECK(holds(stack(golden("huge.h5")), "larger than its file can hold"));
  CHECK(holds(stack(folder / "none.h5"), "No such file"));
  std::filesystem::create_directory(folder / "folder.h5");
  CHECK(holds(stack(folder / "folder.h5"), "a directory"));
  write_text(folder / "text.h5", "hello");
  CHECK(holds(stack(folder / "text.h5"), "not an HDF5 file"));
  const Bytes whole = read_bytes(golden("stack.h5"));
  for (std::size_t n = 0; n < whole.size(); n += 97) {
    write_bytes(folder / "cut.h5", Bytes(whole.begin(), whole.begin() + static_cast<long>(n)));
    CHECK(holds(stack(folder / "cut.h5"), "cut.h5"));
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values = {1, nan, 3, 4};
  write_hdf5(folder / "nan.h5", {{"image", {1, 2, 2}, values}, {"label", {1, 2, 2}, values}});
  CHECK(holds(stack(folder / "nan.h5"), "NaN"));
  write_hdf5(folder / "flat.h5", {{"image", {4}, values}});
  CHECK(holds(stack(folder / "flat.h5"), "found (4)"));
  CHECK(holds(message_of([&] { read_label_stack({folder / "nan.h5"}, 0, 0); }), "no labels"));
  CHECK(holds(message_of([&] { read_label_stack({golden("other_keys.h5")}, 0, 0); }), "\"label\""));

  CHECK(holds(stack(golden("bomb.npz")), "impossible size"));
  CHECK(holds(stack(test::golden_folder() + "npz_stored.npz"), "an array \"image\""));
  write_text(folder / "text.npz", "hello");
  CHECK(holds(stack(folder / "text.npz"), "text.npz"));
}

TEST_CASE("a label larger than its image is read where its file could hold it, and refused where it is packed zeros") {
  const TemporaryFolder folder;
  const std::vector<float> image = {1, 2, 3, 4}, label = {0, 1, 2, 3, 4, 5};
  const std::vector<std::uint8_t> zeros((1 << 26) + 8192);
  const std::vector<std::int64_t> side = {1, 8193, 8192};
  const auto bytes = [](const auto& v) { return std::as_bytes(std::span(v)); };
  const std::string stack = folder / "a.h5", slice = folder / "a.npz";
  write_hdf5(stack, {{"image", {1, 2, 2}, image}, {"label", {3, 2}, label}});
  write_npz(slice, {{"image", "<f4", {2, 2}, bytes(image)}, {"label", "<f4", {6}, bytes(label)}});
  for (const std::string& path : {stack, slice}) {
    CHECK(read_label_values(path) == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5});
    CHECK(holds(message_of([&] { require_fitting_label(path); }), "image and label differ in shape: " + path));
  }
  write_hdf5(stack, {{"image", {1, 2, 2}, image}, {"label", side, {}, zeros}});
  write_npz(slice, {{"image", "<f4", {2, 2}, bytes(image)}, {"label", "|u1", side, bytes(zeros)}});
  for (const std::string& path : {stack, slice})
    CHECK(holds(message_of([&] { read_label_values(path); }), "next to nothing for its size: " + path + ", label"));
  write_hdf5(stack, {{"image", {1, 2, 2}, image}});
  CHECK(holds(message_of([&] { read_label_values(stack); }), "\"label\""));
}

TEST_CASE("written arrays read back, and the same values give the same bytes") {
  const TemporaryFolder folder;
  std::vector<float> image(3 * 4 * 5);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i) / 7;
  const std::vector<std::uint8_t> bytes = {1, 2, 255};
  for (const char* name : {"a b.h5", "c\xff.h5"})
    write_hdf5(folder / name, {{"image", {3, 4, 5}, image}, {"bytes", {3}, {}, bytes}});
  CHECK(read_bytes(folder / "a b.h5") == read_bytes(folder / "c\xff.h5"));
  const Hdf5File file(folder / "a b.h5");
  CHECK(file.shape("image") == std::vector<std::int64_t>{3, 4, 5});
  CHECK(file.floats("image", 0, 3) == image);
  CHECK(file.floats("bytes", 0, 3) == std::vector<float>{1, 2, 255});
  CHECK(!file.has("label"));
  CHECK_THROWS_AS(file.floats("image", 2, 2), Error);

  for (const char* name : {"a b.npz", "c\xff.npz"})
    write_npz(folder / name, {{"image", "<f4", {12, 5}, std::as_bytes(std::span<const float>(image))},
                              {"bytes", "|u1", {3}, std::as_bytes(std::span<const std::uint8_t>(bytes))}});
  CHECK(read_bytes(folder / "a b.npz") == read_bytes(folder / "c\xff.npz"));
  const NpzFile npz(folder / "a b.npz");
  CHECK(npz.floats("image") == image);
  CHECK(npz.numbers("bytes") == std::vector<double>{1, 2, 255});
  CHECK(npz.tensors()[0].shape == std::vector<std::int64_t>{12, 5});
  CHECK(folder.files() == 4);
  CHECK_THROWS_AS(write_hdf5(folder / "none/x.h5", {{"image", {3}, {}, bytes}}), Error);
}

TEST_CASE("names of cases") {
  CHECK(input_stem("/a/case0001.npy.h5") == "case0001");
  CHECK(input_stem("case0005_slice000.npz") == "case0005_slice000");
  CHECK(input_stem("b/head.nii.gz") == "head");
  CHECK(input_stem("b/benign (1).png") == "benign (1)");
  CHECK(is_input_name("x.h5"));
  CHECK(is_input_name("x.tiff"));
  CHECK(!is_input_name("x.json"));
}

}  // namespace
}  // namespace gf
