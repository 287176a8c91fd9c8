#include "distill/inference.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include "engine/memory.h"
#include "engine/ops/softmax.h"
#include "kernels/error.h"

namespace gf {
namespace {

// Class maps of a batch, on the network's grid, padding included.
std::vector<Mask> masks_of(const Tensor& classes) {
  const Shape& s = classes.shape();
  std::vector<Mask> masks;
  for (std::int64_t i = 0; i < s.n; ++i) {
    Mask m(s.h, s.w);
    const std::int32_t* from = classes.data<std::int32_t>() + i * s.h * s.w;
    std::copy(from, from + s.h * s.w, m.values.begin());
    masks.push_back(std::move(m));
  }
  return masks;
}

// Picture `i` of the batch without its padding, at the file's size.
Picture full_size(const Tensor& probabilities, std::int64_t i, Extent full, const Preprocessing& p) {
  const Shape& s = probabilities.shape();
  Picture padded(s.h, s.w, s.c);
  std::copy_n(probabilities.data() + i * s.h * s.w * s.c, s.h * s.w * s.c, padded.pixels.begin());
  return unfit(crop(padded, shrunk_extent(full, p)), full, p);
}

void for_each_slice(const Segmenter& segmenter, const PreparedCase& c, const Preprocessing& p,
                    const SlicesDone& slices_done, const ProbabilityUse& use_probabilities,
                    const std::function<void(std::size_t, const Mask&)>& use) {
  const MemoryTag tag("inference");
  if (c.images.empty()) return;
  const Extent padded = padded_extent({c.images[0].h, c.images[0].w}, p);
  const auto batch_size = static_cast<std::size_t>(segmenter.batch_size(padded.h, padded.w));
  for (std::size_t begin = 0; begin < c.images.size(); begin += batch_size) {
    const std::size_t count = std::min(batch_size, c.images.size() - begin);
    const Tensor images = image_batch(c, begin, count, p);
    Tensor classes;
    if (use_probabilities) {
      const Tensor probabilities = segmenter.probabilities(images);
      classes = argmax_channels(probabilities);
      for (std::size_t i = 0; i < count; ++i)
        use_probabilities(begin + i, full_size(probabilities, static_cast<std::int64_t>(i), c.full, p));
    } else {
      classes = segmenter.classes(images);
    }
    const std::vector<Mask> masks = masks_of(classes);
    for (std::size_t i = 0; i < count; ++i) use(begin + i, masks[i]);
    if (slices_done) slices_done(begin + count);
  }
}

}  // namespace

Tensor image_batch(const PreparedCase& c, std::size_t begin, std::size_t count, const Preprocessing& preprocessing) {
  Tensor batch;
  for (std::size_t i = 0; i < count; ++i) {
    const Picture x = network_input(c, begin + i, preprocessing);
    if (!batch) batch = Tensor::empty({static_cast<std::int64_t>(count), x.h, x.w, x.c});
    std::copy(x.pixels.begin(), x.pixels.end(), batch.mutable_data() + static_cast<std::int64_t>(i) * x.h * x.w * x.c);
  }
  return batch;
}

std::vector<Mask> predict_case(const Segmenter& segmenter, const PreparedCase& c, const Preprocessing& preprocessing,
                               const SlicesDone& slices_done, const ProbabilityUse& use) {
  std::vector<Mask> masks(c.images.size());
  for_each_slice(segmenter, c, preprocessing, slices_done, use,
                 [&](std::size_t i, const Mask& m) { masks[i] = restore(m, c.full, preprocessing); });
  return masks;
}

std::vector<Mask> predict_case(const Network& network, const PreparedCase& c, const Preprocessing& preprocessing) {
  return predict_case(Segmenter(network, {}), c, preprocessing);
}

ConfusionMatrix evaluate_pooled(const Network& network, const SplitCases& cases, const Dataset& dataset,
                                ConfusionMatrix* grid) {
  const Preprocessing& p = dataset.preprocessing;
  const Segmenter segmenter(network, {});
  ConfusionMatrix pooled(dataset.classes());
  for (std::size_t k = 0; k < cases.size(); ++k) {
    const std::shared_ptr<const PreparedCase> held = cases.at(k);
    const PreparedCase& c = *held;
    for_each_slice(segmenter, c, p, {}, {}, [&](std::size_t i, const Mask& m) {
      pooled.add(c.truth[i].values, restore(m, c.full, p).values, p.label_map.ignore_index);
      if (grid) grid->add(c.labels[i].values, crop(m, {c.labels[i].h, c.labels[i].w}).values, p.label_map.ignore_index);
    });
  }
  return pooled;
}

double voxel_mm3(const PreparedCase& c) { return c.volume ? c.spacing_mm[0] * c.spacing_mm[1] * c.spacing_mm[2] : 1.0; }

std::string validation_dice_name(const std::string& class_name) {
  std::string name = "val_dice_" + class_name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

Validation segmentation_validation(const Network& network, const SplitCases& cases, const Dataset& dataset) {
  ConfusionMatrix on_grid(dataset.classes());
  const ConfusionMatrix m = evaluate_pooled(network, cases, dataset, &on_grid);
  Validation v;
  v.score = m.foreground_dice();
  if (std::isnan(v.score)) v.score = 0;  // no foreground anywhere
  v.values = {{"val_dice", m.foreground_dice()},
              {"val_iou", m.foreground_iou()},
              {"val_accuracy", m.accuracy()},
              {"val_dice_grid", on_grid.foreground_dice()}};
  v.text = fmt::format("Dice {:.3f} ", m.foreground_dice());
  for (int k = 1; k < dataset.classes(); ++k) {
    const std::string& name = dataset.class_names[static_cast<std::size_t>(k)];
    v.values[validation_dice_name(name)] = m.dice(k);
    v.text += fmt::format("{}{} {:.2f}", k == 1 ? "(" : ", ", name, m.dice(k));
  }
  v.text += ")";
  return v;
}

}  // namespace gf
