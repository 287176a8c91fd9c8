// Preprocessing as flat text, for checkpoints.
#include <charconv>

#include "data/preprocess.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr const char* normalisation_names[] = {"none", "minmax", "percentile", "zscore"};

struct IntField {
  const char* name;
  int Preprocessing::*member;
  int least, most;
};

constexpr IntField int_fields[] = {
    {"channels", &Preprocessing::channels, 1, 1024},
    {"slice_axis", &Preprocessing::slice_axis, 0, 2},
    {"shrink", &Preprocessing::shrink, 1, 1024},
    {"stride", &Preprocessing::stride, 1, 4096},
    {"min_height", &Preprocessing::min_height, 0, 1 << 20},
    {"min_width", &Preprocessing::min_width, 0, 1 << 20},
};

int whole_number(const std::string& name, const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    bad_data("bad preprocessing field", name, "a whole number", "\"" + text + "\"");
  return value;
}

}  // namespace

const char* name_of(Normalisation n) { return normalisation_names[static_cast<int>(n)]; }

Normalisation parse_normalisation(const std::string& name) {
  for (const Normalisation n :
       {Normalisation::none, Normalisation::minmax, Normalisation::percentile, Normalisation::zscore})
    if (name == name_of(n)) return n;
  throw Error(ErrorKind::usage,
              {"unknown normalisation", "\"" + name + "\"", "none, minmax, percentile or zscore", {}, {}});
}

void check(const Preprocessing& p) {
  for (const IntField& f : int_fields)
    if (p.*f.member < f.least || p.*f.member > f.most)
      throw Error(ErrorKind::usage, {"preprocessing setting out of range",
                                     f.name,
                                     std::to_string(f.least) + " to " + std::to_string(f.most),
                                     std::to_string(p.*f.member),
                                     {}});
}

std::map<std::string, std::string> Preprocessing::to_fields() const {
  std::map<std::string, std::string> fields;
  for (const IntField& f : int_fields) fields[f.name] = std::to_string(this->*f.member);
  fields["normalisation"] = name_of(normalisation);
  fields["label_map"] = label_map.str();
  if (tiling == Tiling::gastric) fields["tiling"] = "gastric";  // absent otherwise, as in files older than tiles
  fields["ignore_index"] = label_map.ignore_index ? std::to_string(*label_map.ignore_index) : "";
  return fields;
}

Preprocessing Preprocessing::from_fields(const std::map<std::string, std::string>& fields) {
  Preprocessing p;
  std::size_t used = 0;
  const auto field = [&](const char* name) -> const std::string& {
    const auto found = fields.find(name);
    if (found == fields.end()) bad_data("preprocessing field is missing", name);
    ++used;
    return found->second;
  };
  for (const IntField& f : int_fields) {
    const int value = whole_number(f.name, field(f.name));
    if (value < f.least || value > f.most)
      bad_data("bad preprocessing field", f.name, std::to_string(f.least) + " to " + std::to_string(f.most),
               std::to_string(value));
    p.*f.member = value;
  }
  p.normalisation = parse_normalisation(field("normalisation"));
  p.label_map.entries = LabelMap::parse(field("label_map"));
  if (const std::string& ignore = field("ignore_index"); !ignore.empty())
    p.label_map.ignore_index = whole_number("ignore_index", ignore);
  if (fields.contains("tiling")) {
    if (field("tiling") != "gastric") bad_data("bad preprocessing field", "tiling", "gastric", fields.at("tiling"));
    p.tiling = Tiling::gastric;
  }
  if (used != fields.size())
    for (const auto& [name, value] : fields)
      if (!p.to_fields().contains(name)) bad_data("unknown preprocessing field", name, {}, value);
  return p;
}

}  // namespace gf
