#include "distill/model_file.h"

#include <fmt/format.h>

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "engine/io/checkpoint.h"
#include "engine/memory_limit.h"
#include "kernels/error.h"

namespace gf {
namespace {

class Reader {
 public:
  Reader(const FileEntries& entries, const std::string& file, const std::string& kind)
      : entries_(entries), file_(file) {
    const std::string found = entries.count("kind") ? entries.at("kind") : "no kind";
    if (found != kind)
      bad_data("not the kind of file this needs", file, "a " + kind + " checkpoint", found,
               kind == "network" ? "give a file made by graphflow train or distill"
                                 : "give a file made by graphflow paraphrase");
  }
  const std::string& text(const std::string& key) const {
    const auto it = entries_.find(key);
    if (it == entries_.end())
      bad_data("checkpoint lacks an entry", file_, key, "none", "it was written by another version");
    return it->second;
  }
  double number(const std::string& key) const {
    try {
      return std::stod(text(key));
    } catch (const std::logic_error&) {
      bad_data("checkpoint entry is no number", file_, key, text(key));
    }
  }
  std::int64_t count(const std::string& key) const {
    const double value = number(key);
    if (!(value >= 1 && value <= 1e9) || value != std::floor(value))
      bad_data("checkpoint entry out of range", file_, key + ", a whole number from 1", text(key));
    return static_cast<std::int64_t>(value);
  }
  double positive(const std::string& key) const {
    const double value = number(key);
    if (!(value > 0 && value <= 1e3)) bad_data("checkpoint entry out of range", file_, key + " above 0", text(key));
    return value;
  }
  // "224x320"; {0, 0} where there is no such entry.
  ImageSize size(const std::string& key) const {
    if (!entries_.count(key)) return {};
    ImageSize s;
    char rest = 0;
    if (std::sscanf(text(key).c_str(), "%" SCNd64 "x%" SCNd64 "%c", &s.h, &s.w, &rest) != 2 || s.h < 1 || s.w < 1)
      bad_data("checkpoint entry is no size", file_, key + " as HEIGHTxWIDTH", text(key));
    return s;
  }

