// Values that are right by themselves and wrong together, and keys a subcommand needs.
#include <fmt/format.h>

#include <algorithm>

#include "apps/config_keys.h"
#include "kernels/error.h"

namespace gf {
namespace {

[[noreturn]] void refuse(std::string what, std::string where, std::string expected, std::string found,
                         std::string remedy = {}) {
  throw Error(ErrorKind::usage,
              {std::move(what), std::move(where), std::move(expected), std::move(found), std::move(remedy)});
}

}  // namespace

void check_config(const Config& c, const Origins& origins, const std::string& file) {
  const auto where = [&](const std::string& key) {
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
  const auto a_pair = [&](const std::string& key, std::size_t entries, const char* of) {
    if (entries != 0 && entries != 2) refuse("wrong " + key, where(key), of, fmt::format("{} entries", entries));
  };
  a_pair("data.pad_to", c.data.pad_to.size(), "height and width, or none");
  a_pair("model.image_size", c.model.image_size.size(), "height and width, or none");
  a_pair("distill.teacher_taps", c.distill.teacher_taps.size(), "a shallow and a deep one, or none");
  a_pair("distill.student_taps", c.distill.student_taps.size(), "a shallow and a deep one, or none");
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
