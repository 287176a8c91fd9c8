#include "apps/run_curves.h"

#include <doctest/doctest.h>

#include "tests/apps/fixtures.h"

using namespace gf;

namespace {

const LinePlot& find(const std::vector<LinePlot>& plots, const std::string& title) {
  for (const LinePlot& p : plots)
    if (contains(p.title, title)) return p;
  REQUIRE_MESSAGE(false, title);
  return plots[0];
}

std::vector<LinePlot> curves_of(const std::string& csv) {
  const TemporaryFolder folder;
  write_text(folder / "metrics.csv", csv);
  return training_curves({{"Student", ModelRole::distilled, folder.path()}});
}

}  // namespace

TEST_CASE("curves: losses on a logarithmic axis, 0 of a term that has not begun included") {
  const auto plots = curves_of("step,loss,ce,edge,share_ce,share_edge\n1,2,2,0,1,0\n10,1.5,1,0.5,0.5,0.5\n");
  CHECK(find(plots, "Training loss").y_scale == Scale::log);
  CHECK(find(plots, "loss terms").y_scale == Scale::log);
}

TEST_CASE("curves: an adversarial term below 0 is drawn, and so is a loss that it takes there") {
  const auto plots = curves_of(
      "step,loss,ce,adv,share_ce,share_adv,norm_ce,norm_adv\n1,2.2,2,0.2,1,0,1,1\n10,0.9,1,-0.1,0.5,0.5,1,1\n");
  CHECK(find(plots, "Training loss").y_scale == Scale::log);
  const LinePlot& terms = find(plots, "loss terms");
  CHECK(terms.y_scale == Scale::symlog);
  CHECK(terms.series.at(1).y == std::vector<double>{0.2, -0.1});
  CHECK(contains(line_plot_svg(terms), "<title>adv: 10, -0.1</title>"));
  CHECK(contains(line_plot_svg(terms), ">weighted value, linear to ±0.1</text>"));
  CHECK(find(plots, "norm of each").y_scale == Scale::log);
  const auto below = curves_of("step,loss,ce,adv,share_ce,share_adv\n1,2.2,2,0.2,1,0\n10,-0.3,0.1,-0.4,0.5,0.5\n");
  CHECK(find(below, "Training loss").y_scale == Scale::symlog);
}
