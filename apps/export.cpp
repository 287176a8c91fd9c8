// graphflow export: a trained network as an ONNX file, with what its preprocessing was and how its classes are called
// in the file's metadata and in a JSON file beside it. Before the two appear under their names the written file has
// been read back, checked, run and compared with the network.
#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/build_info.h"
#include "apps/commands.h"
#include "apps/postprocess_file.h"
#include "apps/progress.h"
#include "apps/session.h"
#include "distill/model_file.h"
#include "engine/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/ops/random.h"
#include "kernels/error.h"
#include "models/onnx/export.h"
#include "models/onnx/onnx_file.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

// Of the largest logit. A wrong convention is off by percents, another order of sums by 1e-6.
constexpr double kAllowed = 1e-4;
constexpr std::int64_t kPictures = 2;

ImageSize parse_size(const std::string& text) {
  ImageSize s;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%" SCNd64 "x%" SCNd64 "%c", &s.h, &s.w, &rest) != 2)
    throw Error(ErrorKind::usage, {"not a size", "--size", "HEIGHTxWIDTH, as 224x320", text, {}});
  return s;
}

// What the training padded its pictures to; {0, 0} where they had sizes of their own.
ImageSize trained_size(const NetworkDescription& d) {
  if (d.options.image_size != ImageSize{}) return d.options.image_size;
  const Preprocessing& p = d.preprocessing;
  if (p.min_height == 0 || p.min_width == 0) return {};
  const Extent e = padded_extent({1, 1}, p);
  return {e.h, e.w};
}

ImageSize export_size(const ExportFlags& flags, const NetworkDescription& d) {
  if (!flags.size.empty()) return parse_size(flags.size);
  const ImageSize size = trained_size(d);
  if (size == ImageSize{})
    throw Error(ErrorKind::usage, {"the model does not say for which size of picture",
                                   flags.model,
                                   {},
                                   {},
                                   fmt::format("give --size HEIGHTxWIDTH, multiples of {}", d.preprocessing.stride)});
  return size;
}

nlohmann::json preprocessing_json(const Preprocessing& p) {
  nlohmann::json j = nlohmann::json::object();
  for (const auto& [key, value] : p.to_fields()) j[key] = value;
  return j;
}

// Of a large network each takes seconds.
enum Stage { kTraced = 1, kReadBack, kRun, kStages = kRun };

// How far the file's logits are from the network's, relative to the largest one.
double difference(const OnnxFile& file, const Network& network, const OnnxOptions& o) {
  const NoGrad off;
  Random random(1);
  const Tensor x = random_uniform({kPictures, o.size.h, o.size.w, o.in_channels}, -1.0f, 1.0f, random, cpu_device());
  const std::vector<float> ours = network.forward(x, random).logits.to_vector(), theirs = file.run(x).to_vector();
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const double d = std::abs(static_cast<double>(ours[i]) - theirs.at(i));
    most = d <= most ? most : d;  // a NaN stays
    largest = std::max(largest, std::abs(static_cast<double>(ours[i])));
  }
  return largest > 0 ? most / largest : most;
}

}  // namespace

int export_command(const ExportFlags& flags) {
  start_engine("cpu", flags.threads, /*quiet=*/true);
  const fs::path output(flags.output);
  const std::string beside = fs::path(output).replace_extension(".json").string();
  if (output.extension() != ".onnx")
    throw Error(ErrorKind::usage, {"not the name of an ONNX file", flags.output, "NAME.onnx", {}, {}});
  const NetworkFile model = load_network(flags.model);
  const NetworkDescription& d = model.description;
  OnnxOptions o{d.arch, d.options.in_channels, export_size(flags, d), d.to_entries()};
  o.metadata["class_names"] = nlohmann::json(d.class_names).dump();
  o.metadata["input_layout"] = "NCHW";
  o.metadata["graphflow_version"] = kVersion;

  if (!output.parent_path().empty()) fs::create_directories(output.parent_path());
  AtomicFile onnx(flags.output), json(beside);  // before the work: a place that cannot be written is known at once
  Progress progress("export", kStages);
  onnx.write(onnx_bytes(*model.network, o));
  onnx.flush();
  progress.update(kTraced, 0, {});
  const OnnxFile file(onnx.temporary_path());
  progress.update(kReadBack, 0, {});
  const double error = difference(file, *model.network, o);
  progress.update(kRun, 0, {});
  progress.finish();
  if (!(error <= kAllowed))
    fail("the exported file computes something else than the network", flags.output,
         fmt::format("logits within {} of the largest", kAllowed), fmt::format("{:.2g}", error),
         "nothing was written; please report this with the model");

  const nlohmann::ordered_json description{
      {"format", "graphflow export 1"},
      {"file", output.filename().string()},
      {"graphflow_version", kVersion},
      {"opset", kOnnxOpset},
      {"network", {{"arch", d.arch}, {"width", d.options.width}}},
      {"input",
       {{"name", kOnnxInput},
        {"dtype", "float32"},
        {"layout", "NCHW"},
        {"shape", {"batch", o.in_channels, o.size.h, o.size.w}}}},
      {"output",
       {{"name", kOnnxOutput},
        {"dtype", "float32"},
        {"layout", "NCHW"},
        {"shape", {"batch", d.options.classes, o.size.h, o.size.w}},
        {"class_map", "argmax over axis 1"}}},
      {"class_names", d.class_names},
      {"preprocessing", preprocessing_json(d.preprocessing)},
      {"postprocessing", d.postprocessing ? postprocessing_json(*d.postprocessing, d.class_names) : nullptr},
      {"checked", {{"pictures", kPictures}, {"difference", error}, {"allowed", kAllowed}}}};
  json.write(description.dump(2) + "\n");
  onnx.commit();
  json.commit();
  fmt::print("{}: {} for {} x {}, {} nodes, {:.1f} MB; read back, its logits differ by {:.1g} of the largest\n{}\n",
             flags.output, d.arch, o.size.h, o.size.w, file.nodes(), static_cast<double>(fs::file_size(output)) / 1e6,
             error, beside);
  return 0;
}

}  // namespace gf
