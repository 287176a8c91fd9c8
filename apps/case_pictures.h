#pragma once
// What the report shows of a scored case, and the file in which it waits for the report.
//
//   test/overlays.json   format "graphflow overlays 1"; "cases": index in summary.json's metric_per_case, case, score,
//                        place, and the picture as a data URI, of the worst and best cases
#include <map>
#include <string>
#include <vector>

#include "apps/report/case_gallery.h"
#include "data/case.h"
#include "data/metrics/segmentation_metrics.h"

namespace gf {

// The slice (or tile) in which most pixels are foreground in the reference or in the prediction: there is most to see,
// of a good mask and of a bad one. Pixels whose reference is `ignore` do not count.
std::size_t fullest_slice(const std::vector<Mask>& reference, const std::vector<Mask>& prediction,
                          std::optional<std::int32_t> ignore = {});

// How often a slice is turned so that a sagittal or coronal one shows the head upright.
int quarter_turns(const Dataset& dataset);

// Contours of the prediction and the truth on the picture as the network saw it, of the fullest slice.
void draw_case(GalleryCase& shown, const PreparedCase& c, const std::vector<Mask>& prediction, const Dataset& dataset);

// Gives the gallery a case by its mean Dice over the foreground classes.
void add_to_gallery(CaseGallery& gallery, std::size_t index, const PreparedCase& c, const std::vector<Mask>& prediction,
                    const CaseScore& score, const Dataset& dataset);

// overlays.json of the folder that holds the scores' tables.
void write_case_pictures(const std::string& folder, const CaseGallery& gallery);
std::map<std::size_t, GalleryCase> read_case_pictures(const std::string& folder);  // by index; none without the file

}  // namespace gf
