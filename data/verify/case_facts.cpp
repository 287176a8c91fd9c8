#include "data/verify/case_facts.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/array_files.h"
#include "data/case.h"
#include "data/verify/examination.h"

namespace gf {
namespace {

constexpr std::int64_t kTiny = 8;       // pixels a side
constexpr double kLeastOfWindow = 0.1;  // share of a clip window that a picture must reach over

// Everything else through the reader of training, which says what is wrong in one sentence.
void examine_as_loaded(Examination& x) {
  const Case& c = x.examined();
  PreparedCase loaded;
  Dataset plain = x.dataset();
  plain.preprocessing.normalisation = Normalisation::none;
  plain.preprocessing.clip.reset();
  plain.preprocessing.resize_height = plain.preprocessing.resize_width = 0;
  plain.preprocessing.shrink = 1;
  if (!x.survives(Check::unreadable, [&] { loaded = load_case(plain, c, Purpose::evaluation); })) return;
  std::vector<float> values;
  for (const Picture& p : loaded.images) values.insert(values.end(), p.pixels.begin(), p.pixels.end());
  CaseFacts& facts = x.facts();
  facts.size = {static_cast<std::int64_t>(loaded.images.size()), loaded.full.h, loaded.full.w};
  facts.spacing_mm = loaded.spacing_mm;
  facts.channels = loaded.images.at(0).c;
  x.finish_image(values);
  for (const Mask& m : loaded.truth) x.count_classes(m.values);
  facts.labels = facts.classes;
  x.note_empty(c.label.empty() ? c.id : c.label);
}

void examine_image_and_label(Examination& x) {
  const std::string& image = x.examined().images[0];
  if (x.dataset().layout == "brain")
    examine_as_loaded(x);
  else if (is_nifti_name(image))
    examine_volume(x);
  else if (is_array_name(image))
    examine_slices(x);
  else if (is_image_name(image))
    examine_picture(x);
  else
    examine_as_loaded(x);
}

// What the intensities and the size of an image say.
void look_at(Examination& x) {
  const CaseFacts& facts = x.facts();
  const std::string& image = x.examined().images[0];
  const auto [slices, h, w] = facts.size;
  if (std::min(h, w) < kTiny)
    x.warn(Check::tiny_image, fmt::format("{}: {}x{} pixels, fewer than {} a side", image, w, h, kTiny));
  if (const auto& clip = x.preprocessing().clip) {
    const auto [low, high] = *clip;
    if (std::min(facts.most, high) - std::max(facts.least, low) < kLeastOfWindow * (high - low))
      x.warn(Check::clip_window,
             fmt::format("{}: intensities from {:.4g} to {:.4g} fill less than a tenth of the window "
                         "[{:g}, {:g}] (data.clip); already scaled, or no CT?",
                         image, facts.least, facts.most, low, high));
  }
  if (facts.least == facts.most)
    x.warn(Check::constant_image, fmt::format("{}: every pixel is {:g}", image, facts.least));
}

}  // namespace

CaseFacts examine_case(const Listing& listing, const Case& c) {
  Examination x(listing, c);
  x.survives(Check::unreadable, [&] {  // memory
    examine_image_and_label(x);
    if (x.facts().readable) look_at(x);
  });
  return std::move(x.facts());
}

}  // namespace gf
