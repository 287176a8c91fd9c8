#include "apps/experiment_plan.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "apps/config_settings.h"
#include "apps/session.h"
#include "data/split_file.h"
#include "distill/baselines/method.h"
#include "kernels/error.h"
#include "kernels/philox.h"
#include "models/network.h"

namespace gf {
namespace {

[[noreturn]] void refuse(std::string what, std::string where, std::string expected = {}, std::string found = {},
                         std::string remedy = {}) {
  throw Error(ErrorKind::usage,
              {std::move(what), std::move(where), std::move(expected), std::move(found), std::move(remedy)});
}

// The NAME of a text that looks like NAME=FOLDER and is not itself a folder; "" where it can be a folder alone.
std::string name_given(const std::string& text) {
  const std::string name = text.substr(0, text.find('='));
  const bool folder =
      name.size() == text.size() || name.find('/') != std::string::npos || std::filesystem::exists(text);
  return folder ? "" : name;
}

// "NAME=FOLDER" for each data set that gets a root on the command line.
std::map<std::string, std::string> roots_by_name(const ExperimentFile& file, const std::vector<std::string>& given) {
  std::map<std::string, std::string> roots;
  for (const std::string& text : given) {
    std::string name, folder = text;
    for (const ExperimentEntry& d : file.datasets)
      if (text.starts_with(d.name + "=")) {
        name = d.name;
        folder = text.substr(name.size() + 1);
      }
    if (name.empty()) {
      std::vector<std::string> names;
      for (const ExperimentEntry& d : file.datasets) names.push_back(d.name);
      if (names.size() != 1)
        refuse("which data set?", "--data " + text, fmt::format("NAME=FOLDER, NAME one of {}", fmt::join(names, ", ")));
      if (const std::string unknown = name_given(text); !unknown.empty())
        refuse("unknown data set", "--data " + text, fmt::format("{}=FOLDER, or FOLDER alone", names[0]), unknown);
      name = names[0];
    }
    roots[name] = folder;
  }
  return roots;
}

class Planner {
 public:
  Planner(const ExperimentFile& file, const std::vector<std::string>& overrides) : file_(file), overrides_(overrides) {
    plan_.name = file.name;
    plan_.output = file.output;
  }

  void plan(const std::map<std::string, std::string>& roots) {
    for (const ExperimentEntry& d : file_.datasets) {
      std::vector<std::string> sets = overrides_;
      if (const auto root = roots.find(d.name); root != roots.end()) sets.push_back("data.root=" + root->second);
      const DataConfig data = layered_config(file_, {&d}, sets).data;
      if (data.root.empty() && data.layout != "brain") {
        plan_.notes.push_back(
            fmt::format("data set {} is left out: no data.root; --data \"{}=FOLDER\" gives one", d.name, d.name));
        continue;
      }
      sets_[d.name] = sets;
    }
    if (sets_.empty()) refuse("no data set", file_.path, "data.root of one", "none", "give it: --data FOLDER");
    for (const std::int64_t seed : file_.seeds)
      for (const ExperimentEntry& d : file_.datasets)
        if (sets_.contains(d.name))
          for (const LabelledShare& labelled : file_.labelled) rows_of(d, labelled, seed);
    std::set<std::string> ids;
    for (const RowPlan& row : plan_.rows)
      if (!ids.insert(row.id).second)
        refuse("two rows of one name", file_.path, {}, row.id, "change the names in the experiment");
  }

  ExperimentPlan take() { return std::move(plan_); }

 private:
  // All rows of one data set, share and seed.
  void rows_of(const ExperimentEntry& d, const LabelledShare& labelled, std::int64_t seed) {
    const Block b = block(d, labelled, seed);
    const Block taught = file_.teacher_sees_all ? block(d, {}, seed) : b;
    const std::vector<std::size_t> teachers = teacher_rows(taught);
    for (const ExperimentEntry& s : file_.students) {
      if (file_.alone)
        row({.id = b.id + "." + s.slug + ".alone." + b.seed_name,
             .role = "student",
             .dataset = d.name,
             .student = s.name,
             .seed = seed,
             .stage = alone(b, s)});
      for (std::size_t t = 0; t < teachers.size(); ++t)
        for (const ExperimentEntry& m : file_.methods)
          if (needs_teacher(d, s, m)) method_row(b, Teacher{file_.teachers[t], teachers[t], taught}, s, m);
      for (const ExperimentEntry& m : file_.methods)
        if (!needs_teacher(d, s, m)) method_row(b, {}, s, m);
    }
  }

