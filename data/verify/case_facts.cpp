#include "data/verify/case_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/case.h"
#include "data/zoom.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::int64_t kTiny = 8;        // pixels a side
constexpr double kLeastOfWindow = 0.1;   // share of a clip window that a picture must reach over
constexpr double kSpacingDrift = 1e-3;   // relative: as large as rounding makes it
constexpr double kPositionDrift = 0.05;  // voxels

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

void take_statistics(CaseFacts& facts, std::span<const float> values) {
  if (values.empty()) return;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const StoredIntensity stored = intensity_of(values);
  facts.mean = stored.mean, facts.deviation = stored.deviation;
  facts.least = *least, facts.most = *most;
}

double corner_distance(const NiftiHeader& a, const NiftiHeader& b) {  // of the farthest corner, in voxels
  double farthest = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const double at[3] = {corner & 1 ? double(a.nx - 1) : 0, corner & 2 ? double(a.ny - 1) : 0,
                          corner & 4 ? double(a.nz - 1) : 0};
    double squares = 0;
    for (int r = 0; r < 3; ++r) {
      double d = a.affine[r][3] - b.affine[r][3];
      for (int k = 0; k < 3; ++k) d += (a.affine[r][k] - b.affine[r][k]) * at[k];
      squares += d * d;
    }
    farthest = std::max(farthest, std::sqrt(squares));
  }
  return farthest / std::min({a.spacing_mm[0], a.spacing_mm[1], a.spacing_mm[2]});
}

class Examiner {
 public:
  Examiner(const Listing& listing, const Case& c, CaseFacts& facts) : listing_(listing), case_(c), facts_(facts) {}

  void run() {
    const Dataset& d = listing_.dataset;
    const std::string& image = case_.images[0];
    const bool png_label = case_.label.empty() || case_.label.ends_with(".png");
    if (d.layout != "brain" && is_nifti_name(image))
      volume();
    else if (d.layout != "brain" && is_image_name(image) && png_label)
      picture();
    else
      as_loaded();
    if (!facts_.readable) return;
    const auto [slices, h, w] = facts_.size;
    if (std::min(h, w) < kTiny)
      warn(Check::tiny_image, fmt::format("{}: {}x{} pixels, fewer than {} a side", image, w, h, kTiny));
    if (const auto& clip = d.preprocessing.clip) {
      const auto [low, high] = *clip;
      if (std::min(facts_.most, high) - std::max(facts_.least, low) < kLeastOfWindow * (high - low))
        warn(Check::clip_window,
             fmt::format("{}: intensities from {:.4g} to {:.4g} fill less than a tenth of the window "
                         "[{:g}, {:g}] (data.clip); already scaled, or no CT?",
                         image, facts_.least, facts_.most, low, high));
    }
    if (facts_.least == facts_.most)
      warn(Check::constant_image, fmt::format("{}: every pixel is {:g}", image, facts_.least));
  }

 private:
  void find(Severity severity, Check check, std::string message) {
    facts_.findings.push_back({severity, check, case_.id, std::move(message)});
  }
  void error(Check check, std::string message) { find(Severity::error, check, std::move(message)); }
  void warn(Check check, std::string message) { find(Severity::warning, check, std::move(message)); }

  // False, and a finding, where `step` throws.
  template <class Step>
  bool survives(Check check, const Step& step) {
    try {
      step();
      return true;
    } catch (const Error& e) {
      error(check, e.what());
    } catch (const std::exception& e) {
      error(check, case_.images[0] + ": " + e.what());
    }
    return false;
  }

  void finish_image(std::span<const float> values) {
    facts_.readable = true;
    take_statistics(facts_, values);
    Hash hash;
    for (const std::int64_t n : facts_.size) hash.add(static_cast<std::uint64_t>(n));
    hash.add(static_cast<std::uint64_t>(facts_.channels));
    hash.add(values);
    facts_.content = hash.value();
  }

  void volume() {
    const int channels = listing_.dataset.preprocessing.channels;
    NiftiHeader header;
    std::vector<float> voxels;
    for (const std::string& path : case_.images) {
      Volume v;
      if (!read_volume(path, v)) return;
      if (voxels.empty()) {
        header = v.header;
        voxels = std::move(v.voxels);
        continue;
      }
      compare_grids(case_.images[0], header, path, v.header, "channels");
      header.channels += v.header.channels;
      voxels.insert(voxels.end(), v.voxels.begin(), v.voxels.end());
    }
    const int axis = listing_.dataset.preprocessing.slice_axis;
    const Extent e = slice_extent(header, axis);
    facts_.size = {slice_count(header, axis), e.h, e.w};
    facts_.spacing_mm = slice_spacing(header, axis);
    facts_.channels = header.channels;
    finish_image(voxels);
    if (header.channels != channels)
      error(Check::channels, fmt::format("{}: expected {} channel{} (data.channels), found {}", case_.images[0],
                                         channels, channels == 1 ? "" : "s", header.channels));
    if (!case_.label.empty()) volume_label(header);
  }

