#include "engine/io/npy_header.h"

#include <cctype>
#include <charconv>
#include <cstring>
#include <map>

#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::string_view kMagic{"\x93NUMPY", 6};
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 46;  // of an array's data

// What of Python's literals a header may hold, read in the order the caller asks.
class Literals {
 public:
  Literals(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) refuse(std::string("'") + c + "'");
  }
  std::string string() {
    const char quote = take('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) refuse("a closed string");
    std::string s(text_.substr(at_, end - at_));
    at_ = end + 1;
    return s;
  }
  bool boolean() {
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      skip_space();
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return value;
    }
    refuse("True or False");
  }
  std::int64_t whole_number() {
    skip_space();
    std::int64_t v = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), v);
    if (error != std::errc() || v < 0) refuse("a whole number");
    at_ += static_cast<std::size_t>(end - begin);
    take('L');  // as Python 2 wrote it
    return v;
  }
  [[noreturn]] void refuse(const std::string& expected) const {
    bad_data("not a .npy header", where_, expected, "\"" + std::string(text_.substr(at_, 20)) + "\"");
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

struct Dtype {
  const char* name;
  std::uint64_t bytes;
};

const std::map<std::string, Dtype>& dtypes() {
  static const std::map<std::string, Dtype> known{{"f4", {"F32", 4}}, {"f2", {"F16", 2}}, {"f8", {"F64", 8}},
                                                  {"i8", {"I64", 8}}, {"i4", {"I32", 4}}, {"i2", {"I16", 2}},
                                                  {"i1", {"I8", 1}},  {"u8", {"U64", 8}}, {"u4", {"U32", 4}},
                                                  {"u2", {"U16", 2}}, {"u1", {"U8", 1}},  {"b1", {"BOOL", 1}}};
  return known;
}

}  // namespace

NpyHeader parse_npy_header(std::string_view text, const std::string& where) {
  const auto cut_off = [&] { bad_data("not a .npy file", where, "a header", "too few bytes"); };
  if (text.size() < kMagic.size() + 4) cut_off();
  if (text.substr(0, kMagic.size()) != kMagic)
    bad_data("not a .npy file", where, "NumPy's signature", "something else");
  const auto major = static_cast<unsigned char>(text[kMagic.size()]);
  if (major < 1 || major > 3)
    bad_data("unknown .npy format", where, "version 1, 2 or 3", "version " + std::to_string(major));
  const std::size_t length_bytes = major == 1 ? 2 : 4, begin = kMagic.size() + 2 + length_bytes;
  if (text.size() < begin) cut_off();
  std::uint32_t length = 0;
  std::memcpy(&length, text.data() + kMagic.size() + 2, length_bytes);
  if (length > text.size() - begin) cut_off();

  NpyHeader h;
  h.bytes = begin + length;
  Literals l(text.substr(begin, length), where);
  std::string descr;
  bool has_shape = false, fortran = false;
  l.expect('{');
  while (!l.take('}')) {
    const std::string key = l.string();
    l.expect(':');
    if (key == "descr") {
      descr = l.string();  // a list here would be a structured array
    } else if (key == "fortran_order") {
      fortran = l.boolean();
    } else if (key == "shape") {
      has_shape = true;
      l.expect('(');
      while (!l.take(')')) {
        h.shape.push_back(l.whole_number());
        if (!l.take(',')) {
          l.expect(')');
          break;
        }
      }
    } else {
      l.refuse("descr, fortran_order or shape");
    }
    if (!l.take(',')) {
      l.expect('}');
      break;
    }
  }
  if (descr.empty() || !has_shape) bad_data("not a .npy header", where, "descr and shape", "one of them is missing");
  const char order = descr[0];
  const auto known = dtypes().find(descr.substr(1));
  if (order == '>' && known != dtypes().end() && known->second.bytes > 1)
    bad_data("array of big-endian numbers", where, "little-endian ones", descr, "save it on, or for, another machine");
  if (known == dtypes().end()) bad_data("array of an unknown type", where, "numbers", descr, "save it as float32");
  if (fortran && h.shape.size() > 1)
    bad_data("array in Fortran order", where, "C order", "fortran_order True", "save it after numpy.ascontiguousarray");
  h.dtype = known->second.name;
  h.data_bytes = known->second.bytes;
  for (const std::int64_t extent : h.shape) {
    const auto e = static_cast<std::uint64_t>(extent);
    if (e != 0 && h.data_bytes > kMostBytes / e)
      bad_data("array larger than any file", where, std::to_string(kMostBytes) + " bytes at most", "more");
    h.data_bytes *= e;
  }
  return h;
}

}  // namespace gf
