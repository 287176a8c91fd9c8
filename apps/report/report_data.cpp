#include "apps/report/report_data.h"

#include <algorithm>

#include "kernels/error.h"

namespace gf {

const char* name_of(ModelRole role) {
  return role == ModelRole::teacher ? "teacher" : role == ModelRole::student ? "student" : "distilled";
}

ModelRole parse_role(const std::string& name, const std::string& file) {
  for (const ModelRole role : {ModelRole::teacher, ModelRole::student, ModelRole::distilled})
    if (name == name_of(role)) return role;
  bad_data("unknown role of a model", file, "teacher, student or distilled", name);
}

const ModelResult* find_role(const ReportData& data, ModelRole role) {
  const auto it =
      std::find_if(data.models.begin(), data.models.end(), [&](const ModelResult& m) { return m.role == role; });
  return it == data.models.end() ? nullptr : &*it;
}

double gap_closed(const ReportData& data, const ModelResult& model) {
  const ModelResult* teacher = find_role(data, ModelRole::teacher);
  const ModelResult* student = find_role(data, ModelRole::student);
  if (!teacher || !student || !(teacher->mean.dice > student->mean.dice)) return kUnknown;
  return (model.mean.dice - student->mean.dice) / (teacher->mean.dice - student->mean.dice);
}

}  // namespace gf