  bool needs_teacher(const ExperimentEntry& d, const ExperimentEntry& s, const ExperimentEntry& m) {
    const bool needs = find_method(layered_config(file_, {&d, &s, &m}, sets_[d.name]).distill.method).needs.teacher;
    if (needs && file_.teachers.empty())
      refuse("a method without a teacher", file_.path + ", method " + m.name, "[[teacher]]", "none");
    return needs;
  }

  struct Block {
    const ExperimentEntry& dataset;
    std::int64_t seed;
    LabelledShare labelled;
    std::size_t data;
    std::string folder, id, seed_name;
    std::string bar(const std::string& name) const { return fmt::format("{} seed {}", name, seed); }
    std::string text() const {
      return dataset.name + (labelled.all() ? "" : ", " + labelled.text() + " labelled") +
             fmt::format(", seed {}", seed);
    }
  };

  struct Teacher {
    const ExperimentEntry& entry;
    std::size_t stage;
    const Block& block;
  };

  Block block(const ExperimentEntry& d, const LabelledShare& labelled, std::int64_t seed) {
    const std::string share = labelled.all() ? "" : "labelled" + labelled.slug();
    return {d,
            seed,
            labelled,
            data(d, labelled, seed),
            file_.runs + "/" + d.slug + (share.empty() ? "" : "/" + share),
            d.slug + (share.empty() ? "" : "." + share),
            fmt::format("seed{}", seed)};
  }

  // The teachers' stages. A row each, unless another share has brought it.
  std::vector<std::size_t> teacher_rows(const Block& b) {
    std::vector<std::size_t> stages;
    for (const ExperimentEntry& t : file_.teachers) {
      const std::size_t known = plan_.stages.size();
      stages.push_back(teacher(b, t));
      if (stages.back() < known) continue;
      row({.id = b.id + "." + t.slug + ".teacher." + b.seed_name,
           .role = "teacher",
           .dataset = b.dataset.name,
           .teacher = t.name,
           .seed = b.seed,
           .stage = stages.back()});
    }
    return stages;
  }

  std::size_t data(const ExperimentEntry& d, const LabelledShare& labelled, std::int64_t seed) {
    for (std::size_t i = 0; i < plan_.data.size(); ++i)
      if (const DataPlan& p = plan_.data[i];
          p.dataset == d.name && p.labelled == labelled && p.seed == static_cast<std::uint64_t>(seed))
        return i;
    DataPlan p;
    p.dataset = d.name;
    p.config.data = layered_config(file_, {&d}, sets_[d.name]).data;
    p.labelled = labelled;
    p.seed = static_cast<std::uint64_t>(seed);
    if (!labelled.all())
      p.split_file = fmt::format("{}/splits/{}.labelled{}.seed{}.csv", plan_.output, d.slug, labelled.slug(), seed);
    plan_.data.push_back(std::move(p));
    return plan_.data.size() - 1;
  }

  Config config(const Block& b, std::initializer_list<const ExperimentEntry*> entries, const std::string& folder) {
    Config c = layered_config(file_, entries, sets_[b.dataset.name]);
    if (c.data.root != plan_.data[b.data].config.data.root ||
        c.data.split_file != plan_.data[b.data].config.data.split_file)
      refuse("a network's entry changes the data set", file_.path, "data.root and data.split_file in [[dataset]]");
    c.train.seed = b.seed;
    c.output.dir = folder;
    if (!b.labelled.all()) c.data.split_file = plan_.data[b.data].split_file;
    return c;
  }

