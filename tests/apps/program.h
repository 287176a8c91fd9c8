#pragma once
// The program as a user runs it.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "tests/apps/fixtures.h"
#include "tests/harness/discs.h"

namespace gf::test {

struct Outcome {
  int code;
  std::string text;  // stdout and stderr
};

inline const std::string kProgram = std::string(GF_BINARY_DIR) + "/apps/graphflow";

// `before`: what its shell does first, such as "ulimit -d 1000;".
inline Outcome run(const std::string& arguments, const std::string& before = "") {
  std::FILE* pipe = popen((before + " " + kProgram + " " + arguments + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  std::array<char, 4096> buffer;
  for (std::size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) text.append(buffer.data(), n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

// Beside the test, which waits for it or kills it.
inline pid_t start(const std::string& arguments, const std::string& log = "/dev/null") {
  const pid_t child = fork();
  if (child == 0) {
    const std::string command = "exec " + kProgram + " " + arguments + " >" + log + " 2>&1";
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  return child;
}

// A data set of 18 pictures of 40 x 40 in folder/data, and the configuration of a short run on it.
inline std::string disc_config(const std::string& folder) {
  write_discs(folder + "/data", 18, 40);
  const std::string path = folder + "/discs.toml";
  write_text(path, "[data]\nlayout = \"images_masks\"\nroot = \"" + folder +
                       "/data\"\nclass_names = [\"background\", \"disc\"]\n" +
                       "[model]\narch = \"mobile_unet\"\nwidth = 0.25\n" +
                       "[train]\nmax_iterations = 12\nbatch_size = 4\neval_every = 6\nsave_every = 4\n" +
                       "[optim]\nlr = 3e-3\n[loss]\nce = 0.5\ndice = 0.5\n[paraphrase]\nmax_iterations = 4\n");
  return path;
}

}  // namespace gf::test
