#include "apps/run_report.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "apps/case_pictures.h"
#include "apps/evaluation.h"
#include "apps/report/comparison_table.h"
#include "apps/report/fitting_picture.h"
#include "apps/report/html_report.h"
#include "apps/report/overlay.h"
#include "apps/report_record.h"
#include "apps/run_page.h"
#include "data/layouts/brain.h"
#include "distill/model_file.h"
#include "engine/io/atomic_file.h"

namespace gf {
namespace {

// Up to four slices or pictures with the most foreground, spread over the split.
struct Chosen {
  std::size_t case_index, slice;
};
std::vector<Chosen> choose_pictures(const SplitCases& cases) {
  std::vector<Chosen> all;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::shared_ptr<const PreparedCase> c = cases.at(i);
    for (std::size_t j = 0; j < c->images.size(); ++j)
      if (std::any_of(c->truth[j].values.begin(), c->truth[j].values.end(), [](std::int32_t v) { return v > 0; }))
        all.push_back({i, j});
  }
  constexpr std::size_t kRows = 4;
  std::vector<Chosen> some;
  for (std::size_t r = 0; r < std::min(kRows, all.size()); ++r)
    some.push_back(all[(2 * r + 1) * all.size() / (2 * std::min(kRows, all.size()))]);
  return some;
}

double picture_dice(const Mask& truth, const Mask& prediction, const Dataset& dataset) {
  ConfusionMatrix m(dataset.classes());
  m.add(truth.values, prediction.values, dataset.preprocessing.label_map.ignore_index);
  return m.foreground_dice();
}

// Rows of pictures, a column the truth and one each model: filled while the models are scored, one after the other.
class OverlayGrid {
 public:
  OverlayGrid(const SplitCases& cases, const Dataset& dataset, std::size_t models)
      : dataset_(dataset), chosen_(choose_pictures(cases)) {
    style_.quarter_turns = quarter_turns(dataset);
    if (!cases.empty() && cases.at(0)->full.w > 300) style_.scale = 1;
    const std::size_t pictures = std::max<std::size_t>(chosen_.size() * (models + 1), 1);
    bytes_ = kBytes / pictures;
    for (const Chosen& at : chosen_) {
      const std::shared_ptr<const PreparedCase> held = cases.at(at.case_index);
      const PreparedCase& c = *held;
      const std::string slice =
          c.volume ? fmt::format(" slice {}", c.first_slice + static_cast<std::int64_t>(at.slice)) : "";
      rows.push_back({c.id + slice, {{drawn(c, at.slice, c.truth[at.slice]), ""}}});
    }
  }

  std::vector<OverlayRow> rows;

  void add(std::size_t index, const PreparedCase& c, const std::vector<Mask>& prediction) {
    for (std::size_t r = 0; r < chosen_.size(); ++r) {
      if (chosen_[r].case_index != index) continue;
      const std::size_t slice = chosen_[r].slice;
      rows[r].cells.push_back({drawn(c, slice, prediction[slice]),
                               fmt::format("Dice {:.2f}", picture_dice(c.truth[slice], prediction[slice], dataset_))});
    }
  }

 private:
  static constexpr std::size_t kBytes = 1'000'000;  // of all of them: half a page
  static constexpr std::int64_t kSide = 512;

  std::string drawn(const PreparedCase& c, std::size_t slice, const Mask& mask) const {
    const Picture picture = unfit(c.images[slice], c.full, dataset_.preprocessing);  // as the network saw it
    const Bytes8 whole = draw_overlay(picture, mask, style_);
    return fitting_png(kSide, bytes_, [&](std::int64_t side) { return shrunk_to(whole, side); });
  }

