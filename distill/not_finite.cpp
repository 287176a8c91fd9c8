#include "distill/not_finite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/autograd.h"
#include "engine/io/safetensors.h"

namespace gf {
namespace {

class Tracing {
 public:
  Tracing() : before_(tracing_nan()) { trace_nan(true); }
  ~Tracing() { trace_nan(before_); }
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;

 private:
  bool before_;
};

bool finite(const Tensor& t) {
  const std::vector<float> v = t.to_vector();
  return std::all_of(v.begin(), v.end(), [](float x) { return std::isfinite(x); });
}

// Of the layer whose parameters the op took; empty where it took none.
std::string layer_of(const std::vector<std::shared_ptr<GradientSlot>>& inputs, const Module& module) {
  for (const NamedTensor& p : module.parameters())
    for (const auto& slot : inputs)
      if (slot && slot == p.tensor.slot()) return p.name.substr(0, p.name.rfind('.'));
  return {};
}

std::string describe(const NotFiniteError::Place& place, const Module& module) {
  const std::string layer = layer_of(place.inputs, module);
  return fmt::format("{} ({}){}, tensor {}", place.op, place.backward ? "backward" : "forward",
                     layer.empty() ? "" : " of layer " + layer, place.shape.str());
}

std::optional<std::size_t> first_bad_picture(const Tensor& image) {
  for (std::int64_t i = 0; i < image.shape().n; ++i)
    if (!finite(image.view_images(i, 1))) return static_cast<std::size_t>(i);
  return {};
}

}  // namespace

NotFinitePlace find_not_finite(TrainingTask& task, const NotFiniteStep& step, std::uint64_t seed) {
  NotFinitePlace found;
  for (; found.micro_batch < step.batches.size(); ++found.micro_batch)
    if ((found.sample = first_bad_picture(step.batches[found.micro_batch].image))) {
      found.what = "the picture itself";
      found.in_data = true;
      return found;
    }
  found.micro_batch = 0;
  const auto bad_parameter = [](const std::string& owner, const Module& module) -> std::string {
    for (const NamedTensor& p : module.parameters())
      if (!finite(p.tensor)) return owner + p.name;
    return {};
  };
  found.what = bad_parameter("parameter ", task.trained());
  if (found.what.empty() && task.opponent()) {
    found.what = bad_parameter("parameter of the discriminator, ", task.opponent()->model());
    found.in_opponent = !found.what.empty();
  }
  if (!found.what.empty()) return found;
  const Device device = task.trained().device();
  Random random(seed, step.random_position);
  const Tracing on;
  task.trained().train();
  task.begin_step(step.step - 1);
  // Whether `pass` went through; the place where it did not.
  const auto passes = [&](const Module& module, const auto& pass) {
    try {
      pass();
      return true;
    } catch (const NotFiniteError& e) {
      const NotFiniteError::Place& p = e.place();
      const Shape& pictures = step.batches[found.micro_batch].image.shape();
      found.what = describe(p, module);
      if (p.shape.n == pictures.n)
        found.sample = static_cast<std::size_t>(p.element / (p.shape.h * p.shape.w * p.shape.c));
      return false;
    }
  };
  Opponent* const opponent = task.opponent();
  if (opponent) opponent->begin();
  for (; found.micro_batch < step.batches.size(); ++found.micro_batch) {
    Batch batch = step.batches[found.micro_batch];
    batch.image = batch.image.to(device);
    if (batch.label) batch.label = batch.label.to(device);
    finish_augmentation(batch);
    if (!passes(task.trained(), [&] { backward(task.objective(batch, random).total()); })) return found;
  }
  found.micro_batch = 0;
  for (; opponent && found.micro_batch < step.batches.size(); ++found.micro_batch)
    if (!passes(opponent->model(), [&] { backward(opponent->turn(random).loss); })) {
      found.what = "the discriminator's turn: " + found.what;
      found.in_opponent = true;
      return found;
    }
  found.micro_batch = 0;
  return found;
}

void save_batches(const std::string& path, const NotFiniteStep& step, const BatchSource& source,
                  const std::string& what) {
  std::vector<TensorToWrite> tensors;
  Metadata metadata{{"step", std::to_string(step.step)}, {"not_finite", what}};
  const auto add = [&]<class T>(const std::string& name, const Tensor& t, T) {
    const Shape& s = t.shape();
    tensors.push_back(
        to_write(name, {s.n, s.h, s.w, s.c}, std::span<const T>(t.data<T>(), static_cast<std::size_t>(t.count()))));
  };
  for (std::size_t i = 0; i < step.batches.size(); ++i) {
    const Batch& b = step.batches[i];
    add(fmt::format("image{}", i), b.image, float{});
    if (b.label) add(fmt::format("label{}", i), b.label, std::int32_t{});
    std::string names;
    for (std::size_t k = 0; k < b.samples.size(); ++k) names += (k ? "\n" : "") + source.name_of_sample(b, k);
    metadata[fmt::format("samples{}", i)] = names;
  }
  write_safetensors(path, std::move(tensors), std::move(metadata));
}

}  // namespace gf
