#pragma once
// Errors are exceptions with four parts: what failed, on which file or tensor, what was expected and found, what to do.
#include <stdexcept>
#include <string>

namespace gf {

// The program's exit code (apps print the message on one line of stderr and return it).
enum class ErrorKind {
  failure = 1,
  usage = 2,
  bad_data = 3,
  some_cases_failed = 4,
  out_of_memory = 5,
  interrupted = 130
};

class Error : public std::runtime_error {
 public:
  struct Parts {
    std::string what;      // what failed: "cannot read image"
    std::string where;     // file or tensor with its shape
    std::string expected;  // may be empty
    std::string found;     // may be empty
    std::string remedy;    // what to do; may be empty
  };

  explicit Error(ErrorKind kind, Parts parts)
      : std::runtime_error(join(parts)), kind_(kind), parts_(std::move(parts)) {}
  ErrorKind kind() const { return kind_; }
  const Parts& parts() const { return parts_; }

 private:
  static std::string join(const Parts& p) {
    std::string s = p.what;
    if (!p.where.empty()) s += ": " + p.where;
    if (!p.expected.empty()) s += ": expected " + p.expected;
    if (!p.found.empty()) s += (p.expected.empty() ? ": found " : ", found ") + p.found;
    if (!p.remedy.empty()) s += "; " + p.remedy;
    return s;
  }
  ErrorKind kind_;
  Parts parts_;
};

// A mistake in the call of a function: shapes, dtypes, arguments.
[[noreturn]] inline void fail(std::string what, std::string where, std::string expected = {}, std::string found = {},
                              std::string remedy = {}) {
  throw Error(ErrorKind::failure,
              {std::move(what), std::move(where), std::move(expected), std::move(found), std::move(remedy)});
}

// A file or data set that is not as it must be.
[[noreturn]] inline void bad_data(std::string what, std::string where, std::string expected = {},
                                  std::string found = {}, std::string remedy = {}) {
  throw Error(ErrorKind::bad_data,
              {std::move(what), std::move(where), std::move(expected), std::move(found), std::move(remedy)});
}

}  // namespace gf
