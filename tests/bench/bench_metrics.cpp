// Times scoring of one pair of masks: bench_metrics TRUTH PREDICTION ROUNDS (NIfTI). Prints JSON: wall and processor
// milliseconds a round of HD95 alone and of every measure, one thread and all, and HD95 (medpy's rule, voxels) a class.
// See compare_metrics.py.
#include <omp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "data/mask_files.h"
#include "data/metrics/segmentation_metrics.h"
#include "data/metrics/surface_distance.h"
#include "kernels/error.h"

namespace {

using namespace gf;
using Clock = std::chrono::steady_clock;

constexpr int kClasses = 9;

// As score_case does it, and no other measure.
std::vector<double> hd95_of_classes(const MaskPictures& m) {
  const MaskGrid grid{static_cast<std::int64_t>(m.truth.size()), m.truth[0].h, m.truth[0].w, {1, 1, 1}, true};
  const std::vector<MaskBox> boxes = class_boxes(kClasses, m.truth, m.prediction);
  std::vector<double> out;
  for (int id = 1; id < kClasses; ++id)
    out.push_back(hd95_pooled(surface_distances(class_pair(id, boxes[id], m.truth, m.prediction, grid))));
  return out;
}

void print(const char* name, const std::vector<double>& values, const char* end) {
  std::printf("\"%s\": [", name);
  for (std::size_t i = 0; i < values.size(); ++i) std::printf("%s%.9g", i ? ", " : "", values[i]);
  std::printf("]%s", end);
}

template <class Work>
void print_times(const std::string& name, int rounds, const Work& work) {
  std::vector<double> wall, cpu;
  for (int i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    const std::clock_t cpu_start = std::clock();  // of all threads
    work();
    wall.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    cpu.push_back(1000.0 * static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC);
  }
  print((name + "_ms").c_str(), wall, ", ");
  print((name + "_cpu_ms").c_str(), cpu, ", ");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "bench_metrics TRUTH PREDICTION ROUNDS\n"), 2;
  try {
    MaskReading reading;
    reading.classes = kClasses;
    const MaskPictures m = read_mask_pair({"volume", argv[1], argv[2]}, reading);
    const int rounds = std::atoi(argv[3]), all = omp_get_max_threads();
    std::vector<double> hd95;
    const auto alone = [&] { hd95 = hd95_of_classes(m); };
    const auto everything = [&] { score_case("volume", kClasses, m.truth, m.prediction, ScoreOptions{}); };
    std::printf("{\"threads\": %d, ", all);
    print_times("hd95", rounds, alone);
    print_times("everything", rounds, everything);
    omp_set_num_threads(1);
    print_times("hd95_one_thread", rounds, alone);
    print("hd95", hd95, "}\n");
  } catch (const Error& e) {
    return std::fprintf(stderr, "bench_metrics: %s\n", e.what()), static_cast<int>(e.kind());
  }
  return 0;
}
