#include "engine/io/json_text.h"

#include <limits>

#include "kernels/error.h"

namespace gf {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string utf8(std::uint32_t code) {
  std::string s;
  const auto tail = [&](int shift) { s += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    s += static_cast<char>(code);
  } else if (code < 0x800) {
    s += static_cast<char>(0xc0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    s += static_cast<char>(0xe0 | (code >> 12));
    tail(6), tail(0);
  } else {
    s += static_cast<char>(0xf0 | (code >> 18));
    tail(12), tail(6), tail(0);
  }
  return s;
}

}  // namespace

void JsonReader::skip_space() {
  while (at_ < text_.size() && std::string_view(" \n\r\t").find(text_[at_]) != std::string_view::npos) ++at_;
}

void JsonReader::refuse(const std::string& expected) const {
  std::string found = "the end";
  if (at_ < text_.size()) {
    const char c = text_[at_];
    found =
        c >= 0x20 && c < 0x7f ? std::string("'") + c + "'" : "byte " + std::to_string(static_cast<unsigned char>(c));
  }
  bad_data("damaged safetensors header", file_, expected, found + " at byte " + std::to_string(at_) + " of the header");
}

bool JsonReader::take(char c) {
  skip_space();
  if (at_ == text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

void JsonReader::expect(char c) {
  if (!take(c)) refuse(std::string("'") + c + "'");
}

std::string JsonReader::string() {
  if (!take('"')) refuse("a string");
  std::string s;
  while (true) {
    if (at_ == text_.size()) refuse("the end of a string");
    const char c = text_[at_];
    if (static_cast<unsigned char>(c) < 0x20) refuse("no control character in a string");
    ++at_;
    if (c == '"') return s;
    if (c == '\\')
      s += escaped();
    else
      s += c;
  }
}

std::string JsonReader::escaped() {
  constexpr std::string_view kShort = "\"\\/bfnrt", kMeaning = "\"\\/\b\f\n\r\t";
  const char c = at_ < text_.size() ? text_[at_] : '\0';
  if (const std::size_t i = kShort.find(c); c != '\0' && i != std::string_view::npos) {
    ++at_;
    return {kMeaning[i]};
  }
  if (c != 'u') refuse("an escape sequence");
  ++at_;
  std::uint32_t code = hex4();
  if (code >= 0xd800 && code < 0xdc00) {  // the first half of a pair
    if (text_.substr(at_, 2) != "\\u") refuse("the second half of a surrogate pair");
    at_ += 2;
    const std::uint32_t low = hex4();
    if (low < 0xdc00 || low > 0xdfff) refuse("the second half of a surrogate pair");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  } else if (code >= 0xdc00 && code <= 0xdfff) {
    refuse("no second half of a surrogate pair without its first");
  }
  return utf8(code);
}

std::uint32_t JsonReader::hex4() {
  std::uint32_t code = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    const char lower = static_cast<char>(c | 0x20);
    if (is_digit(c))
      code = code * 16 + static_cast<std::uint32_t>(c - '0');
    else if (lower >= 'a' && lower <= 'f')
      code = code * 16 + static_cast<std::uint32_t>(lower - 'a' + 10);
    else
      refuse("four hexadecimal digits");
  }
  return code;
}

std::uint64_t JsonReader::whole_number() {
  skip_space();
  const std::size_t first = at_;
  std::uint64_t value = 0;
  for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
    const std::uint64_t digit = static_cast<std::uint64_t>(text_[at_] - '0');
    if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) refuse("a number below 2^64");
    value = value * 10 + digit;
  }
  const bool leading_zero = at_ - first > 1 && text_[first] == '0';
  const bool goes_on = at_ < text_.size() && std::string_view(".eE").find(text_[at_]) != std::string_view::npos;
  if (at_ == first || leading_zero || goes_on) refuse("a whole number");
  return value;
}

void JsonReader::end() {
  skip_space();
  if (at_ != text_.size()) refuse("nothing behind the last brace");
}

std::string json_quoted(std::string_view text) {
  constexpr std::string_view kSpecial = "\"\\\b\f\n\r\t", kShort = "\"\\bfnrt", kHex = "0123456789abcdef";
  std::string s = "\"";
  for (const char c : text) {
    if (const std::size_t i = kSpecial.find(c); i != std::string_view::npos) {
      s += '\\';
      s += kShort[i];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      s += "\\u00";
      s += kHex[static_cast<unsigned char>(c) >> 4];
      s += kHex[static_cast<unsigned char>(c) & 15];
    } else {
      s += c;
    }
  }
  return s + '"';
}

bool valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) -> std::uint32_t {
      return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u;
    };
    const std::uint32_t first = byte(i);
    const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4) return false;
    std::uint32_t code = length == 1 ? first : first & (0x7fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
      code = (code << 6) | (byte(i + k) & 0x3f);
    }
    const bool too_long = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (too_long || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return false;
    i += length;
  }
  return true;
}

}  // namespace gf
