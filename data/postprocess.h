#pragma once
// Cleaning of predicted class maps: only the largest object of a class, no objects that are too small, no holes. What
// of it helps is found out on validation (choose_postprocessing.h), never assumed: an organ that a model tears into two
// pieces loses one of them.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/picture.h"

namespace gf {

// Of one class, in this order. Objects are of pixels or voxels that touch at a face, an edge or a corner.
struct ClassCleaning {
  std::int64_t min_voxels = 0;     // objects of fewer voxels (pixels of a picture) become background
  double min_mm3 = 0;              // the same by volume; of pictures, which have no spacing, mm3 means pixels
  bool largest_component = false;  // all objects but the largest become background
  bool fill_holes = false;         // background that this class closes in, by faces, becomes this class

  bool operator==(const ClassCleaning&) const = default;
};

struct Postprocessing {
  // Of all foreground classes taken as one, before anything else.
  bool foreground_largest_component = false;
  std::vector<ClassCleaning> classes;  // by class id; [0], the background's, does nothing

  bool does_nothing() const;
  bool knows_volumes() const;  // whether any size is in mm3

  // Flat text for model files: "foreground_largest_component" always, of classes only what does something
  // ("2.min_mm3" = "12.5"). from_fields: bad_data for a field, class or value there is not.
  std::map<std::string, std::string> to_fields() const;
  static Postprocessing from_fields(const std::map<std::string, std::string>& fields, int classes);
  bool operator==(const Postprocessing&) const = default;
};

// What the settings are called in files.
namespace postprocessing_keys {
constexpr const char* kWhole = "foreground_largest_component";
constexpr const char* kLargest = "largest_component";
constexpr const char* kHoles = "fill_holes";
constexpr const char* kMinVoxels = "min_voxels";
constexpr const char* kMinMm3 = "min_mm3";
}  // namespace postprocessing_keys

// One class map a slice, all of one size, of a volume or (a single one) a picture.
void clean(std::vector<Mask>& slices, const Postprocessing& p, double voxel_mm3);

// "liver: largest component; spleen: objects from 12 mm3, holes filled"; "none".
std::string describe(const Postprocessing& p, const std::vector<std::string>& class_names);

// One class alone, the step that choose_postprocessing tries.
void clean_class(std::vector<Mask>& slices, std::int32_t id, const ClassCleaning& c, double voxel_mm3);
void keep_largest_foreground(std::vector<Mask>& slices, int classes);

}  // namespace gf
