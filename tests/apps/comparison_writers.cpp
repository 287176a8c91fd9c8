// A comparison as Markdown, CSV, LaTeX and HTML.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "apps/compare/writers.h"
#include "data/csv.h"
#include "tests/apps/sample_rows.h"

using namespace gf;

namespace {

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t i = text.find(part); i != text.npos; i = text.find(part, i + 1)) ++n;
  return n;
}

// Without the blanks that align columns.
std::string squeezed(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' || !out.ends_with(' ')) out += c;
  return out;
}

// Characters of UTF-8.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Everything a comparison can have: awkward names, a failed row, a distance, cases, two labelled shares.
Comparison full() {
  std::vector<RunRow> rows;
  for (const int labelled : {0, 20})
    for (int seed = 1; seed <= 3; ++seed)
      for (const auto& [name, dice, hd95] :
           {std::tuple{"teacher", 0.92, 6.0}, {"alone", 0.82, 10.0}, {"A|B & 50% <x_1>, \"q\"", 0.87, 8.0}}) {
        RunRow r = sample_row(name, seed, dice + (seed - 2) * 0.02, hd95 + seed - 2);
        r.id += "." + std::to_string(labelled);
        if (labelled > 0) r.labelled = labelled;
        r.train_cases = 81;
        r.parameters = 348996;
        r.macs = 2.1e9;
        r.latency_ms = 9.5;
        r.train_seconds = 90;
        r.distance_unit = "mm";
        const double shift = r.role == ModelRole::distilled ? 0.01 : 0;
        set_cases(r, {0.5 + shift, 0.6 + 2 * shift, 0.7 + 3 * shift});
        rows.push_back(std::move(r));
      }
  rows.push_back(sample_row("VID", 1, NAN));
  rows.back().test = {};
  rows.back().failed = true;
  rows.back().error = "loss is NaN\nat step 7";
  return compare_rows(std::move(rows), "test", {"dice", "hd95"});
}

}  // namespace

TEST_CASE("Markdown: the numbers, the verdicts, aligned columns") {
  const std::string text = markdown_of(full());
  CHECK(contains(text, "## nuclei, ENet taught by FANet\n"));
  CHECK(contains(text, "## nuclei, ENet taught by FANet, 20 labelled cases\n"));
  const std::string plain = squeezed(text);
  CHECK(contains(plain, "| FANet (teacher) | 3 | 0.9200 ± 0.0200 | 6.00 ± 1.00 |\n"));
  CHECK(contains(plain, "| ENet alone | 3 | 0.8200 ± 0.0200 | 10.00 ± 1.00 |\n"));
  CHECK(contains(plain, "| VID | 0 (1 failed) | – | – |\n"));
  CHECK(contains(plain, "| A\\|B & 50% <x_1>, \"q\" | +0.0500 | 0.2500 | 0.2500 | 3 | 50 % |\n"));
  CHECK(contains(plain, "| A\\|B & 50% <x_1>, \"q\" | −2.00 |"));
  CHECK(contains(plain, "| ENet alone | 349.0 k | 2.10 G | 9.5 | 90 s |"));
  CHECK(contains(text, " HD95, mm ↓ |\n"));
  CHECK(contains(text, "better than ENet alone, two standard deviations are 0.0566: a gap."));
  CHECK(contains(text, "with 3 cases that differ no p can be below 0.25."));
  CHECK(contains(text, "VID, seed 1 failed: loss is NaN at step 7\n"));  // one line
  // every line of a table has as many cells as the one above, and is as wide
  std::string above;
  int lines = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const auto cells = [](const std::string& l) { return count(l, "|") - count(l, "\\|"); };
    if (line.starts_with("|") && !above.empty()) {
      CHECK(cells(line) == cells(above));
      CHECK(width(line) == width(above));
      ++lines;
    }
    above = line.starts_with("|") ? line : "";
  }
  CHECK(lines == (5 + 4 + 4 + 4) + (4 + 3 + 3 + 4));
  CHECK(!contains(text, "nan"));
}

TEST_CASE("Markdown: no gap, one seed, no cases") {
  std::vector<RunRow> rows = sample_rows();
  for (RunRow& r : rows)
    if (r.role == ModelRole::teacher) r.test.means["dice"] = 0.83 + (r.seed - 2) * 0.02;
  std::string text = squeezed(markdown_of(compare_rows(rows, "test", {})));
  CHECK(contains(text, "| KD | +0.0500 | – | – | 0 | no gap |"));
  CHECK(contains(text, "FANet is 0.0100 better than ENet alone, two standard deviations are 0.0566: no gap"));

  std::erase_if(rows, [](const RunRow& r) { return r.seed != 1; });
  text = squeezed(markdown_of(compare_rows(rows, "test", {})));
  CHECK(contains(text, "needs 2+ seeds"));
  CHECK(contains(text, "| KD | 1 | 0.8500 |\n"));  // no ±
  rows = sample_rows();
  for (RunRow& r : rows) set_cases(r, {0.5, 0.5});
  CHECK(contains(markdown_of(compare_rows(rows, "test", {})), "| all equal |"));
}

