// One row of `graphflow experiment`, as JSON.
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/compare/read_rows.h"
#include "kernels/error.h"

namespace gf {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "graphflow row 1";

class RowReader {
 public:
  explicit RowReader(std::string path) : path_(std::move(path)) {
    std::ifstream in(path_, std::ios::binary);
    if (!in) bad_data("cannot read row", path_, "a file", "none that can be opened");
    try {
      json_ = json::parse(in);
    } catch (const json::exception& e) {
      bad_data("broken row", path_, "JSON", e.what(), "run the experiment's row again");
    }
    const std::string format =
        json_.is_object() && json_.contains("format") && json_["format"].is_string() ? json_["format"] : "";
    if (format != kFormat)
      bad_data("not a row of an experiment", path_, fmt::format("\"format\": \"{}\"", kFormat),
               format.empty() ? "none" : "\"" + format + "\"", "give a folder or file of graphflow experiment");
  }

  RunRow read() const {
    RunRow r;
    r.file = path_;
    r.experiment = text("experiment", "");
    r.id = text("row");
    const std::string status = text("status");
    if (status != "done" && status != "failed") wrong("status", "done or failed", status);
    r.failed = status == "failed";
    r.error = text("error", r.failed ? "no reason given" : "");
    const std::string role = text("role");
    if (role != "teacher" && role != "student" && role != "method") wrong("role", "teacher, student or method", role);
    r.role = role == "teacher" ? ModelRole::teacher : role == "student" ? ModelRole::student : ModelRole::distilled;
    r.dataset = text("dataset", "");
    r.teacher = r.role == ModelRole::teacher ? text("teacher") : text("teacher", "");
    r.student = r.role == ModelRole::teacher ? text("student", "") : text("student");
    if (r.role == ModelRole::distilled) r.method = text("method");
    r.seed = *integer("seed", true);
    r.labelled = integer("labelled");
    r.train_cases = integer("train_cases");
    r.device = text("device", "");
    r.version = text("version", "");
    r.threads = integer("threads");
    r.steps = integer("steps");
    r.parameters = number(json_, "parameters");
    r.macs = number(json_, "macs");
    r.latency_ms = number(json_, "latency_ms");
    r.train_seconds = number(json_, "train_seconds");
    if (const json* size = find("macs_size")) {
      if (!size->is_array()) wrong("macs_size", "[height, width]", size->dump());
      for (const json& v : *size) {
        if (!v.is_number_integer()) wrong("macs_size", "[height, width]", size->dump());
        r.macs_size.push_back(v.get<std::int64_t>());
      }
    }
    r.distance_unit = text("distance_unit", "");
    r.protocol = text("protocol", "");
    r.test = scores("test", "cases");
    r.validation = scores("validation", "val_cases");
    return r;
  }

 private:
  [[noreturn]] void wrong(const std::string& key, const std::string& expected, const std::string& found) const {
    bad_data("bad row", path_ + ", \"" + key + "\"", expected, found);
  }

  // Null counts as absent.
  const json* find(const char* key) const {
    const auto at = json_.find(key);
    return at == json_.end() || at->is_null() ? nullptr : &*at;
  }

  std::string text(const char* key) const {
    const json* v = find(key);
    if (!v) wrong(key, "a text", "none");
    return text(key, "");
  }
  std::string text(const char* key, const std::string& otherwise) const {
    const json* v = find(key);
    if (!v) return otherwise;
    if (!v->is_string()) wrong(key, "a text", v->dump());
    return v->get<std::string>();
  }
  std::optional<std::int64_t> integer(const char* key, bool required = false) const {
    const json* v = find(key);
    if (!v && required) wrong(key, "a whole number", "none");
    if (!v) return std::nullopt;
    if (!v->is_number_integer()) wrong(key, "a whole number", v->dump());
    return v->get<std::int64_t>();
  }
  double number(const json& object, const char* key) const {
    const auto at = object.find(key);
    if (at == object.end() || at->is_null()) return kUnknown;
    if (!at->is_number()) wrong(key, "a number or null", at->dump());
    return at->get<double>();
  }

  // The numbers of an object; what else it holds is somebody else's.
  MetricValues values(const json& object, const std::string& where) const {
    if (!object.is_object()) wrong(where, "an object of numbers", object.dump());
    MetricValues out;
    for (const auto& [name, v] : object.items()) {
      if (v.is_number()) out[name] = v.get<double>();
      if (v.is_null()) out[name] = kUnknown;
    }
    return out;
  }

  RunScores scores(const char* means, const char* cases) const {
    RunScores s;
    if (const json* v = find(means)) s.means = values(*v, means);
    s.means.erase("cases");  // their number
    const json* list = find(cases);
    if (!list) return s;
    if (!list->is_array()) wrong(cases, "a list of cases", list->dump());
    std::set<std::string> seen;
    for (const json& v : *list) {
      if (!v.is_object() || !v.contains("case") || !v["case"].is_string())
        wrong(cases, "{\"case\": NAME, numbers ...}", v.dump());
      s.cases.push_back({v["case"].get<std::string>(), values(v, cases)});
      if (!seen.insert(s.cases.back().id).second) wrong(cases, "every case once", s.cases.back().id + " twice");
    }
    return s;
  }

  std::string path_;
  json json_;
};

}  // namespace

RunRow read_row_file(const std::string& path) { return RowReader(path).read(); }

}  // namespace gf
