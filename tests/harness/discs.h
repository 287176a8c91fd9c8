#pragma once
// A tiny picture data set on disk: bright discs on noise.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "data/dataset.h"
#include "data/png.h"
#include "kernels/philox.h"
#include "tests/harness/temporary_folder.h"

namespace gf::test {

// `count` pictures of size x size: two of three train, the rest validation and test in turn.
inline void write_discs(const std::string& folder, int count, int size) {
  std::filesystem::create_directories(folder + "/images");
  std::filesystem::create_directories(folder + "/masks");
  std::ofstream index(folder + "/index.csv");
  index << "image,mask,split\n";
  for (int i = 0; i < count; ++i) {
    Bytes8 image{size, size, 1, std::vector<std::uint8_t>(static_cast<std::size_t>(size) * size)};
    Mask mask(size, size);
    const Philox4 r = philox(1, 2, static_cast<std::uint64_t>(i));
    const double cx = size * (0.3 + 0.4 * uniform01(r.v[0])), cy = size * (0.3 + 0.4 * uniform01(r.v[1]));
    const double radius = size * (0.12 + 0.12 * uniform01(r.v[2]));
    for (int y = 0; y < size; ++y)
      for (int x = 0; x < size; ++x) {
        const bool in = std::hypot(x - cx, y - cy) < radius;
        mask.at(y, x) = in;
        const std::uint32_t noise =
            philox(3, static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(y * size + x)).v[0] % 60;
        image.bytes[static_cast<std::size_t>(y) * size + x] = static_cast<std::uint8_t>((in ? 150 : 40) + noise);
      }
    const std::string name = "disc_" + std::to_string(i) + ".png";
    write_png(folder + "/images/" + name, image);
    write_png_mask(folder + "/masks/" + name, mask);
    const char* split = i % 3 != 2 ? "train" : i % 2 == 0 ? "val" : "test";
    index << "images/" << name << ",masks/" << name << "," << split << "\n";
  }
}

inline Dataset open_discs(const std::string& folder) {
  Preprocessing p;
  p.normalisation = Normalisation::minmax;
  p.stride = 32;
  return open_dataset({"images_masks", folder, {"background", "disc"}}, p);
}

}  // namespace gf::test