  // What does not read with NaN refused and reads with NaN let in has NaN.
  bool read_volume(const std::string& path, Volume& v) {
    try {
      v = read_nifti(path);
      return true;
    } catch (const Error& e) {
      bool finite = true;
      try {
        v = read_nifti(path, NonFinite::zero);
      } catch (const Error&) {
        finite = false;
      }
      error(finite ? Check::not_finite : Check::unreadable, e.what());
      return finite;  // the rest of the case can be looked at
    }
  }

  bool compare_grids(const std::string& a_path, const NiftiHeader& a, const std::string& b_path, const NiftiHeader& b,
                     const std::string& what) {
    const bool same_size = a.nx == b.nx && a.ny == b.ny && a.nz == b.nz;
    if (!survives(same_size ? Check::affine_mismatch : Check::size_mismatch,
                  [&] { require_same_grid(a_path, a, b_path, b, what); }))
      return same_size;
    double spacing = 0;
    for (int i = 0; i < 3; ++i)
      spacing = std::max(spacing, std::abs(a.spacing_mm[i] - b.spacing_mm[i]) / a.spacing_mm[i]);
    const double apart = a.has_orientation() && b.has_orientation() ? corner_distance(a, b) : 0;
    if (spacing > kSpacingDrift || apart > kPositionDrift)
      warn(Check::affine_mismatch,
           fmt::format("{} and {}: {} differ by {:.2g} % in spacing and {:.2g} voxels in position; small enough to be "
                       "taken as the same",
                       a_path, b_path, what, 100 * spacing, apart));
    if (a.has_orientation() != b.has_orientation())
      warn(Check::affine_mismatch, fmt::format("{} and {}: only one of them says where it lies", a_path, b_path));
    return true;
  }

  void volume_label(const NiftiHeader& image) {
    LabelVolume label;
    try {
      label = read_nifti_labels(case_.label);
    } catch (const Error& e) {
      bool finite = true;
      try {
        read_nifti_labels(case_.label, NonFinite::zero);
      } catch (const Error&) {
        finite = false;
      }
      return error(finite ? Check::not_finite : Check::unreadable, e.what());
    }
    compare_grids(case_.images[0], image, case_.label, label.header, "image and label");
    take_labels(label.voxels);
  }

  void picture() {
    const Preprocessing& p = listing_.dataset.preprocessing;
    const std::string& path = case_.images[0];
    Picture picture;
    if (!survives(Check::unreadable, [&] { picture = read_image(path); })) return;
    facts_.size = {1, picture.h, picture.w};
    facts_.channels = picture.c;
    finish_image(picture.pixels);
    survives(Check::channels, [&] {
      Picture turned = to_channels(picture, p.channels, path);
      if (p.normalisation == Normalisation::bytes || p.normalisation == Normalisation::imagenet)
        normalise(turned.pixels, turned.c, p, path);
    });
    if (case_.label.empty()) return;
    Mask mask;
    if (!survives(Check::unreadable, [&] { mask = read_mask(case_.label); })) return;
    if (mask.h != picture.h || mask.w != picture.w)
      error(Check::size_mismatch,
            fmt::format("{} and {}: image and mask differ in size: expected {}x{} pixels, found {}", path, case_.label,
                        picture.w, picture.h, mask.size_text()));
    take_labels(mask.values);
  }

  // Everything else through the reader of training, which says what is wrong in one sentence.
  void as_loaded() {
    PreparedCase loaded;
    Dataset plain = listing_.dataset;
    plain.preprocessing.normalisation = Normalisation::none;
    plain.preprocessing.clip.reset();
    plain.preprocessing.resize_height = plain.preprocessing.resize_width = 0;
    plain.preprocessing.shrink = 1;
    if (!survives(Check::unreadable, [&] { loaded = load_case(plain, case_, Purpose::evaluation); })) return;
    std::vector<float> values;
    for (const Picture& p : loaded.images) values.insert(values.end(), p.pixels.begin(), p.pixels.end());
    facts_.size = {static_cast<std::int64_t>(loaded.images.size()), loaded.full.h, loaded.full.w};
    facts_.spacing_mm = loaded.spacing_mm;
    facts_.channels = loaded.images.at(0).c;
    finish_image(values);
    for (const Mask& m : loaded.truth) count(m.values, facts_.classes);
    facts_.labels = facts_.classes;
    note_empty();
  }

