// graphflow predict: masks for files or folders, with the input's geometry. The model is loaded once; a broken file is
// reported and the rest go on (exit code 4).
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/one_line.h"
#include "apps/postprocess_file.h"
#include "apps/prediction.h"
#include "apps/progress.h"
#include "apps/report/prediction_page.h"
#include "apps/session.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

void add_folder(std::vector<std::string>& files, const std::string& folder) {
  const std::size_t before = files.size();
  for (const fs::directory_entry& e : fs::directory_iterator(folder))
    if (e.is_regular_file() && is_input_name(e.path().string())) files.push_back(e.path().string());
  if (files.size() == before)
    bad_data("nothing to predict in the folder", folder, ".nii, .nii.gz, .png, .jpg, .bmp, .tif, .npz or .h5 files",
             "none");
  std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
}

constexpr std::size_t kLongestPath = 4096;

// Paths are as they stand, or beside the list.
void add_list(std::vector<std::string>& files, const std::string& list) {
  std::ifstream in(list);
  const std::size_t before = files.size();
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.size() > kLongestPath || line.find('\0') != std::string::npos)
      bad_data("no list of files", fmt::format("{} line {}", list, number),
               fmt::format("a path of at most {} bytes", kLongestPath),
               line.size() > kLongestPath ? std::to_string(line.size()) : "a NUL character");
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    const fs::path near = fs::path(list).parent_path() / line;
    std::error_code unusable;  // is said where the file is read
    files.push_back(!fs::exists(line, unusable) && fs::exists(near, unusable) ? near.string() : line);
  }
  if (files.size() == before) bad_data("nothing to predict in the list", list, "one path a line", "none");
}

std::vector<std::string> find_inputs(const std::vector<std::string>& given) {
  std::vector<std::string> files;
  for (const std::string& g : given) {
    if (!fs::exists(g)) bad_data("no such file or folder", g);
    if (fs::is_directory(g))
      add_folder(files, g);
    else if (fs::path(g).extension() == ".txt")
      add_list(files, g);
    else
      files.push_back(g);
  }
  return files;
}

bool names_one_mask(const PredictFlags& flags, std::size_t inputs) {
  return inputs == 1 && (is_nifti_name(flags.output) || fs::path(flags.output).extension() == ".png");
}

// -o names a file where one input and a mask's ending are given, else a folder.
std::string output_name(const std::string& input, const PredictFlags& flags, std::size_t inputs) {
  if (names_one_mask(flags, inputs)) return flags.output;
  const std::string name = input_stem(input) + (is_image_name(input) ? ".png" : ".nii.gz");
  return (fs::path(flags.output) / name).string();
}

// "a/case.png" and "b/case.jpg" would have the same mask.
void require_different_outputs(const std::vector<std::string>& inputs, const PredictFlags& flags) {
  std::map<std::string, std::string> owners;
  for (const std::string& input : inputs) {
    const auto [at, fresh] = owners.try_emplace(output_name(input, flags, inputs.size()), input);
    if (!fresh)
      throw Error(ErrorKind::usage, {"two inputs have one mask", at->first, "different names",
                                     at->second + " and " + input, "predict them into different folders"});
  }
}

ImageSize parse_tile(const std::string& text) {
  if (text.empty()) return {};
  ImageSize tile;
  const auto number = [&](const char* begin, const char* end, std::int64_t& value) {
    const auto [at, error] = std::from_chars(begin, end, value);
    return error == std::errc() && at == end && value > 0;
  };
  const char *begin = text.data(), *end = begin + text.size(), *x = std::find(begin, end, 'x');
  const bool one = x == end;
  if (!number(begin, x, tile.h) || !(one || number(x + 1, end, tile.w)))
    throw Error(ErrorKind::usage, {"bad size of a tile", "--tile", "HEIGHTxWIDTH or SIDE", "\"" + text + "\"", ""});
  if (one) tile.w = tile.h;
  return tile;
}

}  // namespace

int predict_command(const PredictFlags& flags) {
  const std::atomic<bool>& stop = stop_requested();
  const std::vector<std::string> inputs = find_inputs(flags.inputs);
  require_different_outputs(inputs, flags);
  const ImageSize tile = parse_tile(flags.tile);
  const Device device = start_engine(flags.device, flags.threads);
  const NetworkFile model = load_network(flags.model, device);
  model.network->freeze();  // its batch norms are folded into the convolutions
  const Segmenter segmenter(*model.network, {flags.batch_size, flags.mirrors, tile, flags.overlap});
  PredictionOptions options;
  options.postprocessing = wanted_postprocessing(flags.postprocess, flags.model, model.description);
  options.range = TrainingRange::from_entries(model.entries, flags.model);
  options.probabilities = flags.probabilities;
  options.preview = flags.preview;
  options.picture = flags.report;

  PredictionReport report{flags.model, {}, model.description.class_names, {}, {}};
  report.settings =
      fmt::format("{}{}", tile == ImageSize{} ? "Pictures seen whole" : "Pictures seen in tiles of " + flags.tile,
                  flags.mirrors ? ", mean over four mirror images" : "");
  std::size_t written = 0, kept = 0;
  {
    Progress progress("predict", static_cast<std::int64_t>(inputs.size()));
    for (std::size_t i = 0; i < inputs.size() && !stop; ++i) {
      const std::string output = output_name(inputs[i], flags, inputs.size());
      try {
        if (flags.keep_existing && fs::exists(output)) {
          if (flags.statistics || flags.report)
            report.predictions.push_back(read_prediction(inputs[i], output, report.class_names));
          ++kept;
        } else {
          Prediction p = predict_file(inputs[i], output, model, segmenter, options);
          for (const std::string& line : p.warnings)
            progress.note(one_line(fmt::format("warning: {}: {}", inputs[i], line)));
          if (!flags.report) p.picture = {};
          report.predictions.push_back(std::move(p));
          ++written;
        }
      } catch (const Error& e) {
        if (e.kind() == ErrorKind::out_of_memory) throw;
        if (inputs.size() == 1) throw;
        report.failed.push_back(e.what());
        progress.note(one_line(fmt::format("failed: {}", e.what())));
      }
      progress.update(static_cast<std::int64_t>(i) + 1, 0, {});
    }
  }
  const fs::path output(flags.output), folder = names_one_mask(flags, inputs.size()) ? output.parent_path() : output;
  if (flags.statistics && !report.predictions.empty())
    write_file_atomically((folder / "statistics.csv").string(), statistics_csv(report.predictions));
  if (flags.report && !report.predictions.empty())
    write_file_atomically((folder / "predictions.html").string(), prediction_page(report));
  fmt::print("{} written, {} kept, {} failed: {}\n", written, kept, report.failed.size(), flags.output);
  if (stop) return kInterrupted;
  return report.failed.empty() ? 0 : static_cast<int>(ErrorKind::some_cases_failed);
}

}  // namespace gf
