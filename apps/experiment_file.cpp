#include "apps/experiment_file.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "apps/config_loader.h"
#include "apps/did_you_mean.h"
#include "kernels/error.h"

namespace gf {

struct ConfigLayer {
  toml::table table;
  std::string file;
};

namespace {

constexpr const char* kWords[] = {"name",    "output", "seeds",   "labelled", "teacher_labels", "alone",
                                  "include", "runs",   "dataset", "teacher",  "student",        "method"};
constexpr const char* kDecided[] = {"train.seed", "output.dir", "distill.teacher", "distill.paraphrasers"};

[[noreturn]] void refuse(std::string what, std::string where, std::string expected = {}, std::string found = {},
                         std::string remedy = {}) {
  throw Error(ErrorKind::usage,
              {std::move(what), std::move(where), std::move(expected), std::move(found), std::move(remedy)});
}

std::string place(const std::string& file, const toml::node& node) {
  return fmt::format("{}:{}", file, node.source().begin.line);
}

// The name in the names of files and folders; "" where nothing would be left of it, or a folder above.
std::string slug_of(const std::string& name) {
  std::string slug;
  for (const char c : name) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                      c == '_' || c == '-' || c == '+';
    if (kept)
      slug += c;
    else if (!slug.empty() && slug.back() != '_')
      slug += '_';
  }
  while (!slug.empty() && slug.back() == '_') slug.pop_back();
  return slug.find_first_not_of('.') == std::string::npos ? "" : slug;
}

// One file's words over those of the file it includes.
class Reader {
 public:
  Reader(ExperimentFile& out, std::string path)
      : out_(out), path_(std::move(path)), table_(parse_toml(read_toml_file(path_), path_)) {}

  // above: the files that included this one, outermost first.
  void read(std::vector<std::filesystem::path> above = {}) {
    if (const auto text = take_text("include")) {
      const std::filesystem::path file = std::filesystem::path(path_).parent_path() / *text;
      above.push_back(std::filesystem::weakly_canonical(path_));
      if (std::find(above.begin(), above.end(), std::filesystem::weakly_canonical(file)) != above.end())
        refuse("files that include each other", path_, "an include that leads to no file above it", *text);
      Reader(out_, file.string()).read(std::move(above));
    }
    if (const auto text = take_text("name")) out_.name = *text;
    if (const auto text = take_text("runs")) out_.runs = *text;
    if (const toml::node* node = table_.get("output"); node && node->is_table())
      refuse("[output] has no place in an experiment", place(path_, *node), "output = \"FOLDER\"", "a section");
    if (const auto text = take_text("output")) out_.output = *text;
    take_list("seeds", "whole numbers from 0", out_.seeds, number);
    take_list("labelled", "numbers of cases from 0, or shares like \"20%\"", out_.labelled, share);
    if (const toml::node* node = table_.get("teacher_labels")) {
      const std::string where = place(path_, *node), text = *take_text("teacher_labels");
      if (text != "all" && text != "labelled") refuse("wrong teacher_labels", where, "\"all\" or \"labelled\"", text);
      out_.teacher_sees_all = text == "all";
    }
    if (const toml::node* node = table_.get("alone")) {
      if (!node->is_boolean()) refuse("wrong type of alone", place(path_, *node), "true or false");
      out_.alone = node->as_boolean()->get();
      table_.erase("alone");
    }
    take_entries("dataset", out_.datasets);
    take_entries("teacher", out_.teachers);
    take_entries("student", out_.students);
    take_entries("method", out_.methods);
    refuse_unknown();
    out_.common.push_back(std::make_shared<const ConfigLayer>(ConfigLayer{std::move(table_), path_}));
  }

 private:
  std::optional<std::string> take_text(const char* key) {
    const toml::node* node = table_.get(key);
    if (!node) return {};
    if (!node->is_string() || node->as_string()->get().empty())
      refuse(fmt::format("wrong {}", key), place(path_, *node), "a text");
    std::string text = node->as_string()->get();
    table_.erase(key);
    return text;
  }

  template <class Value, class Read>
  void take_list(const char* key, const std::string& expected, std::vector<Value>& out, const Read& read) {
    const toml::node* node = table_.get(key);
    if (!node) return;
    const std::string where = place(path_, *node);
    const toml::array* list = node->as_array();
    if (!list || list->empty()) refuse(fmt::format("wrong {}", key), where, "a list of " + expected);
    out.clear();
    for (const toml::node& entry : *list) {
      const std::optional<Value> value = read(entry);
      if (!value) refuse(fmt::format("wrong entry in {}", key), where, expected);
      if (std::find(out.begin(), out.end(), *value) != out.end())
        refuse(fmt::format("{} comes twice in {}", text_of(*value), key), where);
      out.push_back(*value);
    }
    table_.erase(key);
  }

  static std::string text_of(std::int64_t number) { return std::to_string(number); }
  static std::string text_of(const LabelledShare& share) { return share.text(); }

