// The experiments that are shipped: each plans without fault and is what its name says.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <tuple>

#include "apps/experiment_plan.h"
#include "distill/baselines/method.h"
#include "tests/apps/fixtures.h"

using namespace gf;

namespace {

const std::string kFolder = std::string(GF_SOURCE_DIR) + "/apps/configs/experiments/";
const std::vector<std::string> kRoots{"nuclei=/data/nuclei", "hippocampus=/data/hippocampus"};

ExperimentPlan plan_of(const std::string& name, const std::vector<std::string>& roots = kRoots) {
  return plan_experiment(load_experiment(kFolder + name + ".toml"), {}, roots);
}

// The configurations of one data set's methods, in the order of the table.
std::vector<Config> methods_of(const ExperimentPlan& plan, const std::string& dataset) {
  std::vector<Config> configs;
  for (const RowPlan& row : plan.rows)
    if (row.role == "method" && row.dataset == dataset && row.seed == 1)
      configs.push_back(plan.stages[row.stage].config);
  return configs;
}

}  // namespace

TEST_CASE("every shipped experiment plans, with the same data, schedule and teachers as the others") {
  std::set<std::string> teachers;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    const std::string name = entry.path().stem().string();
    if (name == "setup") continue;
    ++files;
    CAPTURE(name);
    ExperimentPlan plan;
    REQUIRE_NOTHROW(plan = plan_of(name));
    CHECK(plan.name == name);
    CHECK(plan.notes.empty());
    for (const StagePlan& s : plan.stages)
      if (s.title.starts_with("teacher") && !contains(s.title, "labelled"))
        teachers.insert(s.folder + config_to_toml(s.config));
    // One data set alone: the other is left out, and said to be.
    const ExperimentPlan nuclei = plan_of(name, {"nuclei=/data/nuclei"});
    CHECK(nuclei.rows.size() * 2 == plan.rows.size());
    CHECK(nuclei.notes.size() == 1);
  }
  CHECK(files == 6);
  CHECK(teachers.size() == 6);  // two data sets, three seeds
}

TEST_CASE("the comparison of methods has every method that has a teacher") {
  std::vector<std::string> names;
  for (const Config& c : methods_of(plan_of("kd_comparison"), "nuclei")) names.push_back(c.distill.method);
  std::vector<std::string> all;
  for (const MethodInfo& m : methods())
    if (m.needs.teacher) all.push_back(m.name);
  std::sort(names.begin(), names.end());
  std::sort(all.begin(), all.end());
  CHECK(names == all);
}

TEST_CASE("the ablations vary what the paper's tables vary") {
  using Weights = std::tuple<double, double, double, double>;
  const auto weights_of = [](const std::string& table) {
    std::vector<Weights> rows;
    for (const Config& c : methods_of(plan_of(table), "hippocampus"))
      rows.emplace_back(c.distill.graph.vertex_weight, c.distill.graph.edge_weight, c.distill.adversarial.weight,
                        c.distill.kd.weight);
    return rows;
  };
  CHECK(weights_of("lambda") == std::vector<Weights>{{1, 1, 1, 1},
                                                     {1, 1e-4, 1, 1},
                                                     {1, 1e-9, 1, 1},
                                                     {1e-3, 1e-9, 1, 1},
                                                     {1e-5, 1e-4, 1, 1},
                                                     {1e-5, 1e-9, 1, 1},
                                                     {1e-5, 1e-9, 0.1, 1}});
  CHECK(weights_of("components") ==
        std::vector<Weights>{{1e-5, 1e-9, 0, 0}, {1e-5, 1e-9, 0.1, 0}, {1e-5, 1e-9, 0, 1}, {1e-5, 1e-9, 0.1, 1}});
  std::vector<int> layers;
  for (const Config& c : methods_of(plan_of("layer_pairs"), "nuclei")) layers.push_back(c.distill.graph.layers);
  CHECK(layers == std::vector<int>{1, 2, 3});
  CHECK(weights_of("layer_pairs") == std::vector<Weights>(3, {1e-5, 1e-9, 0.1, 1}));
  CHECK(weights_of("students_table") == std::vector<Weights>(3, {1e-5, 1e-9, 0.1, 1}));
}

TEST_CASE("the labelled share: teachers of every share, the unlabelled cases used where there are some") {
  const ExperimentPlan plan = plan_of("labelled_share", {"nuclei=/data/nuclei"});
  std::set<std::string> shares;
  for (const RowPlan& row : plan.rows) {
    const StagePlan& s = plan.stages[row.stage];
    const DataPlan& data = plan.data[s.data];
    shares.insert(data.labelled.text());
    CHECK(s.config.data.split_file == data.split_file);
    CHECK(data.split_file.empty() == data.labelled.all());
    if (s.teacher) CHECK(plan.stages[*s.teacher].data == s.data);
    if (s.paraphrasers) CHECK(plan.stages[*s.paraphrasers].data == s.data);
    CHECK((s.config.distill.semi_supervised ? !data.labelled.all() : true));
  }
  CHECK(shares == std::set<std::string>{"0", "20%", "40%", "60%", "80%"});
  const auto semi = std::count_if(plan.rows.begin(), plan.rows.end(), [&](const RowPlan& row) {
    return plan.stages[row.stage].config.distill.semi_supervised;
  });
  CHECK(semi == 2 * 4 * 3);
  // Mean Teacher: no teacher of the experiment's, once for all of them.
  const auto mean_teachers = std::count_if(plan.rows.begin(), plan.rows.end(), [&](const RowPlan& row) {
    const StagePlan& s = plan.stages[row.stage];
    if (s.config.distill.method != "mean_teacher") return false;
    CHECK(row.teacher.empty());
    CHECK(!s.teacher);
    CHECK(!s.paraphrasers);
    return true;
  });
  CHECK(mean_teachers == 4 * 3);
}

TEST_CASE("stages that rows share are planned once") {
  const ExperimentPlan plan = plan_of("kd_comparison", {"nuclei=/data/nuclei"});
  CHECK(plan.rows.size() == 3 * (2 + method_names().size() - 1));
  CHECK(plan.stages.size() == plan.rows.size() + 3);  // a pair of paraphrasers a seed
  std::set<std::size_t> paraphrasers;
  for (const StagePlan& s : plan.stages)
    if (s.paraphrasers && s.config.train.seed == 1) paraphrasers.insert(*s.paraphrasers);
  CHECK(paraphrasers.size() == 1);
  // Students whose taps are as wide share them, too: ENet and ERFNet.
  std::set<std::string> widths;
  for (const StagePlan& s : plan_of("students_table", {"nuclei=/data/nuclei"}).stages)
    if (s.kind == StageKind::paraphrase && s.config.train.seed == 1)
      widths.insert(std::to_string(s.config.paraphrase.factors));
  CHECK(widths == std::set<std::string>{"24", "64"});
  // Several pairs of layers: paraphrasers of their own for each number of them.
  std::set<int> layers;
  for (const StagePlan& s : plan_of("layer_pairs", {"nuclei=/data/nuclei"}).stages)
    if (s.kind == StageKind::paraphrase && s.config.train.seed == 1) layers.insert(s.config.distill.graph.layers);
  CHECK(layers == std::set<int>{1, 2, 3});
}