  std::size_t stage(StagePlan s) {
    for (std::size_t i = 0; i < plan_.stages.size(); ++i)
      if (plan_.stages[i].folder == s.folder) return i;
    plan_.stages.push_back(std::move(s));
    return plan_.stages.size() - 1;
  }

  // What training on labels alone does not look at is not part of its settings.
  static Config supervised(Config c) {
    c.distill = {};
    c.paraphrase = {};
    return c;
  }

  std::size_t teacher(const Block& b, const ExperimentEntry& t) {
    const std::string folder = b.folder + "/teachers/" + t.slug + "/" + b.seed_name;
    return stage({.kind = StageKind::train,
                  .title = "teacher " + t.name + ", " + b.text(),
                  .bar = b.bar(t.name),
                  .folder = folder,
                  .group = b.dataset.name + " " + t.name,
                  .config = supervised(config(b, {&b.dataset, &t}, folder)),
                  .data = b.data});
  }

  std::size_t alone(const Block& b, const ExperimentEntry& s) {
    const std::string folder = b.folder + "/students/" + s.slug + "/alone/" + b.seed_name;
    return stage({.kind = StageKind::train,
                  .title = s.name + " alone, " + b.text(),
                  .bar = b.bar(s.name),
                  .folder = folder,
                  .group = b.dataset.name + " " + s.name,
                  .config = supervised(config(b, {&b.dataset, &s}, folder)),
                  .data = b.data});
  }

  // No row for a semi-supervised method at the end of a row of shares, where every case is labelled.
  void method_row(const Block& b, const std::optional<Teacher>& t, const ExperimentEntry& s, const ExperimentEntry& m) {
    const std::string folder =
        b.folder + "/students/" + s.slug + (t ? "/" + t->entry.slug : "") + "/" + m.slug + "/" + b.seed_name;
    Config c = config(b, {&b.dataset, &s, &m}, folder);
    check_budget(c, layered_config(file_, {&b.dataset, &s}, sets_[b.dataset.name]), m);
    if (c.distill.semi_supervised && b.labelled.all() && file_.labelled.size() > 1) return;
    StagePlan plan{.kind = StageKind::distill,
                   .title = s.name + " + " + m.name + (t ? " from " + t->entry.name : "") + ", " + b.text(),
                   .bar = b.bar(m.name),
                   .folder = folder,
                   .group = b.dataset.name + " " + s.name + " " + m.name,
                   .config = {},
                   .data = b.data};
    if (t) {
      plan.teacher = t->stage;
      c.distill.teacher = plan_.stages[t->stage].folder + "/checkpoints/best.gfm";
      if (needs_paraphrasers(c)) {
        plan.paraphrasers = paraphrase(*t, c);
        c.distill.paraphrasers = plan_.stages[*plan.paraphrasers].folder + "/checkpoints/best.gfm";
      }
    }
    c.paraphrase = {};
    plan.config = std::move(c);
    row({.id = b.id + "." + (t ? t->entry.slug + "." : "") + s.slug + "." + m.slug + "." + b.seed_name,
         .role = "method",
         .dataset = b.dataset.name,
         .teacher = t ? t->entry.name : "",
         .student = s.name,
         .method = m.name,
         .seed = b.seed,
         .stage = stage(std::move(plan))});
  }

  void check_budget(const Config& method, const Config& alone, const ExperimentEntry& m) const {
    const auto budget = [](const Config& c) {
      return fmt::format("{} steps or {} epochs of {} x {} pictures", c.train.max_iterations, c.train.epochs,
                         c.train.batch_size, c.train.accumulate);
    };
    if (budget(method) != budget(alone))
      refuse("a method with another budget than the student alone", file_.path + ", method " + m.name, budget(alone),
             budget(method), "set train.* in [[dataset]], [[student]] or for all");
  }