  static std::optional<std::int64_t> number(const toml::node& node) {
    const auto* n = node.as_integer();
    return n && n->get() >= 0 ? std::optional(n->get()) : std::nullopt;
  }

  // 20, or "20%".
  static std::optional<LabelledShare> share(const toml::node& node) {
    if (const auto n = number(node)) return LabelledShare{*n, false};
    const auto* text = node.as_string();
    if (!text || !text->get().ends_with('%')) return {};
    LabelledShare s{0, true};
    const std::string& t = text->get();
    const auto [end, error] = std::from_chars(t.data(), t.data() + t.size() - 1, s.number);
    if (error != std::errc() || end != t.data() + t.size() - 1 || s.number < 1 || s.number > 99) return {};
    return s;
  }

  void take_entries(const char* key, std::vector<ExperimentEntry>& out) {
    toml::node* node = table_.get(key);
    if (!node) return;
    toml::array* list = node->as_array();
    if (!list || !list->is_homogeneous<toml::table>())
      refuse(fmt::format("wrong {}", key), place(path_, *node), fmt::format("sections [[{}]]", key));
    out.clear();
    for (toml::node& section : *list) {
      const std::string where = place(path_, section);
      toml::table table = std::move(*section.as_table());  // a copy would forget its lines
      const toml::node* name = table.get("name");
      if (!name || !name->is_string() || slug_of(name->as_string()->get()).empty())
        refuse(fmt::format("[[{}]] without a name", key), where, "name = \"...\" for the tables");
      ExperimentEntry entry{name->as_string()->get(), slug_of(name->as_string()->get()), nullptr};
      for (const ExperimentEntry& other : out)
        if (other.slug == entry.slug)
          refuse(fmt::format("two [[{}]] of one name", key), where, "a name of its own for each",
                 "\"" + entry.name + "\" after \"" + other.name + "\"");
      if (std::string(key) == "method" && (entry.slug == "alone" || entry.slug == "teacher"))
        refuse("the name is taken", where, "another name than that of the runs without a method", entry.name);
      table.erase("name");
      entry.layer = std::make_shared<const ConfigLayer>(ConfigLayer{std::move(table), path_});
      out.push_back(std::move(entry));
    }
    table_.erase(key);
  }

  void refuse_unknown() {
    Config unused;
    std::vector<std::string> known(std::begin(kWords), std::end(kWords));
    for (const std::string& section : ConfigLoader(unused).sections())
      if (section.find('.') == std::string::npos) known.push_back(section);
    for (const auto& [key, node] : table_) {
      const std::string word(key.str());
      if (std::find(known.begin(), known.end(), word) != known.end()) continue;
      const std::string nearest = did_you_mean(word, known);
      refuse("unknown word '" + word + "' in the experiment", fmt::format("{}:{}", path_, key.source().begin.line), {},
             {}, nearest.empty() ? fmt::format("known: {}", fmt::join(known, ", ")) : nearest);
    }
  }

  ExperimentFile& out_;
  std::string path_;
  toml::table table_;
};

}  // namespace

ExperimentFile load_experiment(const std::string& path) {
  ExperimentFile file;
  file.path = path;
  Reader(file, path).read();
  if (file.name.empty()) file.name = std::filesystem::path(path).stem().string();
  if (file.output.empty()) file.output = "runs/" + slug_of(file.name);
  if (file.runs.empty()) file.runs = file.output + "/runs";
  if (file.seeds.empty()) file.seeds = {1};
  if (file.labelled.empty()) file.labelled = {LabelledShare()};
  if (file.datasets.empty()) {
    const std::string layout = layered_config(file, {}, {}).data.layout;
    file.datasets.push_back({layout, layout, std::make_shared<const ConfigLayer>(ConfigLayer{{}, path})});
  }
  if (file.teachers.empty() && file.students.empty())
    refuse("nothing to train", path, "[[teacher]] or [[student]]", "neither");
  if (!file.methods.empty() && file.students.empty()) refuse("methods without a student", path, "[[student]]", "none");
  return file;
}

Config layered_config(const ExperimentFile& file, std::initializer_list<const ExperimentEntry*> entries,
                      const std::vector<std::string>& overrides) {
  Config config;
  ConfigLoader loader(config);
  for (const auto& layer : file.common) loader.layer(layer->table, layer->file);
  for (const ExperimentEntry* entry : entries) loader.layer(entry->layer->table, entry->layer->file);
  for (const std::string& setting : overrides) loader.override_with(setting);
  for (const char* key : kDecided)
    if (const auto it = loader.origins().find(key); it != loader.origins().end())
      refuse(fmt::format("{} is the experiment's to decide", key), it->second, {}, {},
             "leave it out; seeds = [...] and output = \"FOLDER\" are words of the experiment");
  loader.finish(file.path);
  return config;
}

}  // namespace gf
