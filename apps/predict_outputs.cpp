#include "apps/predict_outputs.h"

#include <sys/stat.h>

#include <cctype>
#include <filesystem>
#include <map>
#include <optional>

#include "apps/prediction.h"
#include "data/case.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool is_picture_mask(const std::string& path) { return lower(path).ends_with(".png"); }
bool is_volume_mask(const std::string& path) { return path.ends_with(".nii") || path.ends_with(".nii.gz"); }

[[noreturn]] void refuse(const std::string& what, const std::string& where, const std::string& expected,
                         const std::string& found, const std::string& remedy = {}) {
  throw Error(ErrorKind::usage, {what, where, expected, found, remedy});
}

// Whether `output` names a mask's file; else it is a folder's name.
bool names_one_mask(const std::string& output, const std::vector<PredictInput>& inputs) {
  if (fs::is_directory(output)) return false;
  if (!is_input_name(lower(output))) {
    if (fs::exists(output)) refuse("the output folder is a file", output, "a folder, or a mask's name", "a file");
    return false;
  }
  if (!is_picture_mask(output) && !is_volume_mask(output))
    refuse("masks of this kind are not written", output, "a folder, or a name ending in .png, .nii or .nii.gz",
           fs::path(output).extension().string());
  if (inputs.size() != 1)
    refuse("one mask file for several inputs", output, "a folder", std::to_string(inputs.size()) + " inputs");
  const bool volume = inputs[0].is_volume();
  if (volume != is_volume_mask(output))
    refuse("a mask is of its input's kind", output,
           volume ? "a name ending in .nii or .nii.gz" : "a name ending in .png",
           fs::path(output).extension().string() + " for " + inputs[0].path());
  return true;
}

// The file itself, whatever name leads to it; nothing where there is none.
std::optional<std::pair<dev_t, ino_t>> identity(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return std::nullopt;
  return std::pair(s.st_dev, s.st_ino);
}

}  // namespace

PredictOutputs::PredictOutputs(const PredictFlags& flags, const std::vector<PredictInput>& inputs)
    : flags_(flags), one_mask_(names_one_mask(flags.output, inputs)) {
  std::map<std::string, std::string> owners;
  std::map<std::pair<dev_t, ino_t>, std::string> read;
  for (const PredictInput& input : inputs) {
    for (const std::string& file : files_of(input)) {
      const auto [at, fresh] = owners.try_emplace(file, input.path());
      if (!fresh)
        refuse("two inputs have one mask", file, "different names", at->second + " and " + input.path(),
               "predict them into different folders");
    }
    for (const std::string& file : input.files)
      if (const auto id = identity(file)) read.try_emplace(*id, file);
  }
  for (const PredictInput& input : inputs)
    for (const std::string& file : files_of(input)) {
      const auto id = identity(file);
      if (!id) continue;
      if (const auto replaced = read.find(*id); replaced != read.end())
        refuse("the output would replace an input", replaced->second, "another file", file,
               "choose another folder with -o");
    }
}

std::string PredictOutputs::mask(const PredictInput& input) const {
  if (one_mask_) return flags_.output;
  return (fs::path(flags_.output) / (input.name + (input.is_volume() ? ".nii.gz" : ".png"))).string();
}

std::vector<std::string> PredictOutputs::files_of(const PredictInput& input) const {
  std::vector<std::string> files = {mask(input)};
  if (flags_.probabilities) files.push_back(beside_mask(files[0], kProbabilitiesEnding));
  if (flags_.preview) files.push_back(beside_mask(files[0], kPreviewEnding));
  return files;
}

std::string PredictOutputs::table(const std::string& name) const {
  const fs::path output(flags_.output);
  return ((one_mask_ ? output.parent_path() : output) / name).string();
}

}  // namespace gf
