#pragma once
// What the tests of this folder share: folders that go away, messages of errors, a check of markup.
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/error.h"
#include "tests/harness/temporary_folder.h"

namespace gf {

inline void write_text(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

// The whole message of the gf::Error that `action` throws, with its exit code in front: "2: unknown ...". "" for none.
inline std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return std::to_string(static_cast<int>(e.kind())) + ": " + e.what();
  }
  return {};
}

// What is wrong with the nesting and quoting of XML-like text; "" when nothing is. Knows tags, attributes, entities,
// the doctype and nothing else.
inline std::string markup_fault(std::string_view text) {
  std::vector<std::string> open;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '&') {
      const std::size_t end = text.find(';', i);
      if (end == text.npos || end - i > 8) return "bare & at " + std::string(text.substr(i, 30));
    }
    if (text[i] == '>') return "bare > at " + std::string(text.substr(i, 30));
    if (text[i] != '<') continue;
    std::size_t end = i + 1;
    bool quoted = false;
    for (; end < text.size() && (quoted || text[end] != '>'); ++end) {
      if (text[end] == '"') quoted = !quoted;
      if (text[end] == '<') return "< inside a tag: " + std::string(text.substr(i, 60));
    }
    if (end == text.size()) return "tag without end: " + std::string(text.substr(i, 60));
    const std::string tag(text.substr(i + 1, end - i - 1));
    const std::string name = tag.substr(0, tag.find_first_of(" /\n", 1));
    i = end;
    if (tag.front() == '!') continue;
    if (tag.front() == '/') {
      if (open.empty() || "/" + open.back() != tag)
        return "<" + tag + "> closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

// Style sheets hold > and {; the check of markup knows only tags.
inline std::string without_style(std::string html) {
  const std::size_t begin = html.find("<style>") + 7;
  return html.erase(begin, html.find("</style>") - begin);
}

}  // namespace gf
