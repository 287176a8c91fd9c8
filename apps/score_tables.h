#pragma once
// Scores as tables for people: on the terminal in Markdown, in LaTeX for a paper. The heading of the first column says
// what the numbers are: means per case, or pooled over all pixels.
#include <string>
#include <vector>

#include "apps/report/report_data.h"
#include "data/metrics/segmentation_metrics.h"

namespace gf {

// What the protocol reports first; a row a foreground class, and their mean.
std::vector<ReportTable> score_tables(const SegmentationScores& scores);

std::string scores_markdown(const SegmentationScores& scores);
std::string scores_latex(const SegmentationScores& scores, const std::string& subject);  // what was scored

}  // namespace gf
