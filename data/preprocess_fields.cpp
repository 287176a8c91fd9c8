// Preprocessing as flat text, for checkpoints.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>

#include "data/preprocess.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr const char* kNormalisations[] = {"none", "minmax", "percentile", "zscore", "window", "bytes", "imagenet"};

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

std::string text_of(const std::array<double, 2>& pair) { return fmt::format("{},{}", pair[0], pair[1]); }

std::array<double, 2> two_numbers(const std::string& name, const std::string& text) {
  std::array<double, 2> pair{};
  const char *at = text.data(), *const end = at + text.size();
  for (int i = 0; i < 2; ++i) {
    const auto [after, error] = std::from_chars(at, end, pair[i]);
    const bool ends_well = i == 1 ? after == end : after < end && *after == ',';
    if (error != std::errc{} || !ends_well || !std::isfinite(pair[i]))
      bad_data("bad preprocessing field", name, "two numbers, LOW,HIGH", "\"" + text + "\"");
    at = after + 1;
  }
  return pair;
}

[[noreturn]] void refuse(std::string what, std::string where, std::string expected, std::string found) {
  throw Error(ErrorKind::usage, {std::move(what), std::move(where), std::move(expected), std::move(found), {}});
}

}  // namespace

const char* name_of(Normalisation n) { return kNormalisations[static_cast<int>(n)]; }

std::vector<std::string> normalisation_names() { return {std::begin(kNormalisations), std::end(kNormalisations)}; }

Normalisation parse_normalisation(const std::string& name) {
  for (std::size_t i = 0; i < std::size(kNormalisations); ++i)
    if (name == kNormalisations[i]) return static_cast<Normalisation>(i);
  throw Error(ErrorKind::usage, {"unknown normalisation",
                                 "\"" + name + "\"",
                                 fmt::format("one of {}", fmt::join(kNormalisations, ", ")),
                                 {},
                                 {}});
}

void check(const Preprocessing& p) {
  for (const IntField& f : int_fields)
    if (p.*f.member < f.least || p.*f.member > f.most)
      throw Error(ErrorKind::usage, {"preprocessing setting out of range",
                                     f.name,
                                     std::to_string(f.least) + " to " + std::to_string(f.most),
                                     std::to_string(p.*f.member),
                                     {}});
  if ((p.resize_height > 0) != (p.resize_width > 0))
    refuse("resize needs a height and a width", "data.resize", "both or neither",
           fmt::format("{}x{}", p.resize_height, p.resize_width));
  if (p.resizes() && p.shrink != 1)
    refuse("pictures are either resized or shrunk", "data.resize and data.shrink", "data.shrink = 1",
           std::to_string(p.shrink));
  if (p.resize_order != 0 && p.resize_order != 1 && p.resize_order != 3)
    refuse("no such spline", "data.resize_order", "0, 1 or 3", std::to_string(p.resize_order));
  if (p.clip && !((*p.clip)[0] < (*p.clip)[1]))
    refuse("empty clip window", "data.clip", "low below high", text_of(*p.clip));
  if (!p.clip && p.normalisation == Normalisation::window)
    refuse("normalisation window has no window", "data.clip", "two numbers, such as [-125, 275] for a CT", "none");
  const auto [low, high] = p.percentiles;
  if (!(low >= 0 && low < high && high <= 100))
    refuse("bad percentiles", "data.percentiles", "0 to 100, growing", text_of(p.percentiles));
}

std::map<std::string, std::string> Preprocessing::to_fields() const {
  std::map<std::string, std::string> fields;
  for (const IntField& f : int_fields) fields[f.name] = std::to_string(this->*f.member);
  const Preprocessing plain;
  if (clip) fields["clip"] = text_of(*clip);
  if (percentiles != plain.percentiles) fields["percentiles"] = text_of(percentiles);
  if (resizes()) {
    fields["resize"] = fmt::format("{},{}", resize_height, resize_width);
    fields["resize_order"] = std::to_string(resize_order);
    fields["zoom_border"] = zoom_border == ZoomBorder::scipy ? "scipy" : "clamp";
  }
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
  const auto optional_field = [&](const char* name) -> const std::string* {
    const auto found = fields.find(name);
    used += found != fields.end();
    return found == fields.end() ? nullptr : &found->second;
  };
  if (const std::string* text = optional_field("clip")) p.clip = two_numbers("clip", *text);
  if (const std::string* text = optional_field("percentiles")) p.percentiles = two_numbers("percentiles", *text);
  if (const std::string* text = optional_field("resize")) {
    const auto [h, w] = two_numbers("resize", *text);
    for (const double side : {h, w})
      if (!(side >= 1 && side <= 1 << 20 && side == std::floor(side)))
        bad_data("bad preprocessing field", "resize", "a height and a width", *text);
    p.resize_height = static_cast<int>(h), p.resize_width = static_cast<int>(w);
    p.resize_order = whole_number("resize_order", field("resize_order"));
    p.zoom_border = field("zoom_border") == "scipy" ? ZoomBorder::scipy : ZoomBorder::clamp;
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
  try {
    check(p);
  } catch (const Error& e) {  // of a file, not of a user
    throw Error(ErrorKind::bad_data, e.parts());
  }
  return p;
}

}  // namespace gf
