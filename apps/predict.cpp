// graphflow predict: masks for files or folders, with the input's geometry. The model is loaded once; a broken file is
// reported and the rest go on (exit code 4).
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "apps/available_memory.h"
#include "apps/commands.h"
#include "apps/config.h"
#include "apps/interrupt.h"
#include "apps/memory_need.h"
#include "apps/one_line.h"
#include "apps/postprocess_file.h"
#include "apps/predict_inputs.h"
#include "apps/predict_outputs.h"
#include "apps/prediction.h"
#include "apps/progress.h"
#include "apps/report/prediction_page.h"
#include "apps/session.h"
#include "engine/io/atomic_file.h"
#include "engine/io/utf8.h"
#include "engine/memory.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

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

// By the layout that the model was trained on, where its file says that in words of this version.
FileNames naming_of(const NetworkFile& model, const std::string& file) {
  const auto config = model.entries.find("config");
  if (config == model.entries.end()) return FileNames::any;
  try {
    return parse_config(config->second, file).data.layout == "nnunet" ? FileNames::nnunet : FileNames::any;
  } catch (const Error&) {
    return FileNames::any;
  }
}

std::optional<InputSize> size_of(const PredictInput& input, const Preprocessing& preprocessing) {
  try {
    return input_size(input.files, preprocessing);
  } catch (const Error&) {  // is said where the case is read
    return std::nullopt;
  }
}

double free_memory() {  // what the allocator keeps for reuse is free too
  return static_cast<double>(available_memory()) + static_cast<double>(memory_statistics().cached);
}

// A full memory speaks of tensors, or of nothing; the user must know which file was too large.
Error memory_error(const std::string& file, const std::string& tensor, bool in_tiles) {
  return Error(ErrorKind::out_of_memory,
               {"out of memory", file + (tensor.empty() ? "" : ", " + tensor), "", "",
                in_tiles ? "cut it into parts, or take a machine with more memory"
                         : "predict large pictures in tiles, --tile 512, or with a smaller --batch-size"});
}

// Why this case has no mask; nothing where it has. Passes on what no other case would survive.
template <class Step>
std::optional<Error> failure_of(const std::string& file, bool in_tiles, const Step& step) {
  try {
    step();
  } catch (const NoSpace&) {
    throw;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::out_of_memory && !e.parts().where.starts_with(file))
      return memory_error(file, e.parts().where, in_tiles);
    return e;
  } catch (const std::bad_alloc&) {
    return memory_error(file, "", in_tiles);
  }
  return std::nullopt;
}

}  // namespace

int predict_command(const PredictFlags& flags) {
  const std::atomic<bool>& stop = stop_requested();
  const ImageSize tile = parse_tile(flags.tile);
  const Device device = start_engine(flags.device, flags.threads);
  const NetworkFile model = load_network(flags.model, device);
  const int channels = model.description.preprocessing.channels;
  const std::vector<PredictInput> inputs = find_inputs(flags.inputs, channels, naming_of(model, flags.model));
  const PredictOutputs outputs(flags, inputs);
  model.network->freeze();  // its batch norms are folded into the convolutions
  const SegmenterOptions how{flags.batch_size, flags.mirrors, tile, flags.overlap};
  const Segmenter segmenter(*model.network, how);
  MemoryNeed memory(*model.network, segmenter, model.description.preprocessing, how, model.description.options.classes);
  PredictionOptions options;
  options.postprocessing = wanted_postprocessing(flags.postprocess, flags.model, model.description);
  options.range = TrainingRange::from_entries(model.entries, flags.model);
  options.probabilities = flags.probabilities;
  options.preview = flags.preview;
  options.picture = flags.report;

  PredictionReport report{flags.model, {}, model.description.class_names, {}, {}};
  report.settings =
      fmt::format("{}{}", tile == ImageSize{} ? "Pictures seen whole" : "Pictures seen in tiles of " + flags.tile,
                  flags.mirrors ? ", mean over four mirror images" : "") +
      "; post-processing: " + describe(options.postprocessing, model.description.class_names);
  std::size_t written = 0, kept = 0;
  const auto predict = [&](const PredictInput& input, Progress& progress) {
    const std::string output = outputs.mask(input);
    require_all_channels(input, channels);
    if (flags.keep_existing && fs::exists(output)) {
      if (auto done = read_prediction(input.files, output, model.description)) {
        report.predictions.push_back(std::move(*done));
        ++kept;
        return;
      }
      progress.note(one_line(fmt::format("no whole mask of {}, made again: {}", input.path(), output)));
    }
    if (const auto size = size_of(input, model.description.preprocessing))
      memory.require(input.path(), *size, free_memory());
    Prediction p = predict_files(input.files, output, model, segmenter, options);
    for (const std::string& line : p.warnings)
      progress.note(one_line(fmt::format("warning: {}: {}", input.path(), line)));
    if (!flags.report) p.picture = {};
    report.predictions.push_back(std::move(p));
    ++written;
  };
  try {
    Progress progress("predict", static_cast<std::int64_t>(inputs.size()));
    for (std::size_t i = 0; i < inputs.size() && !stop; ++i) {
      const auto failure = failure_of(inputs[i].path(), !flags.tile.empty(), [&] { predict(inputs[i], progress); });
      if (failure) {
        if (inputs.size() == 1) throw *failure;
        report.failed.push_back(failure->what());
        progress.note(one_line(fmt::format("failed: {}", failure->what())));
        release_cached_memory(device);  // what the failed case took is not what the next one needs
      }
      progress.update(static_cast<std::int64_t>(i) + 1, 0, {});
    }
  } catch (const NoSpace& e) {  // the other masks would find no space either
    Error::Parts parts = e.parts();
    if (inputs.size() > 1)
      parts.remedy += fmt::format("; {} of {} masks were written, --continue makes the others", written, inputs.size());
    throw Error(e.kind(), parts);
  }
  if (flags.statistics && !report.predictions.empty())
    write_file_atomically(outputs.table("statistics.csv"), to_valid_utf8(statistics_csv(report.predictions)));
  if (flags.report && !report.predictions.empty())
    write_file_atomically(outputs.table("predictions.html"), prediction_page(report));
  fmt::print("{} written, {} kept, {} failed: {}\n", written, kept, report.failed.size(), flags.output);
  if (stop) return kInterrupted;
  return report.failed.empty() ? 0 : static_cast<int>(ErrorKind::some_cases_failed);
}

}  // namespace gf
