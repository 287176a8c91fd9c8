// Volumes written by nibabel (tests/golden/make_nifti.py): an independent reading of the standard.
#include <cmath>

#include "data/csv.h"
#include "data/nifti.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

TEST_CASE("nifti: nibabel's files read as nibabel reads them") {
  const std::string folder = std::string(GF_SOURCE_DIR) + "/tests/golden/";
  const CsvTable expected = CsvTable::read(folder + "nifti_expected.csv");
  CHECK(expected.rows() == 4);
  for (std::size_t row = 0; row < expected.rows(); ++row) {
    const std::string name = expected.at(row, 0);
    CAPTURE(name);
    const Volume v = read_nifti(folder + name);
    const NiftiHeader& h = v.header;
    const auto number = [&](const std::string& column) { return std::stod(expected.at(row, expected.column(column))); };
    for (int r = 0; r < 3; ++r) {
      for (int c = 0; c < 4; ++c)
        CHECK(std::fabs(h.affine[r][c] - number("a" + std::to_string(r) + std::to_string(c))) < 2e-5);
      CHECK(std::fabs(h.spacing_mm[r] - number(std::string("s") + "xyz"[r])) < 1e-5);
    }
    CHECK(h.sform_code == number("sform"));
    CHECK(h.qform_code == number("qform"));
    const bool scaled = name == "nifti_sform_scaled_i16.nii.gz";
    std::size_t i = 0;
    for (std::int64_t t = 0; t < h.channels; ++t)
      for (std::int64_t z = 0; z < h.nz; ++z)
        for (std::int64_t y = 0; y < h.ny; ++y)
          for (std::int64_t x = 0; x < h.nx; ++x, ++i) {
            const float stored = static_cast<float>(x + 10 * y + 100 * z + 1000 * t);
            CHECK(v.voxels[i] == (scaled ? 0.5f * stored - 3 : stored));
          }
    CHECK(i == v.voxels.size());
  }
}

}  // namespace
}  // namespace gf
