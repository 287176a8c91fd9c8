// The .cu files keep to what both compilers and the SIMT executor understand.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
bool starts_with(const std::string& text, const std::string& part) { return text.rfind(part, 0) == 0; }

// What a line of code may not say, and why; empty where there is nothing wrong.
std::string refused(const std::string& line) {
  if (contains(line, "__shared__")) return "shared memory must be GF_SHARED or GF_DYN_SHARED, or nothing checks it";
  if (contains(line, "<<<")) return "kernels start through launch(), or the executor cannot run them";
  if (contains(line, "asm(") || contains(line, "asm volatile")) return "the executor cannot run PTX";
  if (starts_with(line, "#if")) return "a body is written once, for both compilers";
  if (starts_with(line, "#include \"") && !starts_with(line, "#include \"kernels/")) return "not a header of ours";
  if (starts_with(line, "#include <")) {
    const bool is_standard = !contains(line, ".h>") && !contains(line, "/") && !contains(line, "cuda");
    if (!is_standard) return "CUDA's headers are missing where there is no toolkit";
  }
  const std::string kernel = "__global__ void ";
  std::size_t name = line.find(kernel);
  if (name == std::string::npos) return "";
  name += kernel.size();
  if (line.compare(name, 17, "__launch_bounds__") == 0) name = line.find_first_not_of(" ", line.find(')', name) + 1);
  return line.compare(name, 3, "gf_") == 0 ? "" : "kernel names begin with gf_, so that a profile shows whose they are";
}

struct Source {
  std::string name;
  std::vector<std::string> lines;
};

std::vector<Source> cuda_sources() {
  std::vector<Source> sources;
  const std::string folder = std::string(GF_SOURCE_DIR) + "/kernels/cuda";
  if (!std::filesystem::exists(folder)) return sources;  // the test program travelled without them
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".cu") continue;
    std::ifstream in(entry.path());
    Source s{entry.path().filename().string(), {}};
    for (std::string line; std::getline(in, line);) s.lines.push_back(line);
    sources.push_back(std::move(s));
  }
  return sources;
}

TEST_CASE("cuda sources: no raw shared memory, launches or CUDA headers, kernels are named gf_*") {
  const std::vector<Source> sources = cuda_sources();
  if (sources.empty()) {
    MESSAGE("skipped: no sources here");
    return;
  }
  CHECK(sources.size() >= 4);
  for (const Source& s : sources) {
    int kernels = 0;
    for (std::size_t i = 0; i < s.lines.size(); ++i) {
      std::string code = s.lines[i].substr(0, s.lines[i].find("//"));
      const bool goes_on = code.ends_with("__launch_bounds__(kThreads)") && i + 1 < s.lines.size();
      if (goes_on) code += s.lines[i + 1];  // the kernel's name stands on the next line
      kernels += contains(code, "__global__");
      CHECK_MESSAGE(refused(code) == "", s.name, ":", i + 1);
    }
    CHECK_MESSAGE(kernels > 0, s.name);
  }
}

// Each opens with what it computes and what that costs at least.
TEST_CASE("cuda sources: formula, memory traffic and floor come first") {
  for (const Source& s : cuda_sources()) {
    std::string head;
    for (std::size_t i = 0; i < s.lines.size() && starts_with(s.lines[i], "//"); ++i) head += s.lines[i] + "\n";
    INFO(s.name);
    CHECK(contains(head, " = "));
    CHECK(contains(head, "Memory traffic"));
    CHECK((contains(head, "floor") || contains(head, "Floor")));
  }
}

TEST_CASE("cuda sources: the rules find what they refuse, and nothing else") {
  for (const char* bad :
       {"  __shared__ float s[32];", "kernel<<<1, 2>>>();", "#include <cuda_runtime.h>", "#include <cub/cub.cuh>",
        "#include \"cuda_fp16.h\"", "#ifdef __CUDACC__", "asm(\"nop;\");", "__global__ void relu(float* x)",
        "template <int N> __global__ void relu(float* x)", "__global__ void __launch_bounds__(256) relu(float* x)"}) {
    CAPTURE(bad);
    CHECK(refused(bad) != "");
  }
  for (const char* good : {"#include \"kernels/launch.h\"", "#include <algorithm>", "GF_SHARED(float, s, 32);",
                           "__global__ void __launch_bounds__(256) gf_relu(float* x)"}) {
    CAPTURE(good);
    CHECK(refused(good) == "");
  }
}

}  // namespace
