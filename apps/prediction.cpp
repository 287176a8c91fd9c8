#include "apps/prediction.h"

#include <algorithm>
#include <filesystem>
#include <span>

#include <fmt/format.h>

#include "apps/report/overlay.h"
#include "data/csv.h"
#include "data/input_size.h"
#include "distill/inference.h"
#include "engine/io/npz_writer.h"
#include "engine/memory.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

std::vector<std::int64_t> count_classes(std::span<const std::int32_t> values, std::size_t classes) {
  std::vector<std::int64_t> counts(classes);
  for (const std::int32_t v : values)
    if (v >= 0 && static_cast<std::size_t>(v) < classes) ++counts[static_cast<std::size_t>(v)];
  return counts;
}

// The slice that says most.
std::size_t fullest(const std::vector<Mask>& masks) {
  const auto foreground = [](const Mask& m) {
    return std::count_if(m.values.begin(), m.values.end(), [](std::int32_t v) { return v > 0; });
  };
  return static_cast<std::size_t>(
      std::max_element(masks.begin(), masks.end(),
                       [&](const Mask& a, const Mask& b) { return foreground(a) < foreground(b); }) -
      masks.begin());
}

Bytes8 overlay_of(const PreparedCase& c, const std::vector<Mask>& masks, const Preprocessing& p) {
  const std::size_t best = fullest(masks);
  const Picture& small = c.images[best];
  const int scale = std::clamp(static_cast<int>(384 / std::max<std::int64_t>(1, std::max(small.h, small.w))), 1, 3);
  return draw_overlay(small, fit(masks[best], p),
                      {.scale = scale, .quarter_turns = c.volume && p.slice_axis != 2 ? 1 : 0});
}

std::vector<ClassAmount> amounts_of(const std::vector<std::int64_t>& counts, const std::vector<std::string>& names,
                                    double voxel_mm3) {
  std::vector<ClassAmount> amounts;
  for (std::size_t k = 1; k < names.size(); ++k)
    amounts.push_back({names[k], counts[k], static_cast<double>(counts[k]) * voxel_mm3 / 1000});
  return amounts;
}

// float32 (classes, slices, height, width), as nnU-Net's "probabilities".
class ProbabilityFile {
 public:
  ProbabilityFile(std::int64_t classes, std::int64_t slices) : classes_(classes), slices_(slices) {}
  void add(std::size_t slice, const Picture& p) {
    size_ = {p.h, p.w};
    if (values_.empty()) values_.resize(static_cast<std::size_t>(classes_ * slices_ * p.h * p.w));
    for (std::int64_t k = 0; k < classes_; ++k) {
      float* to = values_.data() + (k * slices_ + static_cast<std::int64_t>(slice)) * p.h * p.w;
      for (std::int64_t i = 0; i < p.h * p.w; ++i) to[i] = p.pixels[static_cast<std::size_t>(i * p.c + k)];
    }
  }
  void write(const std::string& path) const {
    write_npz(path,
              {{"probabilities", "<f4", {classes_, slices_, size_.h, size_.w}, std::as_bytes(std::span(values_))}});
  }

 private:
  std::int64_t classes_, slices_;
  Extent size_;
  std::vector<float> values_;
};

}  // namespace

std::string beside_mask(const std::string& mask_file, const std::string& ending) {
  return (fs::path(mask_file).parent_path() / (nifti_stem(fs::path(mask_file).filename().string()) + ending)).string();
}

