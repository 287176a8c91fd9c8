// Runs the case list (tests/harness/op_case.h): one test case per use and family, so that they can run side by side.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/harness/gradient_check.h"

namespace gf::test {
namespace {

// Fresh tensors hold NaN from the first on, so a result that was not written shows (engine/memory.cpp).
const int kPoison = setenv("GF_POISON", "1", 1);

constexpr unsigned kShuffledOrder = 5;  // of the executor's threads

OpCases family(const std::string& name) {
  for (const OpFamily& f : op_families())
    if (f.name == name) return f.cases();
  throw std::runtime_error("no such family of cases: " + name);
}

void run(const std::string& use, const std::string& family_name, int order, std::string (*check)(const OpCase&),
         const Device& device = test_device(), DType dtype = DType::f32) {
  set_device_under_test(device, dtype);
  const char* only = std::getenv("GF_CASE");
  int count = 0;
  for (const OpCase& c : family(family_name)) {
    if (c.order < order || (only && c.name() != only)) continue;
    ++count;
    std::string problem;
    try {
      problem = check(c);
    } catch (const std::exception& e) {
      problem = std::string("exception: ") + e.what();
    }
    if (!problem.empty())
      FAIL_CHECK(c.name() << "\n    " << problem << "\n    again: GF_CASE='" << c.name() << "' test_engine -tc='" << use
                          << ": " << family_name << "'");
  }
  set_device_under_test(test_device());
  if (only && count == 0) MESSAGE("no case named '", only, "' here");
  CHECK((only || count > 0));
}

}  // namespace

// On the CPU or what GF_TEST_DEVICE names. Values and first derivatives also by the .cu bodies; what a second
// derivative adds is not on their side.
#define GF_VALUES(name)                                                                                \
  TEST_CASE("op values: " name) { run("op values", name, 0, check_values); }                           \
  TEST_CASE("op values on simt: " name) {                                                              \
    run("op values on simt", name, 0, check_values, simt_device(kShuffledOrder));                      \
  }                                                                                                    \
  TEST_CASE("op values on simt in bf16: " name) {                                                      \
    run("op values on simt in bf16", name, 0, check_values, simt_device(kShuffledOrder), DType::bf16); \
  }
#define GF_FIRST(name)                                                                                         \
  TEST_CASE("op first derivatives: " name) { run("op first derivatives", name, 1, check_first_derivatives); }  \
  TEST_CASE("op first derivatives on simt: " name) {                                                           \
    run("op first derivatives on simt", name, 1, check_first_derivatives, simt_device(kShuffledOrder));        \
  }                                                                                                            \
  TEST_CASE("op first derivatives on simt in bf16: " name) {                                                   \
    run("op first derivatives on simt in bf16", name, 1, check_first_derivatives, simt_device(kShuffledOrder), \
        DType::bf16);                                                                                          \
  }
#define GF_SECOND(name) \
  TEST_CASE("op second derivatives: " name) { run("op second derivatives", name, 2, check_second_derivatives); }
#define GF_TWICE(name) GF_VALUES(name) GF_FIRST(name) GF_SECOND(name)
#define GF_ONCE(name) GF_VALUES(name) GF_FIRST(name)

GF_TWICE("arithmetic")
GF_TWICE("unary")
GF_TWICE("shape")
GF_TWICE("convolution")
GF_TWICE("transposed convolution")
GF_TWICE("matmul")
GF_TWICE("resize")
GF_TWICE("softmax")
GF_ONCE("batch norm")
GF_ONCE("pooling")
GF_ONCE("losses")
GF_ONCE("graph")

TEST_CASE("op cases: names are unique, families complete") {
  std::set<std::string> names;
  for (const OpFamily& f : op_families())
    for (const OpCase& c : f.cases()) CHECK_MESSAGE(names.insert(c.name()).second, c.name());
  CHECK(names.size() > 500);
  CHECK(kPoison == 0);
}

TEST_CASE("op cases: every op that engine/ops puts on the tape has one") {
  if (!std::filesystem::exists(GF_SOURCE_DIR "/engine/ops")) {
    MESSAGE("skipped: no sources here");
    return;
  }
  std::set<std::string> recorded;
  const std::regex call(R"re((?:record\w*|piecewise_linear)\(\s*"(\w+)")re");
  for (const auto& entry : std::filesystem::directory_iterator(GF_SOURCE_DIR "/engine/ops")) {
    std::stringstream source;
    source << std::ifstream(entry.path()).rdbuf();
    const std::string text = source.str();
    for (std::sregex_iterator m(text.begin(), text.end(), call), end; m != end; ++m) recorded.insert((*m)[1]);
  }
  CHECK(recorded.size() > 35);
  CHECK(ops_without_gradient_case(recorded) == std::vector<std::string>{});
}

// Not run by default: test_engine --no-skip -tc='op support'
TEST_CASE("op support" * doctest::skip()) {
  struct Row {
    int cases = 0, order = 2;
  };
  std::map<std::string, Row> rows;
  for (const OpFamily& f : op_families())
    for (const OpCase& c : f.cases()) {
      Row& r = rows[c.op];
      ++r.cases;
      r.order = std::min(r.order, c.order);
    }
  std::printf("%-28s %6s  %s\n", "op", "cases", "differentiable");
  for (const auto& [op, r] : rows)
    std::printf("%-28s %6d  %s\n", op.c_str(), r.cases, r.order == 2 ? "twice" : r.order == 1 ? "once" : "no");
}

}  // namespace gf::test