  static void count(std::span<const std::int32_t> values, std::map<std::int32_t, std::int64_t>& histogram) {
    for (std::size_t i = 0; i < values.size();) {  // labels come in runs
      std::size_t end = i + 1;
      while (end < values.size() && values[end] == values[i]) ++end;
      histogram[values[i]] += static_cast<std::int64_t>(end - i);
      i = end;
    }
  }

  void take_labels(std::vector<std::int32_t>& values) {
    count(values, facts_.labels);
    const LabelMap& map = listing_.dataset.preprocessing.label_map;
    const bool zero_255 = facts_.labels.size() == 2 && facts_.labels.contains(0) && facts_.labels.contains(255) &&
                          !map.entries.contains(255) && map.ignore_index != 255;
    const int classes = listing_.classes_known ? listing_.dataset.classes() : zero_255 ? 2 : 255;
    try {
      map.apply(values, classes, case_.label);
      for (const auto& [value, pixels] : facts_.labels) {
        if (map.ignore_index == value) continue;
        const auto to = map.entries.find(value);
        facts_.classes[to == map.entries.end() ? value : to->second] += pixels;
      }
      note_empty();
    } catch (const Error& e) {
      error(zero_255 && classes <= 255 ? Check::label_0_255 : Check::label_range, e.what());
    }
  }

  void note_empty() {
    std::int64_t foreground = 0, all = 0;
    for (const auto& [id, pixels] : facts_.classes) {
      all += pixels;
      foreground += id > 0 ? pixels : 0;
    }
    if (all > 0 && foreground == 0)
      warn(Check::empty_mask, (case_.label.empty() ? case_.id : case_.label) + ": no foreground");
  }

  const Listing& listing_;
  const Case& case_;
  CaseFacts& facts_;
};

void make_smaller(Picture& picture, Mask& mask, std::int64_t side) {
  const std::int64_t most = std::max(picture.h, picture.w);
  if (most <= side) return;
  const auto scaled = [&](std::int64_t n) { return std::max<std::int64_t>(1, n * side / most); };
  const std::int64_t h = scaled(picture.h), w = scaled(picture.w);
  picture = zoom(picture, h, w, 1);
  if (!mask.values.empty()) mask = zoom(mask, h, w);
}

}  // namespace

CaseFacts examine_case(const Listing& listing, const Case& c) {
  CaseFacts facts;
  try {
    Examiner(listing, c, facts).run();
  } catch (const std::exception& e) {  // memory
    facts.findings.push_back({Severity::error, Check::unreadable, c.id, c.images[0] + ": " + e.what()});
  }
  return facts;
}

bool thumbnail_of(const Listing& listing, const Case& c, std::int64_t side, Picture& picture, Mask& mask) {
  const int axis = listing.dataset.preprocessing.slice_axis;
  mask = {};
  try {
    if (is_nifti_name(c.images[0])) {
      const Volume v = read_nifti(c.images[0], NonFinite::zero);
      std::int64_t best = slice_count(v.header, axis) / 2, most = 0;
      if (c.last_slice > c.first_slice) best = (c.first_slice + c.last_slice) / 2;
      try {
        const LabelVolume labels = read_nifti_labels(c.label, NonFinite::zero);
        for (std::int64_t i = 0; i < slice_count(labels.header, axis); ++i) {
          if (c.last_slice > 0 && (i < c.first_slice || i > c.last_slice)) continue;
          Mask slice = label_slice(labels, axis, i);
          const std::int64_t n = std::count_if(slice.values.begin(), slice.values.end(), [](auto x) { return x > 0; });
          if (n <= most) continue;
          most = n, best = i;
          mask = std::move(slice);
        }
      } catch (const Error&) {  // the picture alone
      }
      picture = image_slice(v, axis, std::min(best, slice_count(v.header, axis) - 1));
    } else if (is_image_name(c.images[0])) {
      picture = read_image(c.images[0]);
      try {
        mask = read_mask(c.label);
      } catch (const Error&) {
      }
    } else {
      const PreparedCase loaded = load_case(listing.dataset, c, Purpose::training);
      picture = loaded.images.at(loaded.images.size() / 2);
      if (!loaded.labels.empty()) mask = loaded.labels.at(loaded.images.size() / 2);
    }
    if (mask.h != picture.h || mask.w != picture.w) mask = {};
    make_smaller(picture, mask, side);
    return true;
  } catch (const std::exception&) {  // said already by examine_case
    return false;
  }
}

}  // namespace gf
