// graphflow predict: masks for files or folders, with the input's geometry. The model is loaded once; a broken file is
// reported and the rest go on (exit code 4).
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/postprocess_file.h"
#include "apps/progress.h"
#include "apps/report/overlay.h"
#include "apps/session.h"
#include "distill/inference.h"
#include "distill/model_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> find_inputs(const std::vector<std::string>& given) {
  std::vector<std::string> files;
  for (const std::string& g : given) {
    if (!fs::exists(g)) bad_data("no such file or folder", g);
    if (!fs::is_directory(g)) {
      files.push_back(g);
      continue;
    }
    const std::size_t before = files.size();
    for (const fs::directory_entry& e : fs::directory_iterator(g))
      if (e.is_regular_file() && is_input_name(e.path().string())) files.push_back(e.path().string());
    if (files.size() == before)
      bad_data("nothing to predict in the folder", g, ".nii, .nii.gz, .png, .jpg, .bmp, .tif, .npz or .h5 files",
               "none");
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  return files;
}

// -o names a file where one input and a mask's ending are given, else a folder.
std::string output_name(const std::string& input, const PredictFlags& flags, std::size_t inputs) {
  const fs::path out(flags.output);
  const bool file = inputs == 1 && (is_nifti_name(flags.output) || out.extension() == ".png");
  if (file) return flags.output;
  const std::string name = input_stem(input) + (is_image_name(input) ? ".png" : ".nii.gz");
  return (out / name).string();
}

void write_preview(const std::string& mask_file, const PreparedCase& c, const std::vector<Mask>& masks,
                   const Preprocessing& p) {
  // The slice with the most foreground says most.
  std::size_t best = 0;
  std::ptrdiff_t most = -1;
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const std::ptrdiff_t count =
        std::count_if(masks[i].values.begin(), masks[i].values.end(), [](std::int32_t v) { return v > 0; });
    if (count > most) {
      most = count;
      best = i;
    }
  }
  const Picture& small = c.images[best];
  write_png(
      (fs::path(mask_file).parent_path() / (nifti_stem(fs::path(mask_file).stem().string()) + "_preview.png")).string(),
      draw_overlay(small, fit(masks[best], p), {.scale = 3, .quarter_turns = c.volume && p.slice_axis != 2 ? 1 : 0}));
}

void predict_file(const std::string& input, const std::string& output, const NetworkFile& model,
                  const Postprocessing& postprocessing, const PredictFlags& flags) {
  const Preprocessing& p = model.description.preprocessing;
  const PreparedCase c = load_input({input}, p);
  std::vector<Mask> masks = predict_case(*model.network, c, p, flags.batch_size);
  clean(masks, postprocessing, voxel_mm3(c));
  if (const fs::path parent = fs::path(output).parent_path(); !parent.empty()) fs::create_directories(parent);
  write_prediction(output, c, masks, p,
                   c.volume ? Palette{} : class_palette(static_cast<int>(model.description.class_names.size())));
  const bool empty = std::all_of(masks.begin(), masks.end(), [](const Mask& m) {
    return std::all_of(m.values.begin(), m.values.end(), [](std::int32_t v) { return v == 0; });
  });
  if (empty)
    fmt::print(stderr, "warning: {}: the mask is empty; is this the kind of picture the model was trained on?\n",
               input);
  if (flags.preview) write_preview(output, c, masks, p);
}

}  // namespace

int predict_command(const PredictFlags& flags) {
  const std::atomic<bool>& stop = stop_requested();
  const std::vector<std::string> inputs = find_inputs(flags.inputs);
  const Device device = start_engine(flags.device, flags.threads);
  const NetworkFile model = load_network(flags.model, device);
  const Postprocessing postprocessing =
      wanted_postprocessing(flags.postprocess, flags.model, model.description.class_names);
  std::vector<std::string> failed;
  std::size_t written = 0, kept = 0;
  {
    Progress progress("predict", static_cast<std::int64_t>(inputs.size()));
    for (std::size_t i = 0; i < inputs.size() && !stop; ++i) {
      const std::string output = output_name(inputs[i], flags, inputs.size());
      try {
        if (flags.keep_existing && fs::exists(output)) {
          ++kept;
        } else {
          predict_file(inputs[i], output, model, postprocessing, flags);
          ++written;
        }
      } catch (const Error& e) {
        if (e.kind() == ErrorKind::out_of_memory) throw;
        if (inputs.size() == 1) throw;
        failed.push_back(inputs[i]);
        progress.note(fmt::format("failed: {}", e.what()));
      }
      progress.update(static_cast<std::int64_t>(i) + 1, 0, {});
    }
  }
  fmt::print("{} written, {} kept, {} failed: {}\n", written, kept, failed.size(), flags.output);
  if (stop) return kInterrupted;
  return failed.empty() ? 0 : static_cast<int>(ErrorKind::some_cases_failed);
}

}  // namespace gf
