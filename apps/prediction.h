#pragma once
// One case's prediction: the mask and what goes with it.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/png.h"
#include "data/postprocess.h"
#include "data/training_range.h"
#include "distill/model_file.h"
#include "distill/segmenter.h"

namespace gf {

struct PredictionOptions {
  Postprocessing postprocessing;
  std::optional<TrainingRange> range;                            // none: the model does not say
  bool probabilities = false, preview = false, picture = false;  // files NAME.npz and NAME_preview.png; a picture
};

struct ClassAmount {
  std::string name;
  std::int64_t voxels = 0;  // of a picture: pixels
  double millilitres = 0;   // of a volume
};

struct Prediction {
  std::string input, output;
  bool volume = false;
  std::vector<ClassAmount> amounts;   // one a class that is no background
  std::vector<std::string> warnings;  // one line each
  Bytes8 picture;  // the slice with most foreground, its classes drawn over it; where it was asked for
};

// Writes the mask to `output`, and beside it what is asked for. Masks have the input's geometry. `files`: one, or one a
// channel.
Prediction predict_files(const std::vector<std::string>& files, const std::string& output, const NetworkFile& model,
                         const Segmenter& segmenter, const PredictionOptions& options);

// What a mask that is there says: amounts alone. Nothing where it is no whole mask of the input's size and the model's
// classes.
std::optional<Prediction> read_prediction(const std::vector<std::string>& files, const std::string& output,
                                          const NetworkDescription& model);

// What goes beside a mask.
constexpr const char *kProbabilitiesEnding = ".npz", *kPreviewEnding = "_preview.png";
std::string beside_mask(const std::string& mask_file, const std::string& ending);

// statistics.csv: a line a case and class.
std::string statistics_csv(const std::vector<Prediction>& predictions);

}  // namespace gf
