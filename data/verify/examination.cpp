#include "data/verify/examination.h"

#include <algorithm>
#include <cstring>

#include "data/case.h"

namespace gf {
namespace {

// Numbers and words into one, the order counts (FNV-1a over words of 64 bits, mixed).
class Hash {
 public:
  void add(std::uint64_t word) {
    word ^= word >> 32;
    state_ = (state_ ^ word * 0x9E3779B97F4A7C15ull) * 1099511628211ull;
    state_ ^= state_ >> 29;
  }
  void add(std::span<const float> values) {
    for (const float v : values) {
      std::uint32_t bits;
      std::memcpy(&bits, &v, sizeof bits);
      add(bits);
    }
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 1469598103934665603ull;
};

void count(std::span<const std::int32_t> values, std::map<std::int32_t, std::int64_t>& histogram) {
  for (std::size_t i = 0; i < values.size();) {  // labels come in runs
    std::size_t end = i + 1;
    while (end < values.size() && values[end] == values[i]) ++end;
    histogram[values[i]] += static_cast<std::int64_t>(end - i);
    i = end;
  }
}

// Of size and values: the same picture, whatever the file.
std::uint64_t content_of(std::span<const std::int64_t> size, std::span<const float> values) {
  Hash hash;
  for (const std::int64_t n : size) hash.add(static_cast<std::uint64_t>(n));
  hash.add(values);
  return hash.value();
}

// Whether every channel has one value, or two: background, and what a scanner writes outside its field of view.
bool is_blank(std::span<const float> pixels, std::int64_t channels) {
  const auto n = static_cast<std::size_t>(channels);
  for (std::size_t c = 0; c < n; ++c) {
    const float first = pixels[c];
    float second = first;
    for (std::size_t i = c; i < pixels.size(); i += n) {
      if (pixels[i] == first || pixels[i] == second) continue;
      if (second != first) return false;
      second = pixels[i];
    }
  }
  return true;
}

}  // namespace

void Examination::finish_image(std::span<const float> values) {
  facts_.readable = true;
  const auto [slices, h, w] = facts_.size;
  facts_.content = content_of(std::array{slices, h, w, facts_.channels}, values);
  if (values.empty()) return;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const StoredIntensity stored = intensity_of(values);
  facts_.mean = stored.mean, facts_.deviation = stored.deviation;
  facts_.least = *least, facts_.most = *most;
}

void Examination::add_slice(Extent size, std::int64_t channels, std::span<const float> pixels) {
  facts_.slices.push_back(is_blank(pixels, channels) ? 0 : content_of(std::array{size.h, size.w, channels}, pixels));
}

bool Examination::to_classes(std::vector<std::int32_t>& values, const std::string& file) {
  std::map<std::int32_t, std::int64_t> stored;
  count(values, stored);
  const LabelMap& map = preprocessing().label_map;
  const bool zero_255 = stored.size() == 2 && stored.contains(0) && stored.contains(255) &&
                        !map.entries.contains(255) && map.ignore_index != 255;
  const int classes = listing_.classes_known ? dataset().classes() : zero_255 ? 2 : 255;
  return survives(zero_255 && classes <= 255 ? Check::label_0_255 : Check::label_range,
                  [&] { map.apply(values, classes, file); });
}

void Examination::count_labels(std::span<const std::int32_t> stored) { count(stored, facts_.labels); }

void Examination::count_classes(std::span<const std::int32_t> ids) {
  count(ids, facts_.classes);
  if (const auto& ignored = preprocessing().label_map.ignore_index) facts_.classes.erase(*ignored);
}

void Examination::take_labels(std::vector<std::int32_t>& values, const std::string& file) {
  count_labels(values);
  if (!to_classes(values, file)) return;
  count_classes(values);
  note_empty(file);
}

void Examination::note_empty(const std::string& label) {
  std::int64_t foreground = 0, all = 0;
  for (const auto& [id, pixels] : facts_.classes) {
    all += pixels;
    foreground += id > 0 ? pixels : 0;
  }
  if (all > 0 && foreground == 0) warn(Check::empty_mask, label + ": no foreground");
}

}  // namespace gf