Prediction predict_files(const std::vector<std::string>& files, const std::string& output, const NetworkFile& model,
                         const Segmenter& segmenter, const PredictionOptions& options) {
  const Preprocessing& p = model.description.preprocessing;
  const std::vector<std::string>& names = model.description.class_names;
  const std::string& input = files.at(0);
  PreparedCase c = load_input(files, p);
  if (c.tiles && options.probabilities)
    throw Error(ErrorKind::usage, {"probabilities of pictures that are cut into tiles are not put together", input,
                                   "predict without --save-probabilities", "", ""});
  Prediction result{input, output, c.volume, {}, {}, {}};
  if (options.range) result.warnings = unlike_training(c, *options.range);

  ProbabilityFile probabilities(static_cast<std::int64_t>(names.size()), static_cast<std::int64_t>(c.images.size()));
  ProbabilityUse keep;
  if (options.probabilities)
    keep = [&](std::size_t slice, const Picture& of_slice) { probabilities.add(slice, of_slice); };
  // A large volume is in memory once: pictures make room for masks, but where one will be drawn.
  std::size_t released = 0;
  const auto release = [&](std::size_t done) {
    for (; released < done; ++released) c.images[released].pixels = std::vector<float>();
  };
  const bool draws = options.preview || options.picture;
  std::vector<Mask> masks = predict_case(segmenter, c, p, draws ? SlicesDone() : release, keep);
  clean(masks, options.postprocessing, voxel_mm3(c));
  if (draws) result.picture = overlay_of(c, masks, p);
  release(c.images.size());
  if (c.volume) release_cached_memory();  // activations make room for the file's volume

  std::vector<std::int64_t> counts(names.size());
  for (const Mask& m : masks) {
    const std::vector<std::int64_t> more = count_classes(m.values, names.size());
    for (std::size_t k = 0; k < counts.size(); ++k) counts[k] += more[k];
  }
  result.amounts = amounts_of(counts, names, voxel_mm3(c));
  if (std::all_of(counts.begin() + 1, counts.end(), [](std::int64_t n) { return n == 0; }))
    result.warnings.push_back("the mask is empty; is this the kind of picture the model was trained on?");

  if (const fs::path parent = fs::path(output).parent_path(); !parent.empty()) fs::create_directories(parent);
  // The mask comes last: where it is, the rest is too. Where it cannot be written the rest goes.
  std::vector<std::string> beside;
  try {
    if (options.probabilities) {
      probabilities.write(beside_mask(output, kProbabilitiesEnding));
      beside.push_back(beside_mask(output, kProbabilitiesEnding));
    }
    if (options.preview) {
      write_png(beside_mask(output, kPreviewEnding), result.picture);
      beside.push_back(beside_mask(output, kPreviewEnding));
    }
    write_prediction(output, c, std::move(masks), p,
                     c.volume ? Palette{} : class_palette(static_cast<int>(names.size())));
  } catch (...) {
    std::error_code ignored;
    for (const std::string& file : beside) fs::remove(file, ignored);
    throw;
  }
  return result;
}

std::optional<Prediction> read_prediction(const std::vector<std::string>& files, const std::string& output,
                                          const NetworkDescription& model) {
  const InputSize wanted = input_size(files, model.preprocessing);
  Prediction result{files.at(0), output, is_nifti_name(output), {}, {}, {}};
  std::vector<std::int32_t> values;
  InputSize found;
  double voxel_mm3 = 1;
  try {
    if (result.volume) {
      LabelVolume v = read_nifti_labels(output);
      const int axis = model.preprocessing.slice_axis;
      found = {slice_count(v.header, axis), slice_extent(v.header, axis)};
      const std::array<double, 3>& mm = v.header.spacing_mm;
      voxel_mm3 = mm[0] * mm[1] * mm[2];
      values = std::move(v.voxels);
    } else {
      Mask m = read_png_mask(output);
      found.extent = {m.h, m.w};
      values = std::move(m.values);
    }
  } catch (const Error&) {  // cut off, or something else of this name
    return std::nullopt;
  }
  const auto classes = static_cast<std::int32_t>(model.class_names.size());
  const bool known = std::all_of(values.begin(), values.end(), [&](std::int32_t v) { return v >= 0 && v < classes; });
  if (found != wanted || !known) return std::nullopt;
  result.amounts = amounts_of(count_classes(values, model.class_names.size()), model.class_names, voxel_mm3);
  return result;
}

std::string statistics_csv(const std::vector<Prediction>& predictions) {
  std::string text = "case,class,voxels,ml,mask\n";
  for (const Prediction& p : predictions)
    for (const ClassAmount& a : p.amounts)
      text += fmt::format("{},{},{},{},{}\n", csv_field(p.input), csv_field(a.name), a.voxels,
                          p.volume ? fmt::format("{:.6g}", a.millilitres) : "", csv_field(p.output));
  return text;
}

}  // namespace gf
