#include "apps/config.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "apps/config_keys.h"
#include "tests/apps/fixtures.h"

using namespace gf;

namespace {

std::string fault(const std::string& toml, const std::vector<std::string>& sets = {}) {
  return error_of([&] { parse_config(toml, "run.toml", sets); });
}

}  // namespace

TEST_CASE("an empty file gives the defaults of the method") {
  const Config c = parse_config("", "run.toml");
  CHECK(c.distill.graph.vertex_weight == 1e-5);
  CHECK(c.distill.graph.edge_weight == 1e-9);
  CHECK(c.distill.graph.k == 3);
  CHECK(c.distill.graph.reduction == "sum");
  CHECK(c.distill.adversarial.weight == 0);  // the discriminator is there for who asks
  CHECK(c.distill.adversarial.type == "wgan_gp");
  CHECK(c.optim.name == "adam");
  CHECK(c.optim.power == 0.9);
  CHECK(c.paraphrase.optim.name == "sgd");
  CHECK(c.model.in_channels == 1);
  CHECK(c.output.dir == "runs/run");
}

TEST_CASE("a file sets values of every type") {
  const Config c = parse_config(R"(
[data]
label_map = { 255 = 1, 128 = 2 }
class_names = ["background", "nucleus", "border"]
channels = 3
[data.augment]
hflip = true
rotation_deg = 15
[train]
seed = 12345678901
[optim]
lr = 1
milestones = [10, 20]
)",
                                "x/nuclei.toml");
  CHECK(c.data.label_map == std::map<int, int>{{255, 1}, {128, 2}});
  CHECK(c.data.class_names[2] == "border");
  CHECK(c.model.num_classes == 3);  // from the names
  CHECK(c.model.in_channels == 3);  // from the channels
  CHECK(c.data.augment.hflip);
  CHECK(c.data.augment.rotation_deg == 15);  // a whole number where a number is meant
  CHECK(c.train.seed == 12345678901);
  CHECK(c.optim.lr == 1);
  CHECK(c.optim.milestones == std::vector<int>{10, 20});
  CHECK(c.output.dir == "runs/nuclei");
}

TEST_CASE("a typo is answered with file, line and the key that was meant") {
  CHECK(fault("[train]\nseed = 1\nbatch_sise = 4\n") ==
        "2: unknown configuration key 'train.batch_sise': run.toml:3; did you mean 'train.batch_size'?");
  CHECK(fault("[trian]\nseed = 1\n") == "2: unknown configuration section [trian]: run.toml:1; did you mean 'train'?");
  CHECK(fault("[distill.grpah]\nk = 3\n") ==
        "2: unknown configuration section [distill.grpah]: run.toml:1; did you mean 'distill.graph'?");
  CHECK(contains(fault("[optim]\nqqqqqq = 1\n"), "lists every key"));
}

TEST_CASE("names of other tools and keys in the wrong section are pointed to the right ones") {
  CHECK(contains(fault("[train]\nsteps = 4\n"), "did you mean 'train.max_iterations'?"));
  CHECK(contains(fault("[optim]\nlearning_rate = 4\n"), "did you mean 'optim.lr'?"));
  CHECK(contains(fault("[paraphrase.optim]\nbase_lr = 4\n"), "did you mean 'paraphrase.optim.lr'?"));
  CHECK(contains(fault("[train]\nlr = 4\n"), "did you mean 'optim.lr'?"));
  CHECK(contains(fault("[model]\nclasses = 4\n"), "did you mean 'model.num_classes'?"));
  CHECK(contains(fault("", {"lr=1"}), "did you mean 'optim.lr'?"));
}

TEST_CASE("wrong types say what was expected and found") {
  CHECK(fault("[train]\nbatch_size = \"four\"\n") ==
        "2: wrong type of train.batch_size: run.toml:2: expected whole number, found text \"four\"");
  CHECK(fault("[train]\nbatch_size = 4.5\n") ==
        "2: wrong type of train.batch_size: run.toml:2: expected whole number, found number 4.5");
  CHECK(contains(fault("[data.augment]\nhflip = 1\n"), "expected true or false, found whole number 1"));
  CHECK(contains(fault("[model]\narch = 3\n"), "expected text, found whole number 3"));
  CHECK(contains(fault("[optim]\nlr = true\n"), "expected number, found true"));
  CHECK(contains(fault("[optim]\nmilestones = 5\n"), "expected list of whole numbers, found whole number 5"));
  CHECK(contains(fault("[optim]\nmilestones = [5, \"x\"]\n"), "expected list of whole numbers, found text \"x\""));
  CHECK(contains(fault("train = 3\n"), "expected a section [train], found whole number 3"));
  CHECK(contains(fault("[data]\nlabel_map = { a = 1 }\n"), "like 255 = 1, found \"a\""));
}

