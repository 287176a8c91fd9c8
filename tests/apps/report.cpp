#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "apps/report/comparison_table.h"
#include "apps/report/html_report.h"
#include "tests/apps/fixtures.h"
#include "tests/apps/sample_report.h"

using namespace gf;

namespace {

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t i = text.find(part); i != text.npos; i = text.find(part, i + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("the check of markup sees what it must") {
  CHECK(markup_fault("<a><b x=\"1\"/></a>") == "");
  CHECK(markup_fault("<a><b></a>") != "");
  CHECK(markup_fault("<a>") != "");
  CHECK(markup_fault("a & b") != "");
  CHECK(markup_fault("<a x=\"<\"/>") != "");
}

TEST_CASE("the report is one well-formed file that needs nothing else") {
  const TemporaryFolder folder;
  write_html_report(folder / "report.html", sample_report());
  const std::string html = read_text(folder / "report.html");
  CHECK(markup_fault(without_style(html)) == "");
  CHECK(html.starts_with("<!DOCTYPE html>"));
  CHECK(!contains(html, "<script"));
  CHECK(!contains(html, "<link"));
  CHECK(!contains(html, "@import"));
  CHECK(!contains(html, "url("));
  CHECK(count(html, "src=\"") == count(html, "src=\"data:image/png;base64,"));
  CHECK(count(html, "src=\"") == 14);
  CHECK(contains(html, "prefers-color-scheme: dark"));
  CHECK(count(html, "<svg") == 3);
}

TEST_CASE("the report shows what it was given") {
  const std::string html = html_report(sample_report());
  CHECK(contains(html, "0.830"));
  CHECK(contains(html, "mirrored label"));
  CHECK(contains(html, "24 %"));  // of the gap: (.75375 - .73) / (.83 - .73)
  CHECK(contains(html, "<span class=\"gain up\">+0.024</span>"));
  CHECK(contains(html, "<span class=\"gain down\">−0.010</span>"));  // deep gray
  CHECK(contains(html, "<span class=\"gain up\">−0.36</span>"));     // a smaller distance is better
  CHECK(contains(html, "HD95 in mm, less is better"));
  CHECK(contains(html, "Please note"));
  CHECK(contains(html, "k = 3  # &lt;odd&gt;"));
  CHECK(contains(html, "a processor with 2 cores &amp; AVX2"));
  CHECK(contains(html, "For research only"));
  CHECK(contains(html, "<strong>Dice 0.412</strong> · case 7, slice 31"));
  CHECK(contains(html, "0.700<span class=\"gain muted\">0.612 to 0.788</span>"));
  CHECK(contains(html, "4.25<span class=\"gain muted\">–, n = 1</span>"));
  CHECK(html.find("Worst</h3>") < html.find("Best</h3>"));
}

TEST_CASE("names and texts cannot break the page") {
  ReportData r = sample_report();
  const std::string evil = "</td><script>alert(\"1\")</script> & 'x'";
  r.title = r.subtitle = r.notes[0] = r.warnings[0] = r.distance_unit = evil;
  r.score_notes = {evil};
  r.class_names[1] = r.models[0].name = r.references[0].name = r.curves[0].title = r.overlays[0].name = evil;
  r.curves[0].series[0].name = r.overlay_columns[0] = r.overlays[0].cells[0].caption = evil;
  r.configs[0] = {evil, evil};
  r.environment[0] = {evil, evil};
  r.intervals.measures[0].title = r.intervals.rows[0].name = r.worst[0].name = r.best[0].place = evil;
  r.gallery_note = r.log_end = evil;
  r.overlays[0].cells[0].image_uri = r.worst[0].image_uri = "data:image/png;base64,x\"" + evil;
  r.overlays[0].cells[1].image_uri = r.best[0].image_uri = "https://example.org/x.png";
  r.tables[0] = {evil, evil, {evil, evil}, {{evil, evil}}};
  const std::string html = html_report(r);
  CHECK(markup_fault(without_style(html)) == "");
  CHECK(!contains(html, "<script"));
  CHECK(contains(html, "src=\"data:image/png;base64,x&quot;"));
  CHECK(!contains(html, "example.org"));  // what a page shows is in it
}

TEST_CASE("a report of little is still a report") {
  ReportData r;
  r.title = "empty";
  CHECK(markup_fault(without_style(html_report(r))) == "");
  ModelResult m;
  m.name = "one";
  r.models = {m};
  r.class_names = {"background", "nucleus"};
  r.overlay_columns = {"truth", "one"};
  r.overlays = {{"case", {}}};
  const std::string html = html_report(r);
  CHECK(markup_fault(without_style(html)) == "");
  CHECK(!contains(html, "nan"));
}

TEST_CASE("the gap is only closed where there is one") {
  ReportData r = sample_report();
  CHECK(gap_closed(r, r.models[2]) == doctest::Approx(0.2375));
  r.models[0].mean.dice = r.models[1].mean.dice - 0.1;
  CHECK(std::isnan(gap_closed(r, r.models[2])));
  r.models.erase(r.models.begin());
  CHECK(std::isnan(gap_closed(r, r.models[1])));
}

TEST_CASE("the Markdown tables have as many cells in every row as in the head") {
  ReportData r = sample_report();
  r.models[0].name = "a | b";
  const std::string text = comparison_markdown(r);
  CHECK(contains(text, "| a \\| b | 2.40 M | 3.90 G | 41.2 | 0.830 |"));
  CHECK(contains(text, "| *mirrored label* | 0.876 | 0.750 | 0.778 | 0.827 | 0.847 | 0.892 | 0.856 | 0.913 | 0.842 |"));
  std::size_t cells = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t bars = count(line, "|") - count(line, "\\|");
    if (line.empty() || cells == 0) cells = 0;
    if (!line.empty() && cells != 0) CHECK(bars == cells);
    cells = line.empty() ? 0 : bars;
  }
}

TEST_CASE("the CSV has a row a class and model, with full numbers and empty cells for the unknown") {
  const ReportData r = sample_report();
  const std::string text = comparison_csv(r);
  std::size_t rows = 0;
  for (std::size_t begin = 0; begin < text.size(); ++rows) {
    const std::size_t end = text.find('\n', begin);
    CHECK(count(std::string_view(text).substr(begin, end - begin), ",") == 10);
    begin = end + 1;
  }
  CHECK(rows == 1 + 4 * 10);
  CHECK(contains(text, "Mobile U-Net,student,insula,0.58,"));
  CHECK(contains(text, "Mobile U-Net,student,mean,0.73,"));
  CHECK(contains(text, "mirrored label,reference,mean,0.842,0.73,,,,,,\n"));
  CHECK(!contains(text, "nan"));
}

TEST_CASE("comparison.csv is read back as it was written, and without its last column") {
  const TemporaryFolder folder;
  const ReportData written = sample_report();
  write_text(folder / "comparison.csv", comparison_csv(written));
  ReportData read;
  read_comparison_csv(folder / "comparison.csv", read);
  CHECK(read.class_names == written.class_names);
  CHECK(comparison_csv(read) == comparison_csv(written));
  CHECK(read.models[0].latency_p95_ms == written.models[0].latency_p95_ms);

  write_text(folder / "old.csv",
             "name,role,class,dice,iou,hd95,accuracy,parameters,macs,latency_ms\na,teacher,mean,1,1,inf,1,99,98,97\n");
  read_comparison_csv(folder / "old.csv", read);
  REQUIRE(read.models.size() == 1);
  CHECK(read.models[0].role == ModelRole::teacher);
  CHECK(read.models[0].latency_ms == 97);
  CHECK(std::isnan(read.models[0].latency_p95_ms));
  CHECK(std::isinf(read.models[0].mean.hd95));
  write_text(folder / "bad.csv", "name,role,class,dice,iou,hd95\na,pupil,mean,1,1,1x\n");
  CHECK(contains(error_of([&] { read_comparison_csv(folder / "bad.csv", read); }), "3: bad CSV file"));
}
