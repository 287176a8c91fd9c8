// Opening a library at run time: the order of places, and what is said when there is none.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "kernels/error.h"
#include "kernels/shared_library.h"
#include "tests/cudnn/device.h"
#include "tests/harness/temporary_folder.h"

using namespace gf;

namespace {

std::string message_of(const std::vector<std::string>& names, const LibrarySearch& search) {
  try {
    const SharedLibrary so("cuDNN 9", names, search);
    return "opened " + so.path();
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("a missing library: what was looked for, where, and what to do") {
  const TemporaryFolder empty;
  const std::string text = message_of({"libnone_graph.so.9", "libnone.so.9"},
                                      {.first = {empty.path(), "/nowhere"}, .loader = true, .last = {"/toolkit"}});
  CHECK(text == "cannot open cuDNN 9: libnone_graph.so.9 or libnone.so.9: expected it in one of " + empty.path() +
                    ", /nowhere, the loader's path, /toolkit, found none; install cuDNN 9 or name its folder in "
                    "GF_CUDA_LIBS");
}

TEST_CASE("a file that is no library, or one that lacks a function, is named") {
  const TemporaryFolder folder;
  std::ofstream(folder / "libbroken.so.9") << "not a library";
  const std::string text = message_of({"libbroken.so.9"}, {.first = {folder.path()}, .loader = false, .last = {}});
  CHECK(text.find("found " + folder / "libbroken.so.9") != std::string::npos);

  const SharedLibrary so("the C library", {"libc.so.6"}, {});
  int (*f)(int) = nullptr;
  so.load("abs", f);
  CHECK(f(-3) == 3);
  CHECK_THROWS_WITH_AS(so.load("cudnnGetVersion", f), doctest::Contains("expected cudnnGetVersion"), Error);
}

TEST_CASE("folders named by the user come before the loader's path, that before the toolkit's") {
  const SharedLibrary by_loader("the C library", {"libc.so.6"}, {});
  const std::filesystem::path file = by_loader.path();
  const TemporaryFolder folder;
  std::ofstream(folder / "libc.so.6") << "not a library";
  // The broken file in a first folder does not stop the search.
  CHECK(message_of({"libc.so.6"}, {.first = {folder.path()}, .loader = true, .last = {}}) == "opened " + file.string());
  CHECK(message_of({file.filename()}, {.first = {}, .loader = false, .last = {folder.path(), file.parent_path()}}) ==
        "opened " + file.string());
  CHECK(message_of({"libc.so.6"}, {.first = {}, .loader = false, .last = {}}).starts_with("cannot open"));
}

TEST_CASE("GF_CUDA_LIBS is a list of folders") {
  const char* before = std::getenv("GF_CUDA_LIBS");
  const std::string saved = before ? before : "";
  ::setenv("GF_CUDA_LIBS", "/a/lib::/b", 1);
  const LibrarySearch search = LibrarySearch::standard();
  before ? ::setenv("GF_CUDA_LIBS", saved.c_str(), 1) : ::unsetenv("GF_CUDA_LIBS");
  CHECK(search.first == std::vector<std::string>{"/a/lib", "/b"});
  CHECK(search.str() == "/a/lib, /b, the loader's path, /usr/local/cuda/lib64");
}

TEST_CASE("the library's version") {
  if (!test::have_cudnn()) return;
  CHECK(cudnn::library().version >= 90000);
  CHECK(cudnn::library().version_text().starts_with("9."));
  CHECK(cudnn::library().path.find("libcudnn") != std::string::npos);
}

TEST_CASE("cuDNN's types stay in the .cpp files of their folder") {
  namespace fs = std::filesystem;
  int files = 0;
  for (const char* part : {"kernels", "engine", "models", "distill", "data", "apps"})
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(GF_SOURCE_DIR) / part)) {
      const std::string name = fs::relative(entry.path(), GF_SOURCE_DIR).string();
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cpp" && extension != ".cu") continue;
      std::ifstream file(entry.path());
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      const auto includes = [&](const char* header) {
        return text.find(std::string("#include ") + header) != text.npos;
      };
      ++files;
      CAPTURE(name);
      if (includes("<cudnn")) CHECK(name == "kernels/cudnn/backend.h");
      if (includes("\"kernels/cudnn/backend.h\"") || includes("\"kernels/cudnn/graph.h\""))
        CHECK((name == "kernels/cudnn/graph.h" || (name.starts_with("kernels/cudnn/") && extension == ".cpp")));
    }
  CHECK(files > 100);
}