TEST_CASE("values out of range say what is allowed") {
  CHECK(fault("[train]\nbatch_size = 0\n") ==
        "2: value out of range for train.batch_size: run.toml:2: expected 1 .. 4096, found whole number 0");
  CHECK(contains(fault("[optim]\nlr = 0\n"), "expected > 0, found whole number 0"));
  CHECK(contains(fault("[optim]\nlr = -1e-3\n"), "expected > 0, found number -0.001"));
  CHECK(contains(fault("[optim]\nlr = nan\n"), "found number nan"));
  CHECK(contains(fault("[optim]\nlr = inf\n"), "found number inf"));
  CHECK(contains(fault("[train]\nepochs = 3000000000\n"), "expected <= 2147483647"));
  CHECK(contains(fault("[loss]\nclass_weights = [1, -1]\n"), "expected >= 0, found whole number -1"));
  CHECK(fault("[optim]\nschedule = \"ploy\"\n") ==
        "2: wrong value of optim.schedule: run.toml:2: expected constant | poly | step, found \"ploy\"; did you mean "
        "'poly'?");
  CHECK(fault("[model]\narch = \"fanet\"\n").empty());
}

TEST_CASE("values that do not fit each other are found, with the line of the one at fault") {
  CHECK(contains(fault("[distill.graph]\nk = 4\n"), "run.toml:2: expected an odd number, found 4"));
  CHECK(contains(fault("[optim]\nschedule = \"step\"\n"), "run.toml:2; set optim.milestones"));
  CHECK(contains(fault("[optim]\nmilestones = [20, 10]\n"), "expected growing steps, found [20, 10]"));
  CHECK(contains(fault("[model]\nnum_classes = 3\n[loss]\nclass_weights = [1, 2]\n"),
                 "run.toml:4: expected 3 (model.num_classes), found 2"));
  CHECK(contains(fault("[data]\nlabel_map = { 255 = 7 }\n[model]\nnum_classes = 2\n"),
                 "takes label 255 to no class: run.toml:2"));
  CHECK(contains(fault("[model]\nin_channels = 3\n"), "expected 1, found 3"));
  CHECK(contains(fault("[loss]\nce = 0\n"), "no supervised loss"));
  CHECK(contains(fault("[train]\nepochs = 0\n"), "nothing to train"));
  CHECK(contains(fault("[data]\npad_to = [64]\n"), "expected height and width, or none, found 1 entries"));
  CHECK(contains(fault("[distill]\nteacher_taps = [\"c3\"]\n"), "a shallow and a deep one, or none, found 1 entries"));
  CHECK(contains(fault("[distill]\nstudent_taps = [\"x2\", \"up3\"]\n[distill.graph]\nlayers = 2\n"),
                 "expected 4 (shallow and deep of distill.graph.layers), or none, found 2 entries"));
  CHECK(contains(fault("[distill.graph]\nlayers = 4\n"), "distill.graph.layers"));
  CHECK(contains(fault("[distill]\nmethod = \"at\"\n[distill.graph]\nlayers = 2\n"), "layers is of graph_flow"));
  CHECK(contains(fault("[distill]\nmethod_weights = [1]\n"), "run.toml:2"));
  CHECK(contains(fault("[distill]\nmethod_weights = [1]\n"), "not graph_flow's"));
  CHECK(contains(fault("[distill]\nmethod_tau = 2\n"), "set distill.kd.tau"));
  CHECK(contains(fault("[distill]\nmethod = \"skd\"\nmethod_weights = [1]\n"), "expected 2 (pixel, pair), found 1"));
  CHECK(fault("[distill]\nmethod = \"skd\"\nmethod_weights = [1, 2]\n").empty());
  CHECK(contains(fault("[distill]\nauto_weights = 9\nauto_shares = [1, 1]\n"), "1 or 3 (vertex, edge, kd)"));
  CHECK(fault("[distill]\nauto_weights = 9\nauto_shares = [1, 1, 1, 1]\nadversarial.weight = 0.1\n").empty());
  CHECK(contains(fault("[distill]\nmethod = \"at\"\nmask_wrong_teacher = true\n"), "is graph_flow's"));
  CHECK(contains(fault("[distill]\nmethod = \"mean_teacher\"\nadversarial.weight = 0.1\n"), "without a teacher"));
  CHECK(contains(fault("[distill]\nauto_shares = [1]\n"), "without distill.auto_weights"));
  CHECK(contains(fault("[distill]\nauto_weights = 9\n[train]\nmax_iterations = 8\n"), "never be chosen"));
  CHECK(contains(fault("[paraphrase]\nfactors = 8\n[distill.graph]\nlayers = 2\n"), "one number of factors"));
  CHECK(contains(fault("[model]\nimage_size = [224]\n"), "expected height and width, or none, found 1 entries"));
  CHECK(contains(fault("[model]\nnum_classes = 1\n"), "too few classes"));
}

