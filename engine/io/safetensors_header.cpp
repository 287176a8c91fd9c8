#include "engine/io/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "engine/io/json_text.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr const char* kMetadataKey = "__metadata__";
constexpr std::size_t kMaxDimensions = 16;
constexpr std::uint64_t kMaxBytes = std::numeric_limits<std::int64_t>::max();

struct FileDType {
  std::string_view name;
  std::size_t bytes;
};
// In the order in which Python writes the tensors of a file.
constexpr FileDType kDTypes[] = {{"U64", 8},     {"I64", 8},  {"F64", 8}, {"C64", 8}, {"F32", 4}, {"U32", 4},
                                 {"I32", 4},     {"BF16", 2}, {"F16", 2}, {"U16", 2}, {"I16", 2}, {"F8_E4M3", 1},
                                 {"F8_E5M2", 1}, {"I8", 1},   {"U8", 1},  {"BOOL", 1}};

std::size_t place_of(std::string_view dtype) {
  return static_cast<std::size_t>(
      std::find_if(std::begin(kDTypes), std::end(kDTypes), [&](const FileDType& d) { return d.name == dtype; }) -
      kDTypes);
}

[[noreturn]] void damaged(const std::string& file, const std::string& expected, const std::string& found) {
  bad_data("damaged safetensors header", file, expected, found);
}

// Calls item() for each element between `open` and `close`, commas between them.
template <class Item>
void each(JsonReader& in, char open, char close, Item item) {
  in.expect(open);
  if (in.take(close)) return;
  do {
    item();
  } while (in.take(','));
  in.expect(close);
}

Metadata parse_metadata(JsonReader& in, const std::string& file) {
  Metadata metadata;
  each(in, '{', '}', [&] {
    std::string key = in.string();
    in.expect(':');
    std::string value = in.string();
    if (!metadata.emplace(key, std::move(value)).second)
      damaged(file, "each key of __metadata__ once", json_quoted(key) + " twice");
  });
  return metadata;
}

// Bytes of the tensor; refuses what does not fit 63 bits.
std::uint64_t size_in_bytes(const FileTensor& t, const std::string& file) {
  const std::size_t width = file_dtype_bytes(t.dtype);
  if (width == 0) damaged(file, "a known dtype for tensor " + json_quoted(t.name), json_quoted(t.dtype));
  std::uint64_t bytes = width;
  for (const std::int64_t extent : t.shape) {
    const auto e = static_cast<std::uint64_t>(extent);
    if (e != 0 && bytes > kMaxBytes / e) damaged(file, "tensor " + json_quoted(t.name) + " below 2^63 bytes", t.str());
    bytes *= e;
  }
  return bytes;
}

FileTensor parse_tensor(JsonReader& in, std::string name, const std::string& file) {
  FileTensor t;
  t.name = std::move(name);
  std::vector<std::uint64_t> offsets;
  std::set<std::string> seen;
  const std::string who = "tensor " + json_quoted(t.name);
  each(in, '{', '}', [&] {
    const std::string key = in.string();
    in.expect(':');
    if (!seen.insert(key).second) damaged(file, who + " with each field once", json_quoted(key) + " twice");
    if (key == "dtype") {
      t.dtype = in.string();
    } else if (key == "shape") {
      each(in, '[', ']', [&] {
        const std::uint64_t extent = in.whole_number();
        if (extent > kMaxBytes) damaged(file, who + " with extents below 2^63", std::to_string(extent));
        if (t.shape.size() == kMaxDimensions)
          damaged(file, who + " with at most " + std::to_string(kMaxDimensions) + " dimensions", "more");
        t.shape.push_back(static_cast<std::int64_t>(extent));
      });
    } else if (key == "data_offsets") {
      each(in, '[', ']', [&] {
        if (offsets.size() == 2) damaged(file, who + " with two data_offsets", "more");
        offsets.push_back(in.whole_number());
      });
    } else {
      damaged(file, who + " with dtype, shape and data_offsets", json_quoted(key));
    }
  });
  if (seen.size() != 3 || offsets.size() != 2)
    damaged(file, who + " with dtype, shape and two data_offsets",
            std::to_string(seen.size()) + " fields, " + std::to_string(offsets.size()) + " offsets");
  t.begin = offsets[0];
  t.end = offsets[1];
  const std::uint64_t bytes = size_in_bytes(t, file);
  if (t.end < t.begin || t.end - t.begin != bytes)
    damaged(file, std::to_string(bytes) + " bytes for " + who + " " + t.str(),
            "data_offsets [" + std::to_string(t.begin) + "," + std::to_string(t.end) + "]");
  return t;
}

