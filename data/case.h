#pragma once
// A case decoded and prepared: normalised, shrunk, labels mapped to class ids. Training, evaluation and prediction all
// come through here, so they cannot differ.
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/image.h"
#include "data/nifti.h"
#include "data/png.h"
#include "data/preprocess.h"
#include "data/tiles.h"

namespace gf {

// Of all values as stored, before they were clipped and normalised.
struct StoredIntensity {
  double mean = 0, deviation = 0;
};
StoredIntensity intensity_of(std::span<const float> values);  // 0, 0 of nothing

struct PreparedCase {
  std::string id;
  std::vector<std::string> image_paths;
  bool volume = false;
  NiftiHeader header;                            // of a volume
  std::int64_t first_slice = 0;                  // of images[0] in the volume
  Extent full;                                   // height and width of a slice or picture as stored
  std::array<double, 3> spacing_mm = {1, 1, 1};  // (slices, height, width) as stored; 1 for pictures
  StoredIntensity stored;
  std::vector<Picture> images;    // one a slice: normalised and fitted (preprocess.h), not padded
  std::vector<Mask> labels;       // class ids, fitted as the images; empty without truth
  std::vector<Mask> truth;        // class ids at full size; filled for evaluation only
  std::optional<TileGrid> tiles;  // `images` are tiles of one picture, `full` a tile's size
  Mask whole_truth;               // with tiles: class ids of the whole picture; for evaluation only

  std::int64_t bytes() const;  // memory held
};

// Of a case whose slices are .npz files, one each.
bool slices_are_files(const Case& c);
Case one_slice(const Case& c, std::int64_t slice);
// The tiles of a picture of this size: those of training, or of the test part.
TileGrid tiles_of(const Case& c, Extent picture);

enum class Purpose { training, evaluation };  // evaluation also fills `truth`

// Errors (bad_data): whatever the readers say; image and label of different grids or sizes; another number of channels.
PreparedCase load_case(const Dataset& dataset, const Case& c, Purpose purpose);

// Whether load_input may read it, by its name: NIfTI, pictures, .npz, .h5.
bool is_input_name(const std::string& path);

// The file's name without folder and endings: "case" of case.nii.gz, case.png, case.npy.h5.
std::string input_stem(const std::string& path);

// An image file or volume without truth, for prediction: all its slices.
PreparedCase load_input(const std::vector<std::string>& image_paths, const Preprocessing& preprocessing);

// Slices that lie on each other, or one picture, as stored: h * w pixels of interleaved channels each. Normalised
// together, as a file of them would be. Bad data where the sizes say something else than the number of values; `name`
// is for messages.
PreparedCase prepare_slices(std::vector<float> pixels, std::int64_t slices, Extent size,
                            const Preprocessing& preprocessing, const std::string& name = "the pixels given");

// images[i] padded as the network needs it.
Picture network_input(const PreparedCase& c, std::size_t i, const Preprocessing& preprocessing);

// Writes full-size class maps, one a slice, with the geometry of the input: NIfTI for a volume (slices outside the case
// are background), PNG for a picture, whose tiles are put together. `path` ends in .nii, .nii.gz or .png accordingly.
void write_prediction(const std::string& path, const PreparedCase& c, std::vector<Mask> masks,
                      const Preprocessing& preprocessing, const Palette& palette = {});

}  // namespace gf
