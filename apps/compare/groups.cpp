#include "apps/compare/groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/error.h"

namespace gf {
namespace {

using Key = std::tuple<std::string, std::optional<std::int64_t>, std::string, std::string>;

void add_once(std::vector<std::string>& list, const std::string& text) {
  if (!text.empty() && std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
}

// The teachers that a student's group may have: those its methods name, else those it names itself, else all of the
// data.
std::vector<std::string> teachers_of(const std::vector<RunRow>& rows, const RunRow& subject) {
  std::vector<std::string> by_methods, by_students, all;
  for (const RunRow& r : rows) {
    if (r.dataset != subject.dataset) continue;
    if (r.role == ModelRole::teacher) add_once(all, r.teacher);
    if (r.labelled != subject.labelled || r.student != subject.student) continue;
    if (r.role == ModelRole::distilled) add_once(by_methods, r.teacher);
    if (r.role == ModelRole::student) add_once(by_students, r.teacher);
  }
  if (!by_methods.empty()) return by_methods;
  if (!by_students.empty()) return by_students;
  return all.empty() ? std::vector<std::string>{""} : all;
}

std::vector<ComparedGroup> empty_groups(const std::vector<RunRow>& rows) {
  std::vector<Key> keys;
  const auto add = [&](const RunRow& r, const std::string& student, const std::string& teacher) {
    const Key key{r.dataset, r.labelled, student, teacher};
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  };
  for (const RunRow& r : rows)
    if (r.role != ModelRole::teacher)
      for (const std::string& teacher : teachers_of(rows, r)) add(r, r.student, teacher);
  for (const RunRow& r : rows) {
    // A teacher that nobody learns from.
    const bool used = std::any_of(keys.begin(), keys.end(), [&](const Key& k) {
      return std::get<0>(k) == r.dataset && std::get<3>(k) == r.teacher;
    });
    if (r.role == ModelRole::teacher && !used) add(r, "", r.teacher);
  }
  std::vector<ComparedGroup> groups;
  for (const auto& [dataset, labelled, student, teacher] : keys)
    groups.push_back({.dataset = dataset, .student = student, .teacher = teacher, .labelled = labelled});
  return groups;
}

bool fits(const RunRow& r, const ComparedGroup& g, bool teacher_of_all_labels) {
  if (r.dataset != g.dataset) return false;
  if (r.role == ModelRole::teacher)
    return r.teacher == g.teacher && (teacher_of_all_labels ? !r.labelled : r.labelled == g.labelled);
  if (r.student != g.student || r.labelled != g.labelled) return false;
  return r.role == ModelRole::student || r.teacher == g.teacher || (r.teacher.empty() && !g.teacher.empty());
}

void add_row(ComparedGroup& group, const RunRow& row) {
  auto model = std::find_if(group.models.begin(), group.models.end(),
                            [&](const ComparedModel& m) { return m.role == row.role && m.name == row.name(); });
  if (model == group.models.end()) {
    group.models.push_back({.role = row.role, .name = row.name()});
    model = group.models.end() - 1;
  }
  if (row.failed) return model->failed.push_back(&row);
  const auto same =
      std::find_if(model->rows.begin(), model->rows.end(), [&](const RunRow* r) { return r->seed == row.seed; });
  if (same != model->rows.end())
    bad_data("two rows of one model and seed", (*same)->file + " and " + row.file, "one",
             fmt::format("{}, seed {}, in both ({})", row.name(), row.seed, group.title()),
             "compare these runs one after the other, or name their methods apart");
  const auto after =
      std::find_if(model->rows.begin(), model->rows.end(), [&](const RunRow* r) { return r->seed > row.seed; });
  model->rows.insert(after, &row);
}

}  // namespace

std::vector<ComparedGroup> group_rows(const std::vector<RunRow>& rows) {
  std::vector<ComparedGroup> groups = empty_groups(rows);
  for (ComparedGroup& g : groups) {
    const bool own_teacher = std::any_of(
        rows.begin(), rows.end(), [&](const RunRow& r) { return r.role == ModelRole::teacher && fits(r, g, false); });
    for (const RunRow& r : rows)
      if (fits(r, g, !own_teacher)) add_row(g, r);
    std::stable_sort(g.models.begin(), g.models.end(),
                     [](const ComparedModel& a, const ComparedModel& b) { return a.role < b.role; });
    g.teacher_has_all_labels = !own_teacher && g.labelled && g.find(ModelRole::teacher);
    if (g.teacher_has_all_labels)
      g.warnings.push_back(fmt::format("The teacher {} was trained with all labels.", g.teacher));
  }
  return groups;
}

}  // namespace gf
