#include "data/split_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "data/csv.h"
#include "engine/io/atomic_file.h"
#include "engine/random.h"
#include "kernels/error.h"
#include "kernels/philox.h"

namespace gf {
namespace {

const std::string& patient_of(const Case& c) { return c.patient.empty() ? c.id : c.patient; }
bool training(Split s) { return s == Split::train || s == Split::unlabelled; }
bool in_training(const Case& c) { return training(c.split); }
bool outside_test(const Case& c) { return c.split != Split::test; }

void refuse_parted_patients(const Dataset& d, const std::string& where) {
  std::map<std::string, const Case*> first;
  for (const Case& c : d.cases) {
    const auto [at, fresh] = first.emplace(patient_of(c), &c);
    const Split other = at->second->split;
    if (fresh || other == c.split || (training(other) && training(c.split))) continue;
    bad_data("a patient in two parts", where + ", patient " + patient_of(c), "all cases in one part",
             fmt::format("{} in {} and {} in {}", at->second->id, name_of(other), c.id, name_of(c.split)),
             "models would be tested on people they have seen");
  }
}

// The patients of these cases in a random order that depends on the seed and their names alone.
template <class Counts>
std::vector<std::string> shuffled_patients(const Dataset& d, const Counts& counts, std::uint64_t seed) {
  std::vector<std::pair<std::uint64_t, std::string>> drawn;
  std::map<std::string, bool> seen;
  for (const Case& c : d.cases) {
    if (!counts(c) || !seen.emplace(patient_of(c), true).second) continue;
    const Philox4 r = philox(seed, named_stream("data.split"), named_stream(patient_of(c)));
    drawn.emplace_back(std::uint64_t{r.v[0]} << 32 | r.v[1], patient_of(c));
  }
  std::sort(drawn.begin(), drawn.end());
  std::vector<std::string> names;
  for (auto& [number, name] : drawn) names.push_back(std::move(name));
  return names;
}

}  // namespace

void apply_split(Dataset& d, const std::string& file) {
  const CsvTable table = CsvTable::read(file);
  const std::size_t id = table.column("case"), split = table.column("split");
  std::map<std::string, Split> parts;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string where = fmt::format("{} line {}", file, table.line(row));
    if (!parts.emplace(table.at(row, id), parse_split(table.at(row, split), where)).second)
      bad_data("a case is listed twice", where, "every case once", table.at(row, id));
  }
  for (Case& c : d.cases) {
    const auto at = parts.find(c.id);
    if (at == parts.end())
      bad_data("a case is missing from the split", file, c.id, "no such line", "write it anew: graphflow split");
    c.split = at->second;
    parts.erase(at);
  }
  if (!parts.empty())
    bad_data("the split lists a case that the data set does not hold", file, "the cases of " + d.root,
             parts.begin()->first, "write it anew: graphflow split");
  refuse_parted_patients(d, file);
}

void write_split(const Dataset& d, const std::string& file) {
  std::string text = "case,patient,split\n";
  for (const Case& c : d.cases)
    text += fmt::format("{},{},{}\n", csv_field(c.id), csv_field(patient_of(c)), name_of(c.split));
  write_file_atomically(file, text);
}

void draw_parts(Dataset& d, double val_share, double test_share, std::uint64_t seed) {
  if (val_share < 0 || test_share < 0 || val_share + test_share >= 1)
    throw Error(ErrorKind::usage, {"the shares of the parts leave nothing to train", "data.val_share, data.test_share",
                                   "together below 1", fmt::format("{} and {}", val_share, test_share), ""});
  std::map<std::string, std::map<std::string, std::int64_t>> sizes;  // subset, patient: cases
  for (const Case& c : d.cases)
    if (c.split == Split::train) ++sizes[c.subset][patient_of(c)];
  std::map<std::string, std::map<std::string, Split>> parts;
  for (const auto& [subset, patients] : sizes) {
    std::int64_t all = 0, test = 0, val = 0;
    for (const auto& [name, cases] : patients) all += cases;
    const auto in_subset = [&subset = subset](const Case& c) { return c.split == Split::train && c.subset == subset; };
    for (const std::string& name : shuffled_patients(d, in_subset, seed)) {
      const std::int64_t cases = patients.at(name);
      Split& part = parts[subset][name] = Split::train;
      if (test < std::llround(test_share * double(all)))
        part = Split::test, test += cases;
      else if (val < std::llround(val_share * double(all)))
        part = Split::val, val += cases;
    }
  }
  for (Case& c : d.cases)
    if (c.split == Split::train) c.split = parts.at(c.subset).at(patient_of(c));
}

std::string split_fingerprint(const Dataset& d) {
  std::string text;
  for (const Case& c : d.cases) text += c.id + '\n' + name_of(c.split) + '\n';
  return fmt::format("{:016x}", named_stream(text));
}

void keep_labels(Dataset& d, std::int64_t labelled, std::uint64_t seed) {
  const std::vector<std::string> patients = shuffled_patients(d, in_training, seed);
  std::map<std::string, std::int64_t> cases;
  std::int64_t all = 0;
  for (const Case& c : d.cases)
    if (training(c.split)) {
      ++cases[patient_of(c)];
      ++all;
    }
  std::map<std::string, bool> kept;
  std::int64_t taken = 0;
  for (const std::string& p : patients) {
    kept[p] = taken < labelled;
    if (kept[p]) taken += cases[p];
  }
  if (labelled < 1 || taken >= all)
    bad_data("no such number of labelled cases", d.root,
             fmt::format("1 to {} of {} training cases, a patient's together", all - 1, all), std::to_string(labelled));
  for (Case& c : d.cases)
    if (training(c.split)) c.split = kept[patient_of(c)] ? Split::train : Split::unlabelled;
}

void take_fold(Dataset& d, int fold, int folds, std::uint64_t seed) {
  const std::vector<std::string> patients = shuffled_patients(d, outside_test, seed);
  if (folds < 2 || static_cast<std::size_t>(folds) > patients.size())
    bad_data("no such number of folds", d.root,
             fmt::format("2 to {}, the patients outside the test part", patients.size()), std::to_string(folds));
  std::map<std::string, int> fold_of;
  for (std::size_t i = 0; i < patients.size(); ++i) fold_of[patients[i]] = static_cast<int>(i) % folds;
  for (Case& c : d.cases)
    if (outside_test(c)) c.split = fold_of[patient_of(c)] == fold ? Split::val : Split::train;
}

}  // namespace gf
