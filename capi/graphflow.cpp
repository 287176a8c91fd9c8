// The C API: checks arguments, turns exceptions into codes, and does nothing else.
#include "capi/graphflow.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <new>
#include <string>

#include <fmt/format.h>

#include "data/case.h"
#include "distill/inference.h"
#include "distill/model_file.h"
#include "engine/device.h"
#include "kernels/error.h"

struct gf_model {
  gf::NetworkFile file;
  int threads = 0, batch_size = 0;
  gf::Postprocessing postprocessing;
  std::string postprocessing_text;
  std::mutex one_at_a_time;
};

namespace {

// Sides and slices beyond this are a mistake of the caller; their product cannot overflow.
constexpr std::int64_t kMost = 1 << 20;
constexpr std::int64_t kMostValues = std::int64_t{1} << 40;
constexpr int kBatch = 8;

// Kept by the thread, so that no other thread's failure changes it.
std::string& last_error() {
  thread_local std::string text;
  return text;
}

gf_status remember(gf_status status, const char* text) noexcept {
  try {
    last_error() = text;
    std::replace(last_error().begin(), last_error().end(), '\n', ' ');
  } catch (...) {
    last_error().clear();
  }
  return status;
}

gf_status status_of(gf::ErrorKind kind) {
  switch (kind) {
    case gf::ErrorKind::usage:
      return GF_USAGE;
    case gf::ErrorKind::bad_data:
      return GF_BAD_DATA;
    case gf::ErrorKind::out_of_memory:
      return GF_OUT_OF_MEMORY;
    default:
      return GF_FAILURE;
  }
}

template <class Action>
gf_status guarded(const Action& action) noexcept {
  try {
    action();
    return GF_OK;
  } catch (const gf::Error& e) {
    return remember(status_of(e.kind()), e.what());
  } catch (const std::bad_alloc&) {
    return remember(GF_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return remember(GF_FAILURE, e.what());
  } catch (...) {
    return remember(GF_FAILURE, "unknown failure");
  }
}

[[noreturn]] void usage(const std::string& what, const std::string& where, const std::string& expected,
                        const std::string& found) {
  throw gf::Error(gf::ErrorKind::usage, {what, where, expected, found, {}});
}

void require(const void* pointer, const char* name) {
  if (!pointer) usage("null pointer", name, "a valid one", "NULL");
}

// The number of threads is the calling thread's own setting in OpenMP, and the caller's again afterwards.
class Threads {
 public:
  explicit Threads(int count) : previous_(gf::threads()) { gf::set_threads(count); }
  ~Threads() { gf::set_threads(previous_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int previous_;
};

std::vector<float> copied(const gf_image& image, std::int64_t channels) {
  for (const auto& [name, extent] :
       {std::pair{"slices", image.slices}, {"height", image.height}, {"width", image.width}})
    if (extent < 1 || extent > kMost)
      usage("image of an impossible size", name, fmt::format("1 to {}", kMost), std::to_string(extent));
  if (image.channels != channels)
    usage("image with another number of channels", "gf_image.channels", std::to_string(channels),
          std::to_string(image.channels));
  const std::int64_t slice = image.height * image.width;
  if (slice > kMostValues / image.slices / channels)
    usage("image of an impossible size", "gf_image", fmt::format("at most {} values", kMostValues),
          fmt::format("{} x {} x {} x {}", image.slices, image.height, image.width, channels));
  std::vector<float> pixels(image.pixels, image.pixels + slice * image.slices * channels);
  const auto bad = std::find_if(pixels.begin(), pixels.end(), [](float v) { return !std::isfinite(v); });
  if (bad != pixels.end())
    gf::bad_data("image value is not finite", fmt::format("gf_image.pixels[{}]", bad - pixels.begin()),
                 "a finite number", std::to_string(*bad));
  return pixels;
}

// Of one voxel, as post-processing counts.
double voxel_mm3(const gf_image& image, const gf::Postprocessing& p) {
  if (!(image.voxel_mm3 >= 0) || std::isinf(image.voxel_mm3))
    usage("image of an impossible voxel volume", "gf_image.voxel_mm3", "mm3, or 0", std::to_string(image.voxel_mm3));
  if (image.voxel_mm3 > 0) return image.voxel_mm3;
  if (image.slices > 1 && p.knows_volumes())
    usage("the model's post-processing counts mm3", "gf_image.voxel_mm3", "the volume of a voxel (or gf_options.raw)",
          "0");
  return 1;
}

void predict(const gf_model& model, const gf_image& image, std::int32_t* classes) {
  const gf::Preprocessing& p = model.file.description.preprocessing;
  const gf::PreparedCase prepared =
      gf::prepare_slices(copied(image, p.channels), image.slices, {image.height, image.width}, p);
  const double mm3 = voxel_mm3(image, model.postprocessing);
  const gf::Segmenter segmenter(*model.file.network, {.batch_size = model.batch_size});
  std::vector<gf::Mask> masks = gf::predict_case(segmenter, prepared, p);
  gf::clean(masks, model.postprocessing, mm3);
  for (const gf::Mask& mask : masks) classes = std::copy(mask.values.begin(), mask.values.end(), classes);
}

}  // namespace

gf_status gf_load(const char* file, const gf_options* options, gf_model** model) {
  if (model) *model = nullptr;
  return guarded([&] {
    require(file, "file");
    require(model, "model");
    const gf_options o = options ? *options : gf_options{};
    if (o.threads < 0 || o.batch_size < 0)
      usage("negative option", "gf_options", "threads and batch_size of at least 0",
            fmt::format("{} and {}", o.threads, o.batch_size));
    const Threads threads(o.threads);
    auto loaded = std::make_unique<gf_model>();
    loaded->file = gf::load_network(file, gf::parse_device(o.device ? o.device : "cpu"));
    loaded->file.network->freeze();  // its batch norms are folded into the convolutions
    loaded->threads = o.threads;
    loaded->batch_size = o.batch_size > 0 ? o.batch_size : kBatch;
    const gf::NetworkDescription& d = loaded->file.description;
    if (o.raw == 0 && d.postprocessing) loaded->postprocessing = *d.postprocessing;
    loaded->postprocessing_text = gf::describe(loaded->postprocessing, d.class_names);
    *model = loaded.release();
  });
}

gf_status gf_predict(gf_model* model, const gf_image* image, int32_t* classes) {
  return guarded([&] {
    require(model, "model");
    require(image, "image");
    require(image->pixels, "image->pixels");
    require(classes, "classes");
    const std::lock_guard lock(model->one_at_a_time);
    const Threads threads(model->threads);
    predict(*model, *image, classes);
  });
}

void gf_free(gf_model* model) { delete model; }
const char* gf_error(void) { return last_error().c_str(); }

int gf_channels(const gf_model* model) { return model ? model->file.description.preprocessing.channels : 0; }
int gf_classes(const gf_model* model) {
  return model ? static_cast<int>(model->file.description.class_names.size()) : 0;
}
const char* gf_class_name(const gf_model* model, int class_id) {
  return class_id >= 0 && class_id < gf_classes(model)
             ? model->file.description.class_names[static_cast<std::size_t>(class_id)].c_str()
             : nullptr;
}

const char* gf_postprocessing(const gf_model* model) { return model ? model->postprocessing_text.c_str() : nullptr; }

const char* gf_version(void) { return GF_VERSION; }
