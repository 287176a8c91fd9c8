#pragma once
// Everything a report shows, as plain data: the writers (HTML, Markdown, CSV) read no file and run no network.
// A number that is not known is NaN and is shown as a dash.
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "apps/report/case_gallery.h"
#include "apps/report/svg_plot.h"
#include "data/metrics/confidence.h"

namespace gf {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

struct Scores {
  double dice = kUnknown, iou = kUnknown, hd95 = kUnknown;
};

// What a model is in the comparison: it orders the colours and says whose gain over whom is shown.
enum class ModelRole { teacher, student, distilled };  // student: trained alone, the baseline of the distilled ones
const char* name_of(ModelRole role);                   // of the files
ModelRole parse_role(const std::string& name, const std::string& file);  // bad_data for another word

struct ModelResult {
  std::string name;
  ModelRole role = ModelRole::student;
  double parameters = kUnknown, macs = kUnknown;
  double latency_ms = kUnknown, latency_p95_ms = kUnknown;  // one picture, after warm-up: median and 95th percentile
  double accuracy = kUnknown;
  std::vector<Scores> per_class = {};  // one a class, background included
  Scores mean = {};                    // over the classes but background
};

// A row to compare with that is no model: what copying the mirrored label scores.
struct ReferenceRow {
  std::string name;
  std::vector<Scores> per_class;
  Scores mean;
};

// One case a row, one picture a column.
struct OverlayCell {
  std::string image_uri;  // png_data_uri(draw_overlay(...))
  std::string caption;    // "Dice 0.83"; may be empty
};
struct OverlayRow {
  std::string name;
  std::vector<OverlayCell> cells;
};

// Any other table: loss terms and their share of the gradient, timings.
struct ReportTable {
  std::string title, note;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // the first column is text, the others are set as numbers
};

// Means over cases, a row a class.
struct IntervalMeasure {
  std::string title;
  int digits = 3;
};
struct IntervalTable {
  struct Row {
    std::string name;
    std::vector<MeanInterval> values;  // one a measure; the first one's n is the row's number of cases
  };
  std::vector<IntervalMeasure> measures;
  std::vector<Row> rows;
};

struct ReportData {
  std::string title, subtitle;
  std::vector<std::string> notes;        // about the data set: what it is, how it was split
  std::vector<std::string> warnings;     // what a reader must not overlook
  std::vector<std::string> class_names;  // background first
  std::string distance_unit = "mm";      // of HD95
  std::vector<std::string> score_notes;  // how the scores were made: protocol, formulas
  std::vector<ModelResult> models;
  std::vector<ReferenceRow> references;
  IntervalTable intervals;               // of the run's own model
  std::vector<GalleryCase> worst, best;  // likewise
  std::string gallery_note;              // why pictures are missing
  std::vector<LinePlot> curves;
  std::vector<std::string> overlay_columns;
  std::vector<OverlayRow> overlays;
  std::vector<ReportTable> tables;
  std::vector<std::pair<std::string, std::string>> configs;      // name, TOML text
  std::vector<std::pair<std::string, std::string>> environment;  // as in env.json
  std::string log_end;                                           // of a run that has not ended
};

// The model a distilled one is compared with, and the teacher; null where the report has none.
const ModelResult* find_role(const ReportData& data, ModelRole role);

// How much of the way from the student alone to the teacher a mean Dice has gone: (S_kd - S) / (T - S). NaN where the
// teacher is not above the student.
double gap_closed(const ReportData& data, const ModelResult& model);

}  // namespace gf
