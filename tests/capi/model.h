#pragma once
// A small model and a picture for it, for the tests of the C API.
#include <cmath>
#include <fstream>
#include <string>

#include "distill/model_file.h"
#include "engine/io/checkpoint.h"

namespace gf::test {

// Three classes, untrained; the running statistics are those of no data, so that it says different things of different
// pixels. `shrink` 2 has it look at a picture of half the size.
inline std::string write_model(const std::string& path, const std::string& arch = "mobile_unet", int shrink = 1) {
  NetworkDescription d;
  d.arch = arch;
  d.options = {.in_channels = 1, .classes = 3, .width = 0.25};
  d.class_names = {"background", "disc", "other"};
  const auto network = make_network(arch, d.options);
  network->initialise(5);
  d.preprocessing.normalisation = Normalisation::minmax;
  d.preprocessing.stride = static_cast<int>(network->stride());
  d.preprocessing.shrink = shrink;
  CheckpointState state;
  state.entries = d.to_entries();
  save_checkpoint(path, *network, nullptr, state);
  return path;
}

// Waves, so that no two places look alike.
inline float pixel(std::int64_t slice, std::int64_t y, std::int64_t x) {
  return 100.0f + 90.0f * std::sin(0.31f * static_cast<float>(y) + 0.1f * static_cast<float>(slice)) *
                      std::cos(0.17f * static_cast<float>(x));
}

inline void write_pgm(const std::string& path, std::int64_t h, std::int64_t w) {
  std::ofstream file(path, std::ios::binary);
  file << "P5\n" << w << " " << h << "\n255\n";
  for (std::int64_t y = 0; y < h; ++y)
    for (std::int64_t x = 0; x < w; ++x) file.put(static_cast<char>(static_cast<unsigned char>(pixel(0, y, x))));
}

}  // namespace gf::test
