#pragma once
// The pictures of a comparison.
#include <string>
#include <vector>

#include "apps/compare/comparison.h"
#include "apps/report/svg_plot.h"
#include "apps/report/svg_spread_chart.h"

namespace gf {

// The models of a group by one metric; the student alone's column is shaded.
SpreadChart score_chart(const Comparison& comparison, const ComparedGroup& group, const std::string& metric);

// One metric of teacher, student alone and methods against the number of labelled cases, with a band of one standard
// deviation: a plot for each data set, student and teacher that has at least two such numbers. All labels stand at the
// number of training cases; where rows do not say it, they are left out. A teacher of all labels whose students have
// fewer is a dashed level.
std::vector<LinePlot> labelled_curves(const Comparison& comparison, const std::string& metric);

}  // namespace gf
