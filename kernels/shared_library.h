#pragma once
// Opening a CUDA library at run time: the program starts without it, and when it is needed says where it was looked
// for.
#include <cstddef>
#include <exception>
#include <string>
#include <vector>

namespace gf {

struct LibrarySearch {
  std::vector<std::string> first;  // folders that come before the loader's own path
  bool loader = true;              // LD_LIBRARY_PATH, the binary's RPATH, the loader's cache
  std::vector<std::string> last;   // folders that come after it

  // The folders of GF_CUDA_LIBS (separated by colons), the loader's path, the toolkit's usual folder.
  static LibrarySearch standard();
  std::string str() const;  // for messages
};

class SharedLibrary {
 public:
  // Opens the first of `names` that is found; throws with everything that was tried. `title`: "cuDNN 9".
  SharedLibrary(const std::string& title, const std::vector<std::string>& names, const LibrarySearch& search);

  const std::string& path() const { return path_; }

  // Sets `f` to the function of this name; throws where the library has none.
  template <class Function>
  void load(const char* name, Function*& f) const {
    f = reinterpret_cast<Function*>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;

  // Never closed: these libraries leave threads and driver callbacks behind that would run into unmapped code.
  void* handle_ = nullptr;
  std::string title_, path_;
};

// A library that was opened, and its version in NVIDIA's way of counting: 91900 is 9.19.0.
struct LibraryInfo {
  std::string path;
  std::size_t version = 0;

  std::string version_text() const;
};

// Throws where the library is of another major version than the headers this program was built with.
LibraryInfo checked_library(const std::string& title, const SharedLibrary&, std::size_t version, int major);

// Whether open() succeeds; where it throws, `reason` (may be null) gets the message.
template <class Open>
bool can_open(const Open& open, std::string* reason) {
  try {
    open();
    return true;
  } catch (const std::exception& e) {
    if (reason) *reason = e.what();
    return false;
  }
}

}  // namespace gf
