#pragma once
// What `graphflow verify` found, as text and as JSON; report/verify_page.h has the page.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "apps/report/report_data.h"
#include "data/verify/case_facts.h"

namespace gf {

struct Verification {
  Listing listing;
  std::vector<CaseFacts> facts;   // one a case of the listing
  std::vector<Finding> findings;  // all: of the listing, of the cases, across them; errors first, alike together

  bool interrupted = false;  // facts end where it was

  std::size_t count(Severity severity) const;
};

// Brings all findings together. A data set's error that a case repeats is told once.
void collect_findings(Verification& v, std::vector<Finding> across);

std::string parts_text(const Verification& v);                           // "18 cases: train 12, val 3, test 3"
std::string totals_text(const Verification& v);                          // "2 errors, 1 warning"
std::map<std::int32_t, std::string> class_names(const Verification& v);  // by id: "1 liver"
ReportTable class_table(const Verification& v);  // pixels, share and cases of each class; no rows without labels
ReportTable intensity_table(const Verification& v);

std::string verification_text(const Verification& v);
std::string verification_json(const Verification& v);

}  // namespace gf