TEST_CASE("broken TOML and missing files are one line") {
  CHECK(contains(fault("[train\nseed = 1\n"), "2: cannot read configuration: run.toml:1;"));
  CHECK(contains(fault("[train]\nseed = 1\nseed = 2\n"), "run.toml:3"));
  const TemporaryFolder folder;
  CHECK(
      contains(error_of([&] { load_config(folder / "none.toml"); }), "none.toml: expected a TOML file, found nothing"));
  CHECK(contains(error_of([&] { load_config(folder.path()); }), "found no readable file"));
}

TEST_CASE("--set goes over the file, the last one wins, and the file over the defaults") {
  const std::string file = "[train]\nbatch_size = 4\nseed = 7\n";
  const Config c = parse_config(file, "run.toml", {"train.batch_size=16", "optim.lr=0.5", "optim.lr=1e-2"});
  CHECK(c.train.batch_size == 16);
  CHECK(c.train.seed == 7);
  CHECK(c.optim.lr == 1e-2);
  CHECK(c.train.accumulate == 1);
  CHECK(contains(fault(file, {"train.batch_size=no"}),
                 "--set train.batch_size=no: expected whole number, found text \"no\""));
  CHECK(contains(fault(file, {"train.batch_size"}), "expected --set section.key=value"));
  CHECK(contains(fault(file, {"train.batch_sise=3"}), "--set train.batch_sise=3; did you mean 'train.batch_size'?"));
}

TEST_CASE("--set needs no quotes around text and takes lists, tables and text with an equals sign") {
  const Config c =
      parse_config("", "run.toml",
                   {"data.root=/data/a=b", "optim.schedule=step", "optim.milestones=[1, 2]", "data.label_map={255=1}",
                    "output.dir=\"out\"", "distill.teacher=2024", "data.augment.vflip=true"});
  CHECK(c.data.root == "/data/a=b");
  CHECK(c.optim.schedule == "step");
  CHECK(c.optim.milestones == std::vector<int>{1, 2});
  CHECK(c.data.label_map.at(255) == 1);
  CHECK(c.output.dir == "out");
  CHECK(c.distill.teacher == "2024");
  CHECK(c.data.augment.vflip);
}

TEST_CASE("the written configuration reads back as the same one, awkward values included") {
  Config c = parse_config("", "run.toml");
  c.data.root = "C:\\a \"quoted\" path\twith\nlines, ümläut and \x7f";
  c.data.class_names = {"background", "a, b", "c]"};
  c.model.num_classes = 3;
  c.data.label_map = {{-3, 2}, {255, 1}};
  c.optim.lr = 0.1 + 0.2;
  c.optim.eps = 1e-300;
  c.train.clip_norm = 5;
  c.train.seed = 9007199254740993;
  c.loss.class_weights = {1, 1.0 / 3, 1e22};
  c.optim.milestones = {1, 2147483647};
  CHECK(parse_config(config_to_toml(c), "again.toml") == c);
  CHECK(contains(config_to_toml(c), "# Temperature (> 0; default 1.0)\ntau = 1.0\n"));
}

