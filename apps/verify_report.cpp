#include "apps/verify_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/build_info.h"
#include "apps/report/table_text.h"

namespace gf {
namespace {

constexpr const char* kFormat = "graphflow verify 1";

const char* name_of(Severity s) { return s == Severity::error ? "error" : "warning"; }

std::string counted(std::size_t n, const std::string& noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

std::string size_text(const CaseFacts& f) {
  return f.size[0] == 1 ? fmt::format("{}x{}", f.size[1], f.size[2])
                        : fmt::format("{}x{}x{}", f.size[0], f.size[1], f.size[2]);
}

struct ClassCount {
  std::int64_t pixels = 0, cases = 0;
};

std::map<std::int32_t, ClassCount> count_classes(const Verification& v) {
  std::map<std::int32_t, ClassCount> counts;
  if (v.listing.classes_known)
    for (int id = 0; id < v.listing.dataset.classes(); ++id) counts[id];
  for (const CaseFacts& f : v.facts)
    for (const auto& [id, pixels] : f.classes) {
      counts[id].pixels += pixels;
      ++counts[id].cases;
    }
  return counts;
}

std::string class_name(const Verification& v, std::int32_t id) {
  const Dataset& d = v.listing.dataset;
  const bool named = v.listing.classes_known && id >= 0 && id < d.classes();
  if (named) return fmt::format("{} {}", id, d.class_names[static_cast<std::size_t>(id)]);
  return d.preprocessing.label_map.ignore_index == id ? fmt::format("{} (ignored)", id) : std::to_string(id);
}

}  // namespace

std::size_t Verification::count(Severity severity) const {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(), [&](const Finding& f) { return f.severity == severity; }));
}

void collect_findings(Verification& v, std::vector<Finding> across) {
  std::set<std::string> of_cases;
  for (const CaseFacts& f : v.facts)
    for (const Finding& finding : f.findings) {
      of_cases.insert(finding.message);
      v.findings.push_back(finding);
    }
  for (const std::vector<Finding>* more : {&v.listing.findings, &across})
    for (const Finding& finding : *more)
      if (!of_cases.contains(finding.message)) v.findings.push_back(finding);
  std::stable_sort(v.findings.begin(), v.findings.end(), [](const Finding& a, const Finding& b) {
    return std::pair(a.severity, a.check) < std::pair(b.severity, b.check);
  });
}

std::string parts_text(const Verification& v) {
  const std::vector<Case>& cases = v.listing.dataset.cases;
  std::string s = counted(cases.size(), "case");
  const char* separator = ": ";
  for (const Split part : {Split::train, Split::unlabelled, Split::val, Split::test}) {
    const auto n = std::count_if(cases.begin(), cases.end(), [&](const Case& c) { return c.split == part; });
    if (n == 0) continue;
    s += fmt::format("{}{} {}", separator, gf::name_of(part), n);
    separator = ", ";
  }
  return s;
}

std::string totals_text(const Verification& v) {
  return counted(v.count(Severity::error), "error") + ", " + counted(v.count(Severity::warning), "warning");
}

std::map<std::int32_t, std::string> class_names(const Verification& v) {
  std::map<std::int32_t, std::string> names;
  for (const auto& [id, n] : count_classes(v)) names[id] = class_name(v, id);
  return names;
}

ReportTable class_table(const Verification& v) {
  ReportTable table{"Classes", "", {"Class", "Pixels", "Share", "Cases"}, {}};
  std::int64_t all = 0;
  const std::map<std::int32_t, ClassCount> counts = count_classes(v);
  for (const auto& [id, n] : counts) all += n.pixels;
  if (all == 0) return table;
  for (const auto& [id, n] : counts)
    table.rows.push_back({class_name(v, id), std::to_string(n.pixels),
                          fmt::format("{:.3g} %", 100 * double(n.pixels) / double(all)), std::to_string(n.cases)});
  return table;
}

ReportTable intensity_table(const Verification& v) {
  ReportTable table{"Images", "", {"Case", "Part", "Size", "Least", "Most", "Mean", "Deviation"}, {}};
  for (std::size_t i = 0; i < v.facts.size(); ++i) {
    const CaseFacts& f = v.facts[i];
    const Case& c = v.listing.dataset.cases[i];
    if (!f.readable) continue;
    const auto number = [](double x) { return fmt::format("{:.4g}", x); };
    table.rows.push_back({c.id, gf::name_of(c.split), size_text(f), number(f.least), number(f.most), number(f.mean),
                          number(f.deviation)});
  }
  return table;
}

std::string verification_text(const Verification& v) {
  std::string s = fmt::format("{}: {}\n", v.listing.dataset.root, parts_text(v));
  if (const ReportTable classes = class_table(v); !classes.rows.empty()) s += "\n" + markdown_table(classes) + "\n";
  for (const std::string& note : v.listing.dataset.notes) s += note + "\n";
  for (const Finding& f : v.findings)
    s += fmt::format("{} {}{}: {}\n", name_of(f.severity), gf::name_of(f.check),
                     f.case_id.empty() ? "" : " [" + f.case_id + "]", f.message);
  return s + totals_text(v) + (v.interrupted ? ", stopped before the end" : "") + "\n";
}

std::string verification_json(const Verification& v) {
  const Dataset& d = v.listing.dataset;
  nlohmann::json j{{"format", kFormat},
                   {"version", kVersion},
                   {"root", d.root},
                   {"layout", d.layout},
                   {"errors", v.count(Severity::error)},
                   {"warnings", v.count(Severity::warning)},
                   {"complete", !v.interrupted},
                   {"notes", d.notes},
                   {"findings", nlohmann::json::array()},
                   {"cases", nlohmann::json::array()},
                   {"classes", nlohmann::json::array()}};
  for (const Finding& f : v.findings)
    j["findings"].push_back({{"severity", name_of(f.severity)},
                             {"check", gf::name_of(f.check)},
                             {"case", f.case_id},
                             {"message", f.message}});
  for (const auto& [id, n] : count_classes(v))
    j["classes"].push_back({{"id", id}, {"name", class_name(v, id)}, {"pixels", n.pixels}, {"cases", n.cases}});
  for (std::size_t i = 0; i < v.facts.size(); ++i) {
    const CaseFacts& f = v.facts[i];
    const Case& c = d.cases[i];
    nlohmann::json one{{"id", c.id},       {"part", gf::name_of(c.split)}, {"patient", c.patient}, {"images", c.images},
                       {"label", c.label}, {"readable", f.readable}};
    if (f.readable) {
      one["size"] = f.size;
      one["spacing_mm"] = f.spacing_mm;
      one["channels"] = f.channels;
      one["least"] = f.least, one["most"] = f.most, one["mean"] = f.mean, one["deviation"] = f.deviation;
      one["content"] = fmt::format("{:016x}", f.content);
      one["labels"] = nlohmann::json::object();
      for (const auto& [value, pixels] : f.labels) one["labels"][std::to_string(value)] = pixels;
    }
    j["cases"].push_back(std::move(one));
  }
  // A path that is not UTF-8 must not cost the report.
  return j.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace gf