  // Those settings alone that a paraphraser's training looks at, so that methods and students share it.
  std::size_t paraphrase(const Teacher& t, const Config& student) {
    const Block& b = t.block;
    Config c;
    c.data = student.data;
    c.data.split_file = plan_.stages[t.stage].config.data.split_file;
    c.train = student.train;
    c.train.max_iterations = TrainConfig().max_iterations;
    c.train.epochs = TrainConfig().epochs;
    c.distill.teacher = student.distill.teacher;
    c.distill.teacher_taps = student.distill.teacher_taps;
    c.distill.graph = which_layers(student.distill.graph);
    c.paraphrase = student.paraphrase;
    if (student.distill.student_taps.empty() && c.distill.graph == GraphConfig()) {
      c.model.in_channels = student.model.in_channels;
      c.model.num_classes = student.model.num_classes;
      if (c.paraphrase.factors == 0)
        c.paraphrase.factors =
            static_cast<int>(make_network(student.model.arch, {.width = student.model.width})->tap_channels());
    } else {  // only the student itself tells how many factors each pair needs
      c.model = student.model;
      c.distill.student_taps = student.distill.student_taps;
    }
    Config nameable = c;
    nameable.train.seed = TrainConfig().seed;  // is in the name already
    const std::string factors = c.paraphrase.factors > 0 ? std::to_string(c.paraphrase.factors) : student.model.arch;
    const std::string above = fmt::format("{}-factors{}-{:06x}", plan_.stages[t.stage].folder, factors,
                                          named_stream(settings_text(nameable)) & 0xffffff);
    c.output.dir = above;
    return stage({.kind = StageKind::paraphrase,
                  .title = fmt::format("paraphrasers of {}, {} factors, {}", t.entry.name, factors, b.text()),
                  .bar = b.bar("paraphrasers"),
                  .folder = above + kParaphraserFolder,
                  .group = b.dataset.name + " paraphrasers " + t.entry.name,
                  .config = std::move(c),
                  .data = b.data,
                  .teacher = t.stage});
  }

  // Of [distill.graph], without what only the loss looks at.
  static GraphConfig which_layers(GraphConfig g) {
    const GraphConfig usual;
    g.vertex_weight = usual.vertex_weight;
    g.edge_weight = usual.edge_weight;
    g.k = usual.k;
    g.edges = usual.edges;
    g.salience = usual.salience;
    g.absolute = usual.absolute;
    g.reduction = usual.reduction;
    return g;
  }

  void row(RowPlan r) { plan_.rows.push_back(std::move(r)); }

  const ExperimentFile& file_;
  const std::vector<std::string>& overrides_;
  ExperimentPlan plan_;
  std::map<std::string, std::vector<std::string>> sets_;  // by data set: --set and its root
};

}  // namespace

const char* name_of(StageKind kind) {
  switch (kind) {
    case StageKind::train:
      return "train";
    case StageKind::paraphrase:
      return "paraphrase";
    default:
      return "distill";
  }
}

ExperimentPlan plan_experiment(const ExperimentFile& file, const std::vector<std::string>& overrides,
                               const std::vector<std::string>& roots) {
  Planner planner(file, overrides);
  planner.plan(roots_by_name(file, roots));
  return planner.take();
}

void open_data(ExperimentPlan& plan) {
  std::map<std::string, Dataset> opened;
  for (DataPlan& p : plan.data) {
    if (!opened.contains(p.dataset)) opened.emplace(p.dataset, open_configured_dataset(p.config, {}));
    Dataset d = opened.at(p.dataset);
    const auto cases_of = [&](Split split) {
      return std::count_if(d.cases.begin(), d.cases.end(), [&](const Case& c) { return c.split == split; });
    };
    p.train_cases = cases_of(Split::train) + cases_of(Split::unlabelled);
    if (!p.labelled.all()) {
      p.labelled_cases = p.labelled.percent
                             ? std::llround(0.01 * static_cast<double>(p.labelled.number * p.train_cases))
                             : p.labelled.number;
      keep_labels(d, p.labelled_cases, p.seed);
      std::filesystem::create_directories(std::filesystem::path(p.split_file).parent_path());
      write_split(d, p.split_file);
    } else if (cases_of(Split::unlabelled) > 0) {  // the data set's own doing
      p.labelled_cases = cases_of(Split::train);
    }
    p.fingerprint = split_fingerprint(d);
  }
}

}  // namespace gf