TEST_CASE("CSV: full numbers, read back") {
  const TemporaryFolder folder;
  const Comparison c = full();
  write_text(folder / "c.csv", csv_of(c));
  const CsvTable t = CsvTable::read(folder / "c.csv");
  REQUIRE(t.rows() == 7);
  const auto at = [&](std::size_t row, const std::string& column) { return t.at(row, t.column(column)); };
  CHECK(at(2, "model") == "A|B & 50% <x_1>, \"q\"");
  CHECK(at(2, "role") == "method");
  CHECK(at(2, "seeds") == "1 2 3");
  CHECK(std::stod(at(2, "dice_mean")) == doctest::Approx(0.87).epsilon(1e-14));
  CHECK(std::stod(at(2, "dice_std")) == doctest::Approx(0.02).epsilon(1e-12));
  CHECK(std::stod(at(2, "dice_gain")) == doctest::Approx(0.05).epsilon(1e-12));
  CHECK(at(2, "dice_p") == "0.25");
  CHECK(at(2, "dice_test") == "exact");
  CHECK(at(2, "dice_gap") == "formed");
  CHECK(std::stod(at(2, "dice_gap_closed")) == doctest::Approx(0.5));
  CHECK(std::stod(at(2, "hd95_gap_closed")) == doctest::Approx(0.5));
  CHECK(at(0, "dice_gap") == "");
  CHECK(at(1, "dice_gain") == "");
  CHECK(at(3, "model") == "VID");
  CHECK(at(3, "failed_seeds") == "1");
  CHECK(at(3, "dice_mean") == "");
  CHECK(at(4, "labelled") == "20");

  write_text(folder / "cases.csv", cases_csv_of(c));
  const CsvTable cases = CsvTable::read(folder / "cases.csv");
  CHECK(cases.rows() == 2 * 9 * 3);
  CHECK(cases.at(0, cases.column("case")) == "c0");
  CHECK(cases.at(0, cases.column("dice")) == "0.5");
  CHECK(cases.at(0, cases.column("hd95")) == "");
}

TEST_CASE("LaTeX: what it would read as commands is escaped, warnings stay comments") {
  const std::string text = latex_of(full());
  CHECK(contains(text, "A|B \\& 50\\% $<$x\\_1$>$, \"q\" & 3 & 0.8700 $\\pm$ 0.0200 & 8.00 $\\pm$ 1.00 \\\\\n"));
  CHECK(contains(text, "HD95, mm $\\downarrow$"));
  CHECK(contains(text, "% NOTE VID, seed 1 failed: loss is NaN at step 7\n"));
  CHECK(count(text, "\\begin{tabular}") == 8);  // of two groups: scores, two gains, costs
  CHECK(count(text, "\\begin{") == count(text, "\\end{"));
  for (std::size_t i = text.find("\\begin{table}"); i < text.size(); ++i)  // nothing but ASCII outside the comments
    if (static_cast<unsigned char>(text[i]) >= 0x80) {
      const std::size_t line = text.rfind('\n', i) + 1;
      CHECK(text[line] == '%');
      i = text.find('\n', i);
    }
}

TEST_CASE("the page is well-formed, self-contained, and has its plots") {
  std::string html = without_style(html_of(full()));
  CHECK(markup_fault(html) == "");
  CHECK(contains(html, "<h1>trial</h1>"));
  CHECK(contains(html, "18 trained models, 1 failed, test split"));
  CHECK(contains(html, "A|B &amp; 50% &lt;x_1&gt;, &quot;q&quot;"));
  CHECK(count(html, "<svg") == 2 + 2 * 2);  // curves of two metrics, charts of two metrics and groups
  CHECK(contains(html, "Against the number of labelled cases"));
  CHECK(!contains(html, "<script"));
  CHECK(!contains(html, "src="));
  CHECK(!contains(html, "nan"));

  html = html_of(compare_rows(sample_rows(), "test", {}));
  CHECK(!contains(html, "labelled cases"));
  CHECK(count(html, "<svg") == 1);
}
