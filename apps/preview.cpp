// graphflow preview: the pictures a network is trained on, after preprocessing and augmentation, with the contours of
// their labels.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/did_you_mean.h"
#include "apps/report/contact_sheet.h"
#include "apps/report/overlay.h"
#include "apps/session.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::int64_t kCell = 192;  // pixels that small pictures are enlarged to, about

Config config_of(const PreviewFlags& flags) {
  if (flags.config.empty() == flags.run.empty())
    throw Error(ErrorKind::usage,
                {"which pictures?", "graphflow preview", "-c CONFIG or a run folder, one of them", "", ""});
  return load_config(flags.run.empty() ? flags.config : flags.run + "/config.toml", flags.sets);
}

void keep_cases(Dataset& d, const std::vector<std::string>& ids) {
  std::vector<std::string> known;
  for (const Case& c : d.cases) known.push_back(c.id);
  for (const std::string& id : ids)
    if (std::find(known.begin(), known.end(), id) == known.end())
      throw Error(ErrorKind::usage,
                  {"no such case", "\"" + id + "\"", "cases of " + d.root, "", did_you_mean(id, known)});
  std::erase_if(d.cases, [&](const Case& c) { return std::find(ids.begin(), ids.end(), c.id) == ids.end(); });
}

Picture picture_of(const Tensor& image) {
  const Shape& s = image.shape();
  Picture p(s.h, s.w, s.c);
  p.pixels = image.to_vector();
  return p;
}

// Empty where the part has no labels.
Mask mask_of(const Tensor& label) {
  if (!label) return {};
  Mask m(label.shape().h, label.shape().w);
  std::copy_n(label.data<std::int32_t>(), m.values.size(), m.values.begin());
  return m;
}

void print_rows(const std::vector<std::string>& names, int columns) {
  for (std::size_t first = 0; first < names.size(); first += static_cast<std::size_t>(columns)) {
    std::string row;
    for (std::size_t i = first; i < std::min(names.size(), first + static_cast<std::size_t>(columns)); ++i)
      row += (i == first ? "" : ", ") + names[i];
    fmt::print("row {}: {}\n", first / static_cast<std::size_t>(columns) + 1, row);
  }
}

}  // namespace

int preview_command(const PreviewFlags& flags) {
  Config config = config_of(flags);
  Dataset dataset = open_configured_dataset(config, configured_needs(config));
  const Split split = flags.split.empty() ? Split::train : parse_split(flags.split, "--split");
  LoaderOptions options = loader_options(config);
  options.batch_size = 1;  // the order and the changes of a picture do not depend on it
  options.augment_later = false;
  const bool augmented = !flags.unaugmented && split != Split::val && split != Split::test;
  if (!augmented) {
    options.augmentation = {};
    options.augment_before_resize = false;
  }
  if (!flags.cases.empty()) {
    keep_cases(dataset, flags.cases);
    for (Case& c : dataset.cases)  // as if they were trained on
      if (flags.split.empty() && !c.label.empty()) c.split = Split::train;
    options.shuffle = false;
  }
  Loader loader(dataset, split, options);
  // Augmented pictures are new in every epoch, others would only come again.
  const std::int64_t count = augmented && options.augmentation.any()
                                 ? flags.count
                                 : std::min<std::int64_t>(flags.count, loader.sample_count());
  const std::vector<Sample> samples = samples_of(dataset, split);
  OverlayStyle style;
  style.fill = 0;
  style.quarter_turns = dataset.volumes && dataset.preprocessing.slice_axis != 2 ? 1 : 0;
  std::vector<Picture> seen;
  std::vector<Mask> masks;
  std::vector<float> values;  // of all pictures: one stretch for all shows how bright each is
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < count; ++i) {
    const Batch batch = loader.next();
    seen.push_back(picture_of(batch.image));
    masks.push_back(mask_of(batch.label));
    values.insert(values.end(), seen.back().pixels.begin(), seen.back().pixels.end());
    const Sample& at = samples[batch.samples[0]];
    const Case& c = dataset.cases[at.case_index];
    names.push_back(c.slices() > 1 ? fmt::format("{} slice {}", c.id, c.first_slice + at.slice) : c.id);
  }
  style.range = display_range(values);
  const std::int64_t h = seen[0].h, w = seen[0].w;
  style.scale = flags.scale > 0 ? flags.scale : static_cast<int>(std::max<std::int64_t>(1, kCell / std::max(h, w)));
  std::vector<Bytes8> pictures;
  for (std::size_t i = 0; i < seen.size(); ++i) pictures.push_back(draw_overlay(seen[i], masks[i], style));
  const int columns = flags.columns > 0 ? flags.columns : sheet_columns(pictures.size(), pictures[0].h, pictures[0].w);
  write_png(flags.output, contact_sheet(pictures, columns));
  print_rows(names, columns);
  for (int id = 1; id < dataset.classes(); ++id) {
    const auto [r, g, b] = class_color(id);
    fmt::print("contour #{:02x}{:02x}{:02x}: {}\n", r, g, b, dataset.class_names[static_cast<std::size_t>(id)]);
  }
  const std::string part =
      flags.split.empty() && !flags.cases.empty() ? "chosen cases" : name_of(split) + std::string(" part");
  fmt::print("written: {} ({} pictures of {}x{}, {}, {})\n", flags.output, pictures.size(), w, h, part,
             augmented && options.augmentation.any() ? "augmented" : "as they are");
  return 0;
}

}  // namespace gf
