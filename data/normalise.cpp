// Intensities as the network wants them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/preprocess.h"
#include "kernels/error.h"

namespace gf {
namespace {

// Of the pictures of ImageNet, red, green, blue, as its pretrained networks expect them.
constexpr double kImageNetMean[3] = {0.485, 0.456, 0.406}, kImageNetDeviation[3] = {0.229, 0.224, 0.225};

// As numpy.percentile, with linear interpolation; reorders `values`.
float percentile(std::vector<float>& values, double percent) {
  const double position = percent / 100 * static_cast<double>(values.size() - 1);
  const std::size_t below = static_cast<std::size_t>(position);
  std::nth_element(values.begin(), values.begin() + below, values.end());
  const float low = values[below];
  if (below + 1 == values.size()) return low;
  const float high = *std::min_element(values.begin() + below + 1, values.end());
  return static_cast<float>(low + (position - static_cast<double>(below)) * (double(high) - low));
}

// What becomes of a value v of one channel: (v cut to [least, most] - low) / range; 0 where range is 0.
struct Scale {
  float least = -INFINITY, most = INFINITY;
  double low = 0, range = 1;
};

Scale scale_of(std::vector<float>& channel, std::int64_t number, const Preprocessing& p) {
  Scale s;
  switch (p.normalisation) {
    case Normalisation::none:
      break;
    case Normalisation::minmax: {
      const auto [least, most] = std::minmax_element(channel.begin(), channel.end());
      s.low = *least, s.range = double(*most) - *least;
      break;
    }
    case Normalisation::percentile:
      s.least = percentile(channel, p.percentiles[0]), s.most = percentile(channel, p.percentiles[1]);
      s.low = s.least, s.range = double(s.most) - s.least;
      break;
    case Normalisation::zscore: {
      double mean = 0, variance = 0;
      for (const float v : channel) mean += v;
      mean /= static_cast<double>(channel.size());
      for (const float v : channel) variance += (v - mean) * (v - mean);
      s.low = mean, s.range = std::sqrt(variance / static_cast<double>(channel.size()));
      break;
    }
    case Normalisation::window:
      s.low = (*p.clip)[0], s.range = (*p.clip)[1] - (*p.clip)[0];
      break;
    case Normalisation::bytes:
      s.range = 255;
      break;
    case Normalisation::imagenet:
      s.low = 255 * kImageNetMean[number], s.range = 255 * kImageNetDeviation[number];
      break;
  }
  return s;
}

void require_bytes(std::span<const float> values, std::int64_t channels, const Preprocessing& p,
                   const std::string& file) {
  const std::string name = std::string("normalisation ") + name_of(p.normalisation);
  if (p.normalisation == Normalisation::imagenet && channels != 3)
    bad_data(name + " is for RGB pictures", file, "3 channels", std::to_string(channels),
             "set data.channels to 3, or choose another data.normalisation");
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*least < 0 || *most > 255)
    bad_data(name + " is for 8-bit pictures", file, "values from 0 to 255", fmt::format("{:g} to {:g}", *least, *most),
             "choose another data.normalisation");
}

}  // namespace

void normalise(std::span<float> values, std::int64_t channels, const Preprocessing& p, const std::string& file) {
  if (values.empty()) return;
  if (p.normalisation == Normalisation::bytes || p.normalisation == Normalisation::imagenet)
    require_bytes(values, channels, p, file);
  if (p.clip)
    for (float& v : values) v = std::clamp(v, static_cast<float>((*p.clip)[0]), static_cast<float>((*p.clip)[1]));
  if (p.normalisation == Normalisation::none) return;
  std::vector<float> channel(values.size() / channels);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < channel.size(); ++i) channel[i] = values[i * channels + c];
    const Scale s = scale_of(channel, c, p);
    const double factor = s.range > 0 ? 1 / s.range : 0;
    for (std::size_t i = c; i < values.size(); i += channels)
      values[i] = static_cast<float>((std::clamp(values[i], s.least, s.most) - s.low) * factor);
  }
}

}  // namespace gf
