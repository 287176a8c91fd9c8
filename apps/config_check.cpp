// Values that are right by themselves and wrong together, and keys a subcommand needs.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "apps/config_keys.h"
#include "distill/baselines/method.h"
#include "kernels/error.h"

namespace gf {
namespace {

[[noreturn]] void refuse(std::string what, std::string where, std::string expected, std::string found,
                         std::string remedy = {}) {
  throw Error(ErrorKind::usage,
              {std::move(what), std::move(where), std::move(expected), std::move(found), std::move(remedy)});
}

using Where = std::function<std::string(const std::string& key)>;

void check_layers(const Config& c, const Where& where) {
  const int layers = c.distill.graph.layers;
  if (layers == 1) return;
  if (c.distill.method != "graph_flow")
    refuse("distill.graph.layers is of graph_flow", where("distill.graph.layers"),
           "1 with distill.method = " + c.distill.method, std::to_string(layers));
  if (c.paraphrase.factors != 0)
    refuse("one number of factors for several pairs of layers", where("paraphrase.factors"),
           fmt::format("0 with distill.graph.layers = {}: each pair's is the student's", layers),
           std::to_string(c.paraphrase.factors));
}

void check_method(const Config& c, const Where& where) {
  const DistillConfig& d = c.distill;
  if (d.method == "graph_flow") {
    if (!d.method_weights.empty())
      refuse("distill.method_weights are not graph_flow's", where("distill.method_weights"), "none",
             fmt::format("{} entries", d.method_weights.size()),
             "set distill.graph.vertex_weight, distill.graph.edge_weight and distill.kd.weight");
    if (d.method_tau != 0)
      refuse("distill.method_tau is not graph_flow's", where("distill.method_tau"), "0",
             fmt::format("{}", d.method_tau), "set distill.kd.tau");
    return;
  }
  if (!find_method(d.method).needs.teacher && d.adversarial.weight != 0)
    refuse("an adversarial term without a teacher", where("distill.adversarial.weight"),
           "0 with distill.method = " + d.method, fmt::format("{}", d.adversarial.weight));
  if (d.mask_wrong_teacher)
    refuse("distill.mask_wrong_teacher is graph_flow's", where("distill.mask_wrong_teacher"),
           "false with distill.method = " + d.method, "true");
  check_method_weights(find_method(d.method), d.method_weights.size(), where("distill.method_weights"));
}

void check_auto_weights(const Config& c, const Where& where) {
  const DistillConfig& d = c.distill;
  const std::size_t shares = d.auto_shares.size(), terms = distillation_terms(c).size();
  if (shares > 1 && shares != terms)
    refuse("wrong number of distill.auto_shares", where("distill.auto_shares"),
           fmt::format("1 or {} ({})", terms, fmt::join(distillation_terms(c), ", ")), std::to_string(shares));
  if (shares > 0 && d.auto_weights == 0)
    refuse("distill.auto_shares without distill.auto_weights", where("distill.auto_shares"),
           "distill.auto_weights above 0", "0");
  if (c.train.max_iterations > 0 && d.auto_weights > c.train.max_iterations)
    refuse("the weights would never be chosen", where("distill.auto_weights"),
           fmt::format("at most {} (train.max_iterations)", c.train.max_iterations), std::to_string(d.auto_weights));
}

// What kernels/augment.h cannot do.
void check_augmentation(const Config& c, const Where& where) {
  if (c.data.augment_on != "device") return;
  const AugmentConfig& a = c.data.augment;
  const std::pair<const char*, bool> loader_only[] = {
      {"data.augment.noise", a.noise != 0},
      {"data.augment.blur", a.blur != 0},
      {"data.augment.brightness", a.brightness != 0},
      {"data.augment.contrast", a.contrast != 0},
      {"data.augment.low_resolution", a.low_resolution != 1},
      {"data.augment.gamma", a.gamma != 0},
      {"data.augment_before_resize", c.data.augment_before_resize && !c.data.resize.empty()}};
  for (const auto& [key, used] : loader_only)
    if (used)
      refuse(std::string(key) + " is made by the loader's threads only", where("data.augment_on"),
             "data.augment_on = \"loader\"", "\"device\"",
             "the device makes flips, turns, zooms and data.augment.intensity");
}

}  // namespace

std::vector<std::string> distillation_terms(const Config& c) {
  std::vector<std::string> names;
  for (const MethodTerm& t : find_method(c.distill.method).terms) names.push_back(t.name);
  if (c.distill.adversarial.weight != 0) names.push_back("adv");
  return names;
}

void check_config(const Config& c, const Origins& origins, const std::string& file) {
  const Where where = [&](const std::string& key) {
    const auto it = origins.find(key);
    return it != origins.end() ? it->second : file;
  };
  const int classes = c.model.num_classes;  // 0: only the data set knows, and checks these once it is open
  const auto one_per_class = [&](const std::string& key, std::size_t entries) {
    if (classes == 0 || entries == 0 || entries == static_cast<std::size_t>(classes)) return;
    refuse("wrong number of entries in " + key, where(key), fmt::format("{} (model.num_classes)", classes),
           std::to_string(entries), "give one a class, background first");
  };
  if (classes == 1) refuse("too few classes", where("model.num_classes"), "background and at least one more", "1");
  one_per_class("data.class_names", c.data.class_names.size());
  one_per_class("loss.class_weights", c.loss.class_weights.size());
  for (const auto& [label, to] : c.data.label_map) {
    if (classes == 0 || (to >= 0 && to < classes)) continue;
    refuse(fmt::format("data.label_map takes label {} to no class", label), where("data.label_map"),
           fmt::format("0 .. {}", classes - 1), std::to_string(to), "raise model.num_classes or name a class there is");
  }
  if (c.model.in_channels != c.data.channels) {
    refuse("model.in_channels does not fit data.channels", where("model.in_channels"), std::to_string(c.data.channels),
           std::to_string(c.model.in_channels), "leave it at 0");
  }
  const auto entries_of = [&](const std::string& key, std::size_t entries, std::size_t wanted, const std::string& of) {
    if (entries != 0 && entries != wanted) refuse("wrong " + key, where(key), of, fmt::format("{} entries", entries));
  };
  entries_of("data.pad_to", c.data.pad_to.size(), 2, "height and width, or none");
  entries_of("data.resize", c.data.resize.size(), 2, "height and width, or none");
  entries_of("data.clip", c.data.clip.size(), 2, "low and high, or none");
  if (c.data.percentiles.size() != 2)
    refuse("wrong data.percentiles", where("data.percentiles"), "two percentiles",
           fmt::format("{} entries", c.data.percentiles.size()));
  check_augmentation(c, where);
  entries_of("model.image_size", c.model.image_size.size(), 2, "height and width, or none");
  check_layers(c, where);
  check_method(c, where);
  check_auto_weights(c, where);
  const auto pairs = static_cast<std::size_t>(c.distill.graph.layers);
  const std::string taps = pairs == 1
                               ? "a shallow and a deep one, or none"
                               : fmt::format("{} (shallow and deep of distill.graph.layers), or none", 2 * pairs);
  entries_of("distill.teacher_taps", c.distill.teacher_taps.size(), 2 * pairs, taps);
  entries_of("distill.student_taps", c.distill.student_taps.size(), 2 * pairs, taps);
  if (c.train.max_iterations == 0 && c.train.epochs == 0) {
    refuse("nothing to train", where("train.max_iterations"), "train.max_iterations or train.epochs above 0",
           "0 and 0");
  }
  if (c.paraphrase.max_iterations == 0 && c.paraphrase.epochs == 0) {
    refuse("nothing to train", where("paraphrase.max_iterations"),
           "paraphrase.max_iterations or paraphrase.epochs above 0", "0 and 0");
  }
  const auto check_optim = [&](const std::string& section, const OptimConfig& o) {
    const std::vector<int>& m = o.milestones;
    if (o.schedule == "step" && m.empty()) {
      refuse(section + ".schedule is step without milestones", where(section + ".schedule"), {}, {},
             "set " + section + ".milestones = [steps]");
    }
    if (std::adjacent_find(m.begin(), m.end(), std::greater_equal<>()) != m.end()) {
      refuse("wrong " + section + ".milestones", where(section + ".milestones"), "growing steps",
             fmt::format("[{}]", fmt::join(m, ", ")));
    }
  };
  check_optim("optim", c.optim);
  check_optim("paraphrase.optim", c.paraphrase.optim);
  if (c.loss.ce == 0 && c.loss.dice == 0) {
    refuse("no supervised loss", where("loss.ce"), "loss.ce or loss.dice above 0", "0 and 0");
  }
  if (c.distill.graph.k % 2 == 0) {
    refuse("wrong distill.graph.k", where("distill.graph.k"), "an odd number", std::to_string(c.distill.graph.k));
  }
}

void require_keys(const Config& config, std::initializer_list<std::string_view> names) {
  Config copy = config;
  const std::vector<Key> keys = config_keys(copy);
  for (const std::string_view name : names) {
    const auto key = std::find_if(keys.begin(), keys.end(), [&](const Key& k) { return k.name == name; });
    if (key == keys.end()) fail("unknown key in require_keys", std::string(name));
    const std::string value = value_text(key->slot);
    if (value != "\"\"" && value != "[]" && value != "{}") continue;
    throw Error(ErrorKind::usage, {fmt::format("{} is not set", name),
                                   key->doc,
                                   {},
                                   {},
                                   fmt::format("give it in the configuration file or with --set {}=...", name)});
  }
}

}  // namespace gf