  const Dataset& dataset_;
  std::vector<Chosen> chosen_;
  OverlayStyle style_;
  std::size_t bytes_ = 0;
};

ReferenceRow brain_reference(const Dataset& dataset) {
  const ConfusionMatrix mirror = brain_mirror_reference(dataset);
  ReferenceRow row{"copying the mirrored label", {}, {mirror.foreground_dice(), mirror.foreground_iou(), kUnknown}};
  for (int k = 0; k < mirror.classes(); ++k) row.per_class.push_back({mirror.dice(k), mirror.iou(k), kUnknown});
  return row;
}
constexpr const char* kBrainNote =
    "One person's head: sagittal slices of the left half train, the right half is tested, so train and test are "
    "not independent. Copying the label of the mirrored slice (181 - i) is the reference any network here must "
    "be held against; it is strong because both halves belong to the same person.";

// A network that takes one size of picture has its pictures padded to that, whatever the others' see.
Dataset seen_by(const Network& network, Dataset dataset) {
  const ImageSize only = network.image_size();
  if (only == ImageSize{}) return dataset;
  dataset.preprocessing.stride = static_cast<int>(network.stride());
  dataset.preprocessing.min_height = static_cast<int>(only.h);
  dataset.preprocessing.min_width = static_cast<int>(only.w);
  return dataset;
}

}  // namespace

void report_run(const RunFolder& folder, const Dataset& dataset, const std::vector<ReportEntry>& entries,
                const Config& config, const Device& device) {
  Split split = Split::test;
  if (samples_of(dataset, split).empty()) split = Split::val;
  const std::string tables = split == Split::test ? folder.test() : folder.validation();
  const SplitCases cases(dataset, split);
  const Scoring scoring = configured_scoring(config.eval, dataset);
  ReportRecord record;
  record.title = entries.size() > 1 ? "Graph Flow: teacher and student" : entries[0].name + " on " + dataset.layout;
  record.subtitle = fmt::format("data set {}, {} split, {} pictures", dataset.layout, name_of(split),
                                samples_of(dataset, split).size());
  record.notes = {kPooledNote};
  if (split == Split::val) record.warnings.push_back(kValidationOnly);
  record.overlay_columns = {"truth"};

  ReportData compared;  // what the tables of comparison.csv and .md take
  compared.class_names = dataset.class_names;
  compared.distance_unit = record.distance_unit = scoring.protocol.unit();
  OverlayGrid grid(cases, dataset, entries.size());
  CaseGallery gallery;
  for (const ReportEntry& e : entries) {
    const bool last = &e == &entries.back();
    const NetworkFile file = load_network(e.checkpoint, device);
    const Dataset seen = seen_by(*file.network, dataset);
    const SegmentationScores scores = evaluate_network(
        *file.network, cases, seen, scoring, {},
        [&](std::size_t i, const PreparedCase& c, const std::vector<Mask>& prediction, const CaseScore& score) {
          grid.add(i, c, prediction);
          if (last) add_to_gallery(gallery, i, c, prediction, score, seen);
        });
    const Tensor one = cases.empty() ? Tensor() : image_batch(*cases.at(0), 0, 1, seen.preprocessing).to(device);
    compared.models.push_back(model_result(e.name, e.role, *file.network, scores, one));
    const auto it = file.entries.find("config");
    const bool own = e.run_folder == folder.path();
    record.models.push_back({e.name, e.role,
                             own                    ? "."
                             : e.run_folder.empty() ? ""
                                                    : std::filesystem::absolute(e.run_folder).string(),
                             it == file.entries.end() ? "" : it->second});
    record.overlay_columns.push_back(e.name);
    if (!last) continue;
    write_scores(tables, scores);
    write_case_pictures(tables, gallery);
    const SplitCases validation(dataset, Split::val);
    if (split == Split::test && !validation.empty())
      write_scores(folder.validation(), evaluate_network(*file.network, validation, dataset, scoring));
  }
  if (dataset.layout == "brain") {
    compared.references.push_back(brain_reference(dataset));
    record.notes.push_back(kBrainNote);
  }
  record.overlays = std::move(grid.rows);
  write_file_atomically(folder.path() + "/comparison.md", comparison_markdown(compared));
  write_file_atomically(folder.path() + "/comparison.csv", comparison_csv(compared));
  write_report_record(folder.path(), record);
  write_html_report(folder.report_file(), read_run(folder.path()));
  fmt::print("{}\nreport: {}\n", comparison_markdown(compared), folder.report_file());
}

}  // namespace gf
