#pragma once
// Just enough JSON for a safetensors header: objects, strings, arrays and whole numbers, read in the order the caller
// asks for them. The caller's own structure bounds the depth; nothing here recurses. Strict: what JSON does not allow,
// or what the caller did not ask for, throws ErrorKind::bad_data with the file and the byte.
#include <cstdint>
#include <string>
#include <string_view>

namespace gf {

class JsonReader {
 public:
  JsonReader(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  bool take(char c);    // skips white space; true and past it where `c` is next
  void expect(char c);  // the same, and throws where it is not
  std::string string();
  std::uint64_t whole_number();  // digits only: no sign, fraction, exponent or leading zero
  void end();                    // nothing but white space may be left

 private:
  void skip_space();
  std::string escaped();
  std::uint32_t hex4();
  [[noreturn]] void refuse(const std::string& expected) const;

  std::string_view text_;
  const std::string& file_;
  std::size_t at_ = 0;
};

// "text" with quotes and escapes. `text` must be valid UTF-8.
std::string json_quoted(std::string_view text);

bool valid_utf8(std::string_view text);

}  // namespace gf