 private:
  const FileEntries& entries_;
  const std::string& file_;
};

constexpr const char* kPreprocessing = "preprocessing.";
constexpr const char* kPostprocessing = "postprocessing.";
constexpr const char* kImageSize = "model.image_size";

FileEntries with_prefix(const std::string& prefix, const FileEntries& fields) {
  FileEntries entries;
  for (const auto& [key, value] : fields) entries[prefix + key] = value;
  return entries;
}
FileEntries below_prefix(const std::string& prefix, const FileEntries& entries) {
  FileEntries fields;
  for (const auto& [key, value] : entries)
    if (key.starts_with(prefix)) fields[key.substr(prefix.size())] = value;
  return fields;
}

// What `make` makes, which may take no more memory than the file that describes it has bytes, and a little for padding:
// its tensors are to come from there.
template <class Make>
auto no_larger_than(const std::string& file, const Make& make) {
  constexpr std::size_t kPadding = 4 << 20;
  try {
    const MemoryLimit limit(static_cast<std::size_t>(std::filesystem::file_size(file)) + kPadding);
    return make();
  } catch (const MemoryLimit::Exceeded&) {
    bad_data("the file describes more than it holds", file, "tensors for all of its model",
             "a model larger than the file", "it is damaged or was changed by hand");
  }
}

}  // namespace

FileEntries NetworkDescription::to_entries() const {
  FileEntries e{{"kind", "network"},
                {"model.arch", arch},
                {"model.width", fmt::format("{}", options.width)},
                {"model.classes", std::to_string(options.classes)},
                {"model.in_channels", std::to_string(options.in_channels)},
                {"model.dropout", fmt::format("{}", options.dropout)}};
  if (options.image_size != ImageSize{})
    e[kImageSize] = fmt::format("{}x{}", options.image_size.h, options.image_size.w);
  for (std::size_t i = 0; i < class_names.size(); ++i) e[fmt::format("class.{}", i)] = class_names[i];
  e.merge(with_prefix(kPreprocessing, preprocessing.to_fields()));
  if (postprocessing) e.merge(with_prefix(kPostprocessing, postprocessing->to_fields()));
  return e;
}

NetworkDescription NetworkDescription::from_entries(const FileEntries& entries, const std::string& file) {
  const Reader r(entries, file, "network");
  NetworkDescription d;
  d.arch = r.text("model.arch");
  d.options = {r.count("model.in_channels"), r.count("model.classes"), r.positive("model.width"),
               static_cast<float>(r.number("model.dropout")), r.size(kImageSize)};
  for (std::int64_t i = 0; i < d.options.classes; ++i) d.class_names.push_back(r.text(fmt::format("class.{}", i)));
  d.preprocessing = Preprocessing::from_fields(below_prefix(kPreprocessing, entries));
  if (const FileEntries fields = below_prefix(kPostprocessing, entries); !fields.empty())
    d.postprocessing = Postprocessing::from_fields(fields, static_cast<int>(d.class_names.size()));
  return d;
}

void write_postprocessing(const std::string& file, const Postprocessing& p, const std::string& of) {
  replace_checkpoint_entries(file, kPostprocessing, with_prefix(kPostprocessing, p.to_fields()), of);
}

NetworkFile load_network(const std::string& file, const Device& device) {
  NetworkFile f;
  f.entries = read_checkpoint_entries(file);
  f.description = NetworkDescription::from_entries(f.entries, file);
  f.network = no_larger_than(file, [&] { return make_network(f.description.arch, f.description.options); });
  CheckpointState unused;
  load_checkpoint(file, *f.network, nullptr, unused);
  f.network->eval();
  f.network->to(device);
  return f;
}

namespace {

constexpr const char* kPairs = "paraphraser.pairs";

std::string pair_prefix(std::size_t i) { return i == 0 ? "paraphraser." : fmt::format("paraphraser.pair{}.", i + 1); }

}  // namespace

FileEntries ParaphraserDescription::to_entries() const {
  FileEntries e{{"kind", "paraphraser"}};
  if (sizes.size() > 1) e[kPairs] = std::to_string(sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::string prefix = pair_prefix(i);
    e[prefix + "shallow_channels"] = std::to_string(sizes[i].shallow_channels);
    e[prefix + "deep_channels"] = std::to_string(sizes[i].deep_channels);
    e[prefix + "factors"] = std::to_string(sizes[i].factors);
    e[prefix + "tap_shallow"] = teacher_taps.at(i).shallow;
    e[prefix + "tap_deep"] = teacher_taps.at(i).deep;
  }
  return e;
}

ParaphraserDescription ParaphraserDescription::from_entries(const FileEntries& entries, const std::string& file) {
  const Reader r(entries, file, "paraphraser");
  const std::int64_t pairs = entries.count(kPairs) ? r.count(kPairs) : 1;
  ParaphraserDescription d;
  for (std::size_t i = 0; i < static_cast<std::size_t>(pairs); ++i) {
    const std::string prefix = pair_prefix(i);
    d.sizes.push_back(
        {r.count(prefix + "shallow_channels"), r.count(prefix + "deep_channels"), r.count(prefix + "factors")});
    d.teacher_taps.push_back({r.text(prefix + "tap_shallow"), r.text(prefix + "tap_deep")});
  }
  return d;
}

ParaphraserFile load_paraphrasers(const std::string& file, const Device& device) {
  ParaphraserFile f;
  f.entries = read_checkpoint_entries(file);
  f.description = ParaphraserDescription::from_entries(f.entries, file);
  f.paraphrasers = no_larger_than(file, [&] { return std::make_unique<Paraphrasers>(f.description.sizes); });
  CheckpointState unused;
  load_checkpoint(file, *f.paraphrasers, nullptr, unused);
  f.paraphrasers->eval();
  f.paraphrasers->to(device);
  return f;
}

}  // namespace gf
