// The .cu files keep to what both compilers and the SIMT executor understand.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace {

struct Rule {
  const char* pattern;
  const char* why;
};

const Rule kRefused[] = {
    {R"(__shared__)", "shared memory must be GF_SHARED or GF_DYN_SHARED, or the executor cannot check it"},
    {R"(<<<)", "kernels start through launch(), or the executor cannot run them"},
    {R"(#\s*include\s*[<"](cuda|cub/|cooperative_groups|mma\.h|curand|cublas|cudnn|device_))",
     "CUDA headers are missing where there is no toolkit"},
    {R"(#\s*if)", "a body is written once, for both compilers"},
    {R"(atomicAdd\s*\(.*(float|0\.0))", "sums of floating-point numbers must not depend on the order"},
    {R"(\basm\b)", "the executor cannot run PTX"},
};

// Without comments.
std::string code_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return std::regex_replace(text.str(), std::regex(R"(//[^\n]*)"), "");
}

std::string first_refused(const std::string& code) {
  for (const Rule& rule : kRefused) {
    if (std::regex_search(code, std::regex(rule.pattern))) return rule.why;
  }
  static const std::regex kernel(R"(__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+))");
  for (std::sregex_iterator it(code.begin(), code.end(), kernel), end; it != end; ++it) {
    if ((*it)[1].str().rfind("gf_", 0) != 0)
      return "kernel names begin with gf_, so that a profile shows whose they are";
  }
  return "";
}

TEST_CASE("cuda sources: no raw shared memory, launches or CUDA headers; kernels are named gf_*") {
  int files = 0, kernels = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(GF_SOURCE_DIR) + "/kernels/cuda")) {
    if (entry.path().extension() != ".cu") continue;
    const std::string code = code_of(entry.path());
    INFO(entry.path().filename().string());
    CHECK(first_refused(code) == "");
    ++files;
    for (std::size_t at = code.find("__global__"); at != std::string::npos; at = code.find("__global__", at + 1))
      ++kernels;
  }
  CHECK(files >= 4);
  CHECK(kernels >= files);
}

// Each opens with what it computes and what that costs at least.
TEST_CASE("cuda sources: formula, memory traffic and floor come first") {
  for (const auto& entry : std::filesystem::directory_iterator(std::string(GF_SOURCE_DIR) + "/kernels/cuda")) {
    if (entry.path().extension() != ".cu") continue;
    std::ifstream in(entry.path());
    std::string head;
    for (std::string line; std::getline(in, line) && line.rfind("//", 0) == 0;) head += line;
    INFO(entry.path().filename().string());
    CHECK(head.find(" = ") != std::string::npos);
    CHECK(head.find("Memory traffic") != std::string::npos);
    CHECK(std::regex_search(head, std::regex("[Ff]loor")));
  }
}

TEST_CASE("cuda sources: the rules find what they refuse") {
  for (const char* bad : {"__shared__ float s[32];", "kernel<<<1, 2>>>();", "#include <cuda_runtime.h>",
                          "#include \"cub/cub.cuh\"", "#ifdef __CUDACC__", "atomicAdd(&sum, 0.0f);", "asm(\"nop;\");",
                          "__global__ void relu(float* x)", "__global__ void __launch_bounds__(256) relu(float* x)"}) {
    CAPTURE(bad);
    CHECK(first_refused(bad) != "");
  }
  CHECK(first_refused("#include \"kernels/launch.h\"\n__global__ void __launch_bounds__(256) gf_relu(float* x)") == "");
}

}  // namespace
