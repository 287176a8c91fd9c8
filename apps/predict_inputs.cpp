#include "apps/predict_inputs.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "data/array_files.h"
#include "data/case.h"
#include "data/image.h"
#include "data/layouts/nnunet_folders.h"
#include "data/nifti.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

PredictInput one_file(const std::string& path) { return {{path}, input_stem(path)}; }

void add_folder(std::vector<PredictInput>& inputs, const std::string& folder) {
  std::vector<std::string> files;
  for (const fs::directory_entry& e : fs::directory_iterator(folder))
    if (e.is_regular_file() && is_input_name(e.path().string())) files.push_back(e.path().string());
  if (files.empty())
    bad_data("nothing to predict in the folder", folder, ".nii, .nii.gz, .png, .jpg, .bmp, .tif, .npz or .h5 files",
             "none");
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) inputs.push_back(one_file(file));
}

constexpr std::size_t kLongestPath = 4096;

// Paths are as they stand, or beside the list.
std::string listed_file(const std::string& path, const std::string& list) {
  const fs::path near = fs::path(list).parent_path() / path;
  std::error_code unusable;  // is said where the file is read
  return !fs::exists(path, unusable) && fs::exists(near, unusable) ? near.string() : path;
}

PredictInput listed_case(const std::string& line, const std::string& list) {
  const std::string whole = listed_file(line, list);
  std::error_code unusable;
  if (line.find('\t') == std::string::npos || fs::exists(whole, unusable)) return one_file(whole);
  PredictInput input;
  std::istringstream paths(line);
  for (std::string path; std::getline(paths, path, '\t');)
    if (!path.empty()) input.files.push_back(listed_file(path, list));
  input.name = without_channel(input_stem(input.path()));
  return input;
}

void add_list(std::vector<PredictInput>& inputs, const std::string& list) {
  std::ifstream in(list);
  const std::size_t before = inputs.size();
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.size() > kLongestPath || line.find('\0') != std::string::npos)
      bad_data("no list of files", fmt::format("{} line {}", list, number),
               fmt::format("a path of at most {} bytes", kLongestPath),
               line.size() > kLongestPath ? std::to_string(line.size()) : "a NUL character");
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    inputs.push_back(listed_case(line, list));
  }
  if (inputs.size() == before) bad_data("nothing to predict in the list", list, "one case a line", "none");
}

bool is_numbered(const PredictInput& input) {
  return input.files.size() == 1 && !is_array_name(input.path()) && without_channel(input.name) != input.name;
}

int number_of(const std::string& file) {
  const std::string stem = input_stem(file);
  return std::stoi(stem.substr(stem.size() - 4));
}

std::int64_t stored_channels(const std::string& file) {
  return is_nifti_name(file) ? read_nifti_header(file).channels : read_image(file).c;
}

// Numbered files of one folder and kind by their cases.
using Folder = std::pair<std::string, bool>;
using Groups = std::map<std::string, std::vector<std::size_t>>;

// Whether the numbers count channels, and not the frames of a series.
bool count_channels(const std::vector<PredictInput>& inputs, const Groups& groups, int channels) {
  const std::string& first = inputs[groups.begin()->second.front()].path();
  std::int64_t stored = 1;
  try {
    stored = stored_channels(first);
  } catch (const Error&) {  // is said where the case is read
  }
  if (stored >= channels) return false;
  if (is_nifti_name(first) || channels != 3) return true;
  // Gray pictures serve a model of three channels as they are: theirs are frames of a series, but where some case has
  // just these three.
  bool some_complete = false;
  for (const auto& [name, members] : groups) {
    if (std::any_of(members.begin(), members.end(), [&](std::size_t i) { return number_of(inputs[i].path()) > 2; }))
      return false;
    some_complete |= members.size() == 3;
  }
  return some_complete;
}

std::map<Folder, Groups> numbered_folders(const std::vector<PredictInput>& inputs) {
  std::map<Folder, Groups> folders;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (is_numbered(inputs[i]))
      folders[{fs::path(inputs[i].path()).parent_path().string(), inputs[i].is_volume()}]
             [without_channel(inputs[i].name)]
                 .push_back(i);
  return folders;
}

// A case stands where the first of its files stood.
std::vector<PredictInput> with_channels_together(std::vector<PredictInput> inputs, int channels) {
  std::vector<bool> gone(inputs.size());
  for (const auto& [folder, groups] : numbered_folders(inputs)) {
    if (!count_channels(inputs, groups, channels)) continue;
    for (const auto& [name, members] : groups) {
      PredictInput& all = inputs[members.front()];
      all.name = name;
      all.numbered = true;
      for (std::size_t k = 1; k < members.size(); ++k) {
        all.files.push_back(inputs[members[k]].path());
        gone[members[k]] = true;
      }
      std::sort(all.files.begin(), all.files.end());
    }
  }
  std::vector<PredictInput> cases;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!gone[i]) cases.push_back(std::move(inputs[i]));
  return cases;
}

// CASE_0000 alone holds all channels; with CASE_0001 beside it, it is a frame of a series.
void name_after_cases(std::vector<PredictInput>& inputs) {
  for (const auto& [folder, groups] : numbered_folders(inputs))
    for (const auto& [name, members] : groups)
      if (PredictInput& first = inputs[members.front()]; members.size() == 1 && number_of(first.path()) == 0)
        first.name = name;
}

}  // namespace

bool PredictInput::is_volume() const { return is_nifti_name(path()) || is_array_name(path()); }

std::vector<PredictInput> find_inputs(const std::vector<std::string>& given, int channels, FileNames names) {
  std::vector<PredictInput> inputs;
  for (const std::string& g : given) {
    if (!fs::exists(g)) bad_data("no such file or folder", g);
    if (fs::is_directory(g))
      add_folder(inputs, g);
    else if (fs::path(g).extension() == ".txt")
      add_list(inputs, g);
    else
      inputs.push_back(one_file(g));
  }
  if (channels > 1) inputs = with_channels_together(std::move(inputs), channels);
  if (names == FileNames::nnunet) name_after_cases(inputs);
  return inputs;
}

void require_all_channels(const PredictInput& input, int channels) {
  if (!input.numbered) return;
  const auto missing = [&](int number) {
    const std::string first = fs::path(input.path()).filename().string();
    bad_data("a channel's file is missing", input.path(),
             fmt::format("{}_{:04}{} beside it", input.name, number, first.substr(input_stem(first).size())), "",
             fmt::format("the model takes {} channels", channels));
  };
  std::int64_t stored = 0;
  const int files = static_cast<int>(input.files.size());
  for (int i = 0; i < files; ++i)
    if (number_of(input.files[static_cast<std::size_t>(i)]) != i) missing(i);
  if (files >= channels) return;
  for (const std::string& file : input.files) stored += stored_channels(file);
  if (stored < channels) missing(files);
}

}  // namespace gf
