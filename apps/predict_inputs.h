#pragma once
// What `graphflow predict` is given, case by case: a file, or where the model's channels are files of their own, those.
#include <string>
#include <vector>

namespace gf {

struct PredictInput {
  std::vector<std::string> files;  // one, or one a channel
  std::string name;                // of the mask, without ending
  bool numbered = false;           // `files` were put together by nnU-Net's endings _0000, _0001, ...

  const std::string& path() const { return files.front(); }  // for messages and tables
  bool is_volume() const;
};

// Whose names the files have: nnU-Net's CASE_0000 is CASE even where there is no other channel.
enum class FileNames { any, nnunet };

// Files, folders of them and lists (.txt: one case a line, its channels' files with tabs between them). For a model of
// several channels CASE_0000.png and CASE_0001.png of one folder are CASE, unless each file holds all the channels.
// Errors (bad_data): no such file, a folder or list with nothing in it.
std::vector<PredictInput> find_inputs(const std::vector<std::string>& given, int channels,
                                      FileNames names = FileNames::any);

// bad_data naming the file of the first channel that is not there.
void require_all_channels(const PredictInput& input, int channels);

}  // namespace gf
