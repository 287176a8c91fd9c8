// graphflow selftest: the case list of every op (tests/harness/op_case.h) on a device of the user's machine.
#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/build_info.h"
#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "apps/session.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"
#include "tests/harness/gradient_check.h"

namespace gf {
namespace {

using test::OpCase;
using Clock = std::chrono::steady_clock;

struct Row {
  std::string family;
  int cases = 0, checks = 0;
  double seconds = 0;
  std::vector<std::string> failures;  // "case: what is wrong"
};

std::vector<test::OpFamily> chosen_families(const std::vector<std::string>& names) {
  if (names.empty()) return test::op_families();
  std::vector<test::OpFamily> chosen;
  std::string known;
  for (const test::OpFamily& f : test::op_families()) known += (known.empty() ? "" : ", ") + std::string(f.name);
  for (const std::string& name : names) {
    const std::size_t before = chosen.size();
    for (const test::OpFamily& f : test::op_families())
      if (f.name == name) chosen.push_back(f);
    if (chosen.size() == before) throw Error(ErrorKind::usage, {"no such family of ops", "--family", known, name, ""});
  }
  return chosen;
}

// Empty where all is well.
std::string check(const OpCase& c, std::string (*use)(const OpCase&)) {
  try {
    return use(c);
  } catch (const std::exception& e) {
    return e.what();
  }
}

Row run_family(const test::OpFamily& family, int derivatives, Progress& progress, std::int64_t& done,
               const std::atomic<bool>& stop) {
  Row row;
  row.family = family.name;
  const auto start = Clock::now();
  for (const OpCase& c : family.cases()) {
    if (stop) break;
    ++row.cases;
    std::vector<std::string (*)(const OpCase&)> uses{test::check_values};
    if (derivatives >= 1 && c.order >= 1) uses.push_back(test::check_first_derivatives);
    if (derivatives >= 2 && c.order >= 2) uses.push_back(test::check_second_derivatives);
    for (const auto use : uses) {
      ++row.checks;
      const std::string problem = check(c, use);
      if (problem.empty()) continue;
      row.failures.push_back(c.name() + ": " + problem);
      progress.note("failed: " + row.failures.back());
    }
    progress.update(++done, 0, {});
  }
  row.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return row;
}

void write_json(const std::string& file, const Device& device, const std::string& dtype, const std::vector<Row>& rows) {
  nlohmann::ordered_json document{
      {"graphflow", kVersion}, {"backends", kBackends}, {"device", describe_device(device)}, {"dtype", dtype}};
  for (const Row& r : rows)
    document["families"].push_back({{"family", r.family},
                                    {"cases", r.cases},
                                    {"checks", r.checks},
                                    {"seconds", r.seconds},
                                    {"failures", r.failures}});
  write_file_atomically(file, document.dump(1) + "\n");
}

}  // namespace

int selftest_command(const SelftestFlags& flags) {
  const std::vector<test::OpFamily> families = chosen_families(flags.families);
  std::int64_t total = 0;
  for (const test::OpFamily& f : families) {
    const auto count = static_cast<std::int64_t>(f.cases().size());
    total += count;
    if (flags.list) fmt::print("{:<24} {:>4} cases\n", f.name, count);
  }
  if (flags.list) return 0;
  const std::atomic<bool>& stop = stop_requested();
  const bool bf16 = flags.dtype == "bf16";
  if (bf16) require_bf16_device("--dtype bf16", flags.device);
  const Device device = start_engine(flags.device, flags.threads);
  test::set_device_under_test(device, bf16 ? DType::bf16 : DType::f32);
  const int derivatives = flags.values_only ? 0 : bf16 ? 1 : 2;  // nothing trains with second ones in bf16
  std::vector<Row> rows;
  {
    Progress progress("selftest", total);
    std::int64_t done = 0;
    for (const test::OpFamily& f : families)
      if (!stop) rows.push_back(run_family(f, derivatives, progress, done, stop));
  }
  int checks = 0;
  std::size_t failed = 0;
  fmt::print("{:<24} {:>6} {:>7} {:>7} {:>8}\n", "ops", "cases", "checks", "failed", "seconds");
  for (const Row& r : rows) {
    fmt::print("{:<24} {:>6} {:>7} {:>7} {:>8.1f}\n", r.family, r.cases, r.checks, r.failures.size(), r.seconds);
    checks += r.checks;
    failed += r.failures.size();
  }
  if (!flags.json.empty()) write_json(flags.json, device, flags.dtype, rows);
  fmt::print("{} of {} checks passed on {} in {}\n", static_cast<std::size_t>(checks) - failed, checks,
             device_name(device), flags.dtype);
  if (stop) return kInterrupted;
  return failed == 0 ? 0 : static_cast<int>(ErrorKind::failure);
}

}  // namespace gf