TEST_CASE("every key has a name and a member of its own") {
  Config c;
  std::set<std::string> names;
  std::set<const void*> members;
  const std::vector<Key> keys = config_keys(c);
  for (const Key& key : keys) {
    names.insert(key.name);
    members.insert(std::visit([](const auto* v) { return static_cast<const void*>(v); }, key.slot));
  }
  CHECK(names.size() == keys.size());
  CHECK(members.size() == keys.size());
}

TEST_CASE("every key survives a value that is not its default") {
  // Changes one key after the other, so that a key wired to the wrong member is seen.
  Config defaults = parse_config("", "run.toml");
  for (std::size_t i = 0; i < config_keys(defaults).size(); ++i) {
    Config c = defaults;
    Key key = config_keys(c)[i];
    const auto change = [&](auto* v) {
      using T = std::remove_pointer_t<decltype(v)>;
      if constexpr (std::is_same_v<T, bool>) *v = !*v;
      if constexpr (std::is_same_v<T, int> || std::is_same_v<T, std::int64_t>) *v += *v + 2 > key.limits.high ? -2 : 2;
      if constexpr (std::is_same_v<T, double>) *v = *v * 0.5 + 0.0625;
      if constexpr (std::is_same_v<T, std::string>)
        *v = key.limits.choices.empty()         ? "other"
             : key.limits.choices.front() == *v ? key.limits.choices.back()
                                                : key.limits.choices.front();
      if constexpr (std::is_same_v<T, std::vector<int>>) {
        const int low = key.limits.low > 1 ? static_cast<int>(key.limits.low) : 1;
        *v = {low, low + 1};
      }
      if constexpr (std::is_same_v<T, std::vector<double>>) *v = {1, 2};
      if constexpr (std::is_same_v<T, std::vector<std::string>>) *v = {"a", "b"};
      if constexpr (std::is_same_v<T, std::map<int, int>>) *v = {{5, 1}};
    };
    std::visit(change, key.slot);
    c.model.in_channels = c.data.channels;
    if (c.optim.schedule == "step") c.optim.milestones = {3};
    if (c.paraphrase.optim.schedule == "step") c.paraphrase.optim.milestones = {3};
    if (!c.data.class_names.empty()) c.model.num_classes = 2;
    if (!c.distill.method_weights.empty() || c.distill.method_tau != 0) c.distill.method = "skd";  // of two terms
    if (!c.distill.auto_shares.empty()) {
      c.distill.auto_weights = 1;
      c.distill.auto_shares = {3};
    }
    CAPTURE(key.name);
    CHECK(parse_config(config_to_toml(c), "again.toml") == c);
    if (key.name != "model.in_channels") {
      const std::vector<std::string> diff = config_diff(defaults, c);
      CHECK(
          std::any_of(diff.begin(), diff.end(), [&](const std::string& d) { return d.starts_with(key.name + ": "); }));
    }
  }
}

TEST_CASE("the list of keys has every key with its default and its meaning") {
  const std::string schema = print_schema();
  Config c;
  for (const Key& key : config_keys(c)) {
    CAPTURE(key.name);
    CHECK(contains(schema, key.name + " = "));
    CHECK(key.doc.size() > 5);
    CHECK(std::count_if(key.name.begin(), key.name.end(), [](char x) { return x == '.'; }) <= 2);
  }
  CHECK(contains(schema, "\noptim.beta1 = 0.9 "));
  CHECK(contains(schema, "\noptim.beta2 = 0.999 "));
  CHECK(contains(schema, "distill.graph.edge_weight = 1e-09    number, >= 0\n"));
}

TEST_CASE("a difference lists the keys that changed and nothing else") {
  const Config a = parse_config("", "run.toml");
  Config b = a;
  CHECK(config_diff(a, b).empty());
  b.optim.lr = 0.5;
  b.data.root = "x";
  CHECK(config_diff(a, b) == std::vector<std::string>{"data.root: \"\" -> \"x\"", "optim.lr: 0.0003 -> 0.5"});
}

TEST_CASE("keys a subcommand needs") {
  Config c = parse_config("", "run.toml");
  CHECK(contains(
      error_of([&] {
        require_keys(c, {"optim.lr", "distill.teacher"});
      }),
      "2: distill.teacher is not set: Checkpoint of the trained teacher; mean_teacher needs none; give it in the "
      "configuration file or with --set distill.teacher=..."));
  c.distill.teacher = "t.gfm";
  CHECK_NOTHROW(require_keys(c, {"optim.lr", "distill.teacher"}));
}
