#pragma once
// A data set as `graphflow verify` sees it, for the tests of its checks.
#include "data/verify/across_cases.h"
#include "tests/data/fixtures.h"

namespace gf::fixtures {

using Marks = std::vector<std::string>;

struct Found {
  Listing listing;
  std::vector<CaseFacts> facts;
  std::vector<Finding> findings;

  // "error label_range disc_0" for each.
  Marks marks() const {
    Marks all;
    for (const Finding& f : findings)
      all.push_back(std::string(f.severity == Severity::error ? "error " : "warning ") + name_of(f.check) +
                    (f.case_id.empty() ? "" : " " + f.case_id));
    return all;
  }
  std::string text() const {
    std::string s;
    for (const Finding& f : findings) s += f.message + "\n";
    return s;
  }
};

inline Found examine(const DatasetSource& source, const Preprocessing& p = {}) {
  Found found{list_cases(source, p), {}, {}};
  for (const Case& c : found.listing.dataset.cases) found.facts.push_back(examine_case(found.listing, c));
  found.findings = found.listing.findings;
  for (const CaseFacts& f : found.facts)
    found.findings.insert(found.findings.end(), f.findings.begin(), f.findings.end());
  for (Finding& f : check_across_cases(found.listing, found.facts)) found.findings.push_back(std::move(f));
  return found;
}

}  // namespace gf::fixtures