void check_tiling(const std::vector<FileTensor>& tensors, std::uint64_t data_bytes, const std::string& file) {
  std::uint64_t next = 0;
  for (const FileTensor& t : tensors) {
    if (t.end > data_bytes)
      bad_data("damaged safetensors file", file,
               "data of tensor " + json_quoted(t.name) + " up to byte " + std::to_string(t.end),
               std::to_string(data_bytes) + " bytes of data", "the file may be cut off; get it again");
    if (t.begin != next)
      damaged(file, "tensor " + json_quoted(t.name) + " to begin at byte " + std::to_string(next) + " of the data",
              std::to_string(t.begin));
    next = t.end;
  }
  if (next != data_bytes)
    bad_data("damaged safetensors file", file, std::to_string(next) + " bytes of data",
             std::to_string(data_bytes) + " bytes");
}

}  // namespace

std::size_t file_dtype_bytes(std::string_view dtype) {
  const std::size_t place = place_of(dtype);
  return place < std::size(kDTypes) ? kDTypes[place].bytes : 0;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string s = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) s += (i ? "," : "") + std::to_string(shape[i]);
  return s + "]";
}

std::int64_t FileTensor::count() const {
  std::int64_t n = 1;
  for (const std::int64_t extent : shape) n *= extent;
  return n;
}

std::string FileTensor::str() const { return dtype + " " + shape_text(shape); }

SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes, const std::string& file) {
  if (!valid_utf8(text)) damaged(file, "UTF-8 text", "other bytes");
  // The format asks for the brace in the very first byte.
  if (text.empty() || text[0] != '{') damaged(file, "'{' as its first byte", text.empty() ? "nothing" : "another");
  SafetensorsHeader header;
  JsonReader in(text, file);
  std::set<std::string> names;
  each(in, '{', '}', [&] {
    std::string name = in.string();
    in.expect(':');
    if (!names.insert(name).second) damaged(file, "each name once", json_quoted(name) + " twice");
    if (name == kMetadataKey)
      header.metadata = parse_metadata(in, file);
    else
      header.tensors.push_back(parse_tensor(in, std::move(name), file));
  });
  in.end();
  std::sort(header.tensors.begin(), header.tensors.end(), [](const FileTensor& a, const FileTensor& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  check_tiling(header.tensors, data_bytes, file);
  return header;
}

namespace {

std::string quoted_for(const std::string& file, const std::string& text) {
  if (!valid_utf8(text))
    fail("cannot write safetensors file", file, "UTF-8 text", "other bytes in " + json_quoted(text));
  return json_quoted(text);
}

}  // namespace

std::string lay_out_safetensors(SafetensorsHeader& header, const std::string& file) {
  std::sort(header.tensors.begin(), header.tensors.end(), [](const FileTensor& a, const FileTensor& b) {
    const std::size_t place_a = place_of(a.dtype), place_b = place_of(b.dtype);
    return std::tie(place_a, a.name) < std::tie(place_b, b.name);
  });
  std::string text = "{";
  for (const auto& [key, value] : header.metadata)
    text += (text == "{" ? "\"__metadata__\":{" : ",") + quoted_for(file, key) + ":" + quoted_for(file, value);
  if (!header.metadata.empty()) text += "}";
  std::uint64_t next = 0;
  std::set<std::string> names{kMetadataKey};
  for (FileTensor& t : header.tensors) {
    if (!names.insert(t.name).second)
      fail("cannot write safetensors file", file, "each name once", json_quoted(t.name));
    t.begin = next;
    t.end = next += size_in_bytes(t, file);
    text += (text == "{" ? "" : ",") + quoted_for(file, t.name) + ":{\"dtype\":\"" + t.dtype +
            "\",\"shape\":" + shape_text(t.shape) + ",\"data_offsets\":[" + std::to_string(t.begin) + "," +
            std::to_string(t.end) + "]}";
  }
  text += "}";
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kMaxHeaderBytes)
    fail("cannot write safetensors file", file, "a header of at most " + std::to_string(kMaxHeaderBytes) + " bytes",
         std::to_string(text.size()) + " bytes", "store less text in its metadata");
  return text;
}

}  // namespace gf
