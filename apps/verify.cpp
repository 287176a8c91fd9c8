// graphflow verify: what would go wrong with a data set, before it is trained on. Goes on after a broken case and lists
// all of them.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/report/verify_page.h"
#include "apps/session.h"
#include "data/verify/across_cases.h"
#include "engine/device.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

// Whether --set lays a value over the key.
bool sets(const VerifyFlags& flags, const std::string& key) {
  return std::ranges::any_of(flags.sets, [&](const std::string& set) { return set.starts_with(key + "="); });
}

Listing listing_of(const VerifyFlags& flags) {
  const bool has_root = sets(flags, "data.root"), has_layout = sets(flags, "data.layout");
  const bool has_config = !flags.config.empty();
  if (flags.input.empty() ? !has_config && !has_root && !has_layout : has_config || has_root)
    throw Error(ErrorKind::usage,
                {"which data?", "graphflow verify", "-c CONFIG, --set data.root=FOLDER or -i FOLDER", "", ""});
  Config config = load_config(flags.config, flags.sets);
  const Preprocessing p = configured_preprocessing(config, {});
  check(p);
  if (flags.input.empty()) return list_cases(configured_source(config.data), p);
  if (!std::filesystem::exists(flags.input)) bad_data("no such file or folder", flags.input);
  config.data.root = flags.input;
  DatasetSource source = configured_source(config.data);
  if (has_layout) return list_cases(source, p);
  for (const char* key : {"data.class_order", "data.subsets", "data.split_by", "data.fold"})
    if (sets(flags, key))
      throw Error(ErrorKind::usage, {"setting that only some layouts know", key, "--set data.layout=NAME too", "", ""});
  source.layout.clear();  // as the folder looks
  return list_cases(source, p);
}

std::vector<CaseFacts> examine_all(Verification& v) {
  const std::atomic<bool>& stop = stop_requested();
  const std::vector<Case>& cases = v.listing.dataset.cases;
  // Pictures are read side by side; volumes would need the memory.
  const auto total = static_cast<std::int64_t>(cases.size()),
             together = std::int64_t{v.listing.dataset.volumes ? 1 : 64};
  std::vector<CaseFacts> facts;
  Progress progress("verify", total);
  for (std::int64_t begin = 0; begin < total && !stop; begin += together) {
    const std::int64_t count = std::min(together, total - begin);
    facts.resize(static_cast<std::size_t>(begin + count));
#pragma omp parallel for schedule(dynamic) if (count > 1)
    for (std::int64_t i = begin; i < begin + count; ++i)
      facts[static_cast<std::size_t>(i)] = examine_case(v.listing, cases[static_cast<std::size_t>(i)]);
    progress.update(begin + count, 0, {});
  }
  return facts;
}

}  // namespace

int verify_command(const VerifyFlags& flags) {
  set_threads(flags.threads);
  Verification v;
  v.listing = listing_of(flags);
  v.facts = examine_all(v);
  v.interrupted = v.facts.size() < v.listing.dataset.cases.size();
  collect_findings(v, v.interrupted ? std::vector<Finding>() : check_across_cases(v.listing, v.facts));
  fmt::print("{}", verification_text(v));
  for (const auto& [file, text] :
       {std::pair(flags.json, &verification_json), std::pair(flags.html, &verification_page)}) {
    if (file.empty()) continue;
    write_file_atomically(file, text(v));
    fmt::print("written: {}\n", file);
  }
  if (v.interrupted) return kInterrupted;
  const bool bad = v.count(Severity::error) > 0 || (flags.strict && !v.findings.empty());
  return bad ? static_cast<int>(ErrorKind::bad_data) : 0;
}

}  // namespace gf
