// verify on slices of NIfTI volumes: the same one in two of them is found, blank ones are not.
#include "kernels/philox.h"
#include "tests/data/verify_found.h"

namespace gf {
namespace {

using namespace fixtures;

constexpr int kSide = 12, kSlices = 8, kPixels = kSide * kSide, kVoxels = kSlices * kPixels;

// Six volumes of noise: the first four train, the others test.
struct Volumes {
  TemporaryFolder folder;
  DatasetSource source{"nifti_cases", folder.path(), {"background", "organ"}};
  std::vector<std::vector<float>> images;

  explicit Volumes(int channels = 1) {
    for (int k = 0; k < 6; ++k) {
      std::vector<float> v(static_cast<std::size_t>(channels * kVoxels));
      for (std::size_t i = 0; i < v.size(); ++i) v[i] = uniform01(philox(3, static_cast<std::uint32_t>(k), i).v[0]);
      images.push_back(std::move(v));
    }
  }
  std::string image_path(int k) const { return folder / ("imagesTr/c" + std::to_string(k) + ".nii.gz"); }
  // Axial slices lie one after the other.
  float* slice(int k, int z, int channel = 0) { return &images[k][(channel * kSlices + z) * kPixels]; }
  void copy(int from, int z, int to, int at) { std::copy_n(slice(from, z), kPixels, slice(to, at)); }

  Found found(const Preprocessing& p = {}) const {
    std::vector<std::uint8_t> label(kVoxels);
    std::fill_n(label.begin() + kPixels, 40, std::uint8_t{1});
    for (int k = 0; k < 6; ++k) {
      const auto channels = static_cast<std::int16_t>(images[k].size() / kVoxels);
      write_bytes(image_path(k), gzip(NiftiBytes({kSide, kSide, kSlices, channels}, 16, 32).file(images[k])));
      write_bytes(folder / ("labelsTr/c" + std::to_string(k) + ".nii.gz"),
                  gzip(NiftiBytes({kSide, kSide, kSlices}, 2, 8).file(label)));
    }
    return examine(source, p);
  }
};

TEST_CASE("verify: a slice that lies in two volumes, of one part or of two, at other places") {
  Volumes d;
  CHECK(d.found().marks() == Marks{});
  d.copy(0, 1, 4, 2);
  d.copy(0, 3, 4, 0);
  d.copy(1, 0, 2, 0);
  const Found f = d.found();
  CHECK(f.marks() == Marks{"error duplicate_image c4", "warning duplicate_image c2"});
  CHECK(holds(f.text(), d.image_path(0) + ", slice 3 (train) and " + d.image_path(4) +
                            ", slice 0 (test): the same slice (and 1 more); remove one"));
  CHECK(holds(f.text(), d.image_path(1) + ", slice 0 (train) and " + d.image_path(2) + ", slice 0 (train): the same"));
  CHECK(f.facts[0].slices.size() == kSlices);
  // Of one of other voxels in one place none is left.
  *d.slice(4, 0) += 1;
  *(d.slice(4, 2) + kPixels - 1) += 1;
  CHECK(d.found().marks() == Marks{"warning duplicate_image c2"});
}

TEST_CASE("verify: slices are those that the network sees, along data.slice_axis") {
  Volumes d;
  for (int z = 0; z < kSlices; ++z)  // x = 5 of one is x = 7 of the other
    for (int y = 0; y < kSide; ++y) d.slice(5, z)[y * kSide + 7] = d.slice(0, z)[y * kSide + 5];
  CHECK(d.found().marks() == Marks{});
  Preprocessing sagittal;
  sagittal.slice_axis = 0;
  const Found f = d.found(sagittal);
  CHECK(f.marks() == Marks{"error duplicate_image c5"});
  CHECK(holds(f.text(), "c0.nii.gz, slice 5 (train) and "));
  CHECK(holds(f.text(), "c5.nii.gz, slice 7 (test)"));
  CHECK(f.facts[0].slices.size() == kSide);
}

TEST_CASE("verify: slices of background alone are alike in every volume and mean nothing") {
  Volumes d;
  for (int k = 0; k < 6; ++k) {
    std::fill_n(d.slice(k, 0), kPixels, 0.0f);
    std::fill_n(d.slice(k, 3), kPixels, -1024.0f);
    std::fill_n(d.slice(k, 3), kSide, -2000.0f);  // outside the field of view
  }
  const Found f = d.found();
  CHECK(f.marks() == Marks{});
  CHECK(f.facts[2].slices[0] == 0);
  CHECK(f.facts[2].slices[1] != 0);
  CHECK(f.facts[2].slices[3] == 0);
}

TEST_CASE("verify: slices of several channels are the same where all channels are") {
  Volumes d(2);
  Preprocessing p;
  p.channels = 2;
  for (int k = 0; k < 6; ++k) {  // each channel is blank, at a level of its own
    std::fill_n(d.slice(k, 0, 0), kPixels, 0.0f);
    std::fill_n(d.slice(k, 0, 1), kPixels, 5.0f);
    std::fill_n(d.slice(k, 0, 1), kSide, 2.0f);
  }
  d.copy(0, 1, 4, 1);
  CHECK(d.found(p).marks() == Marks{});
  std::copy_n(d.slice(0, 1, 1), kPixels, d.slice(4, 1, 1));
  CHECK(d.found(p).marks() == Marks{"error duplicate_image c4"});
}

}  // namespace
}  // namespace gf
