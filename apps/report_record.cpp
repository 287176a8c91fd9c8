#include "apps/report_record.h"

#include "apps/json_file.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr const char* kFile = "/report.json";
constexpr const char* kFormat = "graphflow report 1";

}  // namespace

void write_report_record(const std::string& run_folder, const ReportRecord& r) {
  using nlohmann::ordered_json;
  ordered_json models = ordered_json::array(), overlays = ordered_json::array();
  for (const RecordedModel& m : r.models)
    models.push_back({{"name", m.name}, {"role", name_of(m.role)}, {"run_folder", m.run_folder}, {"config", m.config}});
  for (const OverlayRow& row : r.overlays) {
    ordered_json cells = ordered_json::array();
    for (const OverlayCell& c : row.cells) cells.push_back({{"caption", c.caption}, {"picture", c.image_uri}});
    overlays.push_back({{"name", row.name}, {"cells", std::move(cells)}});
  }
  const ordered_json j{{"format", kFormat},
                       {"title", r.title},
                       {"subtitle", r.subtitle},
                       {"notes", r.notes},
                       {"warnings", r.warnings},
                       {"models", std::move(models)},
                       {"overlay_columns", r.overlay_columns},
                       {"overlays", std::move(overlays)},
                       {"distance_unit", r.distance_unit}};
  // Names of files need not be UTF-8.
  write_file_atomically(run_folder + kFile, j.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

std::optional<ReportRecord> read_report_record(const std::string& run_folder) {
  const std::string file = run_folder + kFile;
  const std::optional<nlohmann::json> j = read_json(file, kFormat);
  if (!j) return {};
  ReportRecord r;
  try {
    j->at("title").get_to(r.title);
    j->at("subtitle").get_to(r.subtitle);
    j->at("notes").get_to(r.notes);
    j->at("warnings").get_to(r.warnings);
    for (const nlohmann::json& m : j->at("models"))
      r.models.push_back({m.at("name").get<std::string>(), parse_role(m.at("role").get<std::string>(), file),
                          m.at("run_folder").get<std::string>(), m.at("config").get<std::string>()});
    j->at("overlay_columns").get_to(r.overlay_columns);
    for (const nlohmann::json& row : j->at("overlays")) {
      OverlayRow o{row.at("name").get<std::string>(), {}};
      for (const nlohmann::json& c : row.at("cells"))
        o.cells.push_back({c.at("picture").get<std::string>(), c.at("caption").get<std::string>()});
      r.overlays.push_back(std::move(o));
    }
    r.distance_unit = j->value("distance_unit", "");
    if (r.models.empty()) bad_data("broken file of a run", file, "the run's own model under \"models\"", "none");
  } catch (const nlohmann::json::exception& e) {
    bad_data("broken file of a run", file, "the keys that training writes", e.what(), "move it away");
  }
  return r;
}

}  // namespace gf
