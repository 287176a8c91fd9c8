// Where graphflow predict writes: never over its inputs, never a mask under the name of something else, and what is
// there already counts only where it is whole.
#include <doctest/doctest.h>

#include <filesystem>

#include "data/nifti.h"
#include "data/png.h"
#include "engine/io/npz_writer.h"
#include "tests/apps/disc_model.h"
#include "tests/apps/fixtures.h"

using namespace gf;
using namespace gf::test;
namespace fs = std::filesystem;

namespace {

void write_slice(const std::string& path, std::int64_t h = 32, std::int64_t w = 48) {
  std::vector<float> values(static_cast<std::size_t>(h * w));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>((i * i) % 251);
  write_npz(path, {{"image", "<f4", {h, w}, std::as_bytes(std::span(values))}});
}

void write_volume(const std::string& path, float step = 1) {
  std::vector<float> voxels(16 * 20 * 3);
  for (std::size_t i = 0; i < voxels.size(); ++i) voxels[i] = step * static_cast<float>(i % 97);
  write_nifti_image(path, plain_nifti_header(16, 20, 3), voxels);
}

void refuse(const std::string& arguments, const std::string& said) {
  const Outcome o = run(model().predict(arguments));
  INFO(arguments << "\n" << o.text);
  CHECK(o.code == 2);
  CHECK(contains(o.text, said));
}

}  // namespace

TEST_CASE("predict: inputs are never replaced") {
  const TemporaryFolder t;
  const std::string scan = t / "scans/a.png";
  fs::create_directories(t / "scans");
  fs::copy_file(first_image(), scan);
  const std::string before = read_text(scan);
  const std::string said = "the output would replace an input: " + scan;
  refuse("-i " + (t / "scans") + " -o " + (t / "scans"), said);
  refuse("-i " + (t / "scans") + " -o " + (t / "scans") + " --continue", said);
  refuse("-i " + scan + " -o " + scan, said);
  fs::create_directory_symlink(t / "scans", t / "linked");
  refuse("-i " + (t / "scans") + " -o " + (t / "linked"), said);
  fs::create_hard_link(scan, t / "same.png");
  refuse("-i " + scan + " -o " + (t / "same.png"), said);
  fs::create_directories(t / "links");
  fs::create_symlink(scan, t / "links/a.png");
  refuse("-i " + scan + " -o " + (t / "links"), said);
  CHECK(read_text(scan) == before);

  write_volume(t / "v.nii.gz");
  refuse("-i " + (t / "v.nii.gz") + " -o " + (t / "v.nii.gz"), "the output would replace an input");
  fs::create_directories(t / "slices");
  write_slice(t / "slices/s.npz");
  const std::string slices = "-i " + (t / "slices") + " -o " + (t / "slices");
  refuse(slices + " --save-probabilities", "the output would replace an input: " + (t / "slices/s.npz"));
  Outcome o = run(model().predict(slices));  // its mask has another name
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(fs::exists(t / "slices/s.nii.gz"));
  // A preview is an output too.
  fs::copy_file(scan, t / "scans/b_preview.png");
  fs::copy_file(scan, t / "scans/b.jpg");  // read by its content
  fs::remove(scan);
  refuse("-i " + (t / "scans/b.jpg") + " -i " + (t / "scans/b_preview.png") + " -o " + (t / "new") + " --preview",
         "two inputs have one mask");
}

TEST_CASE("predict: masks of another kind than their name are refused at once") {
  const TemporaryFolder t;
  const std::string picture = "-i " + first_image() + " -o ", volume = "-i " + (t / "v.nii.gz") + " -o ";
  write_volume(t / "v.nii.gz");
  refuse(picture + (t / "x.nii.gz"), "expected a name ending in .png, found .gz for");
  refuse(volume + (t / "x.png"), "expected a name ending in .nii or .nii.gz, found .png for");
  for (const char* name : {"x.jpg", "x.TIFF", "x.npz", "x.img", "x.NII.GZ"})
    refuse(picture + (t / name), "masks of this kind are not written: " + (t / name));
  refuse("-i " + model().images + " -o " + (t / "x.png"), "one mask file for several inputs");
  write_text(t / "taken", "");
  refuse(picture + (t / "taken"), "the output folder is a file");
  CHECK(fs::file_size(t / "taken") == 0);
  for (const auto& e : fs::directory_iterator(t.path())) {
    INFO(e.path());
    CHECK((e.path().filename() == "v.nii.gz" || e.path().filename() == "taken"));
  }
  fs::create_directories(t / "masks.png");  // a folder, whatever its name
  Outcome o = run(model().predict(picture + (t / "masks.png")));
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(fs::exists(fs::path(t / "masks.png") / fs::path(first_image()).filename()));
  o = run(model().predict(picture + (t / "X.PNG")));
  CHECK_MESSAGE(o.code == 0, o.text);
  // A picture whose name says nothing has a picture's mask.
  fs::copy_file(first_image(), t / "picture.dat");
  o = run(model().predict("-i " + (t / "picture.dat") + " -o " + (t / "out")));
  CHECK_MESSAGE(o.code == 0, o.text);
  CHECK(fs::exists(t / "out/picture.png"));
}

TEST_CASE("predict: --continue makes masks again that are empty, cut off, of another size or another thing") {
  const TemporaryFolder t;
  fs::create_directories(t / "in");
  fs::copy_file(first_image(), t / "in/a.png");
  write_volume(t / "in/v.nii.gz");
  write_slice(t / "in/s.npz");
  const std::string command = model().predict("-i " + (t / "in") + " -o " + (t / "out") + " --continue");
  const auto counts = [&](const std::string& said) {
    const Outcome o = run(command);
    INFO(o.text);
    CHECK(o.code == 0);
    CHECK(contains(o.text, said + ", 0 failed"));
  };
  counts("3 written, 0 kept");
  counts("0 written, 3 kept");
  const std::string a = t / "out/a.png", v = t / "out/v.nii.gz", s = t / "out/s.nii.gz", whole = read_text(a),
                    whole_volume = read_text(v);
  for (const std::string& file : {a, v, s}) write_text(file, "");
  counts("3 written, 0 kept");
  CHECK(read_text(a) == whole);
  write_text(a, whole.substr(0, whole.size() - 20));
  counts("1 written, 2 kept");
  write_text(v, whole_volume.substr(0, whole_volume.size() - 8));
  counts("1 written, 2 kept");
  write_png_mask(a, Mask(40, 41));
  counts("1 written, 2 kept");
  write_nifti_mask(v, plain_nifti_header(16, 20, 4), std::vector<std::int32_t>(16 * 20 * 4));
  counts("1 written, 2 kept");
  write_nifti_mask(s, plain_nifti_header(48, 32, 1), std::vector<std::int32_t>(48 * 32));
  counts("1 written, 2 kept");
  fs::copy_file(first_image(), a, fs::copy_options::overwrite_existing);  // a picture, of values that are no classes
  counts("1 written, 2 kept");
  CHECK(read_text(a) == whole);
  counts("0 written, 3 kept");
}
