// Images that hold next to nothing for their size are refused before they are unpacked, masks of the kind are not.
#include <doctest/doctest.h>

#include "data/array_files.h"
#include "data/hdf5.h"
#include "data/image.h"
#include "data/image_limits.h"
#include "data/nifti.h"
#include "data/png.h"
#include "engine/io/npz_writer.h"
#include "tests/data/fixtures.h"
#include "tests/harness/temporary_folder.h"

using namespace gf;
using namespace gf::fixtures;

namespace {

constexpr std::int64_t kSide = 8200;  // just above what is let through: 64 MiB of bytes
constexpr const char* kSaid = "image holds next to nothing for its size: ";

}  // namespace

TEST_CASE("image limits: 200 to 1, of more than 64 MiB") {
  CHECK_NOTHROW(require_image_content(1 << 26, 1, "a"));
  CHECK_NOTHROW(require_image_content(2e8, 1'000'000, "a"));
  CHECK_THROWS_AS(require_image_content(2.1e8, 1'000'000, "a"), Error);
}

TEST_CASE("image limits: zeros as a picture, a slice, a stack and a volume") {
  const TemporaryFolder t;
  const std::vector<std::uint8_t> zeros(static_cast<std::size_t>(kSide * kSide));
  const auto refused = [&](const std::string& file, const auto& read) {
    const std::string text = message_of([&] { read(t / file); });
    CHECK_MESSAGE(holds(text, kSaid + (t / file)), text);
  };
  write_png(t / "a.png", {kSide, kSide, 1, zeros});
  refused("a.png", [](const std::string& file) { read_image(file); });
  CHECK(read_mask(t / "a.png").h == kSide);

  write_npz(t / "a.npz", {{"image", "|u1", {kSide, kSide}, std::as_bytes(std::span(zeros))}});
  refused("a.npz", [](const std::string& file) { read_image_stack({file}, 0, -1); });
  write_hdf5(t / "a.h5", {{"image", {1, kSide, kSide}, {}, zeros}});
  refused("a.h5", [](const std::string& file) { read_image_stack({file}, 0, -1); });

  const std::vector<std::int32_t> labels(static_cast<std::size_t>(kSide * kSide));
  write_nifti_mask(t / "a.nii.gz", plain_nifti_header(kSide, kSide, 1), labels);
  refused("a.nii.gz", [](const std::string& file) { read_nifti(file); });
  CHECK(read_nifti_labels(t / "a.nii.gz").header.nx == kSide);
}
