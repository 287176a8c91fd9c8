#include "kernels/shared_library.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "kernels/error.h"

namespace gf {
namespace {

std::string joined(const std::vector<std::string>& parts, const char* separator) {
  std::string s;
  for (const auto& p : parts) s += (s.empty() ? "" : separator) + p;
  return s;
}

}  // namespace

LibrarySearch LibrarySearch::standard() {
  LibrarySearch s;
  if (const char* folders = std::getenv("GF_CUDA_LIBS")) {
    std::istringstream list(folders);
    for (std::string folder; std::getline(list, folder, ':');)
      if (!folder.empty()) s.first.push_back(folder);
  }
  s.last = {"/usr/local/cuda/lib64"};
  return s;
}

std::string LibrarySearch::str() const {
  std::vector<std::string> places = first;
  if (loader) places.push_back("the loader's path");
  places.insert(places.end(), last.begin(), last.end());
  return joined(places, ", ");
}

SharedLibrary::SharedLibrary(const std::string& title, const std::vector<std::string>& names,
                             const LibrarySearch& search)
    : title_(title) {
  std::string broken;  // why a file that is there cannot be used
  const auto open = [&](const std::string& file) {
    handle_ = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_) return true;
    const char* text = ::dlerror();
    // The loader's text begins with the object it did not find: another name than ours is a missing dependency.
    const std::string reason = text ? text : "";
    if (broken.empty() && (file.find('/') != std::string::npos || !reason.starts_with(file + ":"))) broken = reason;
    return false;
  };
  const auto open_in = [&](const std::vector<std::string>& folders) {
    for (const auto& folder : folders)
      for (const auto& name : names) {
        const auto file = std::filesystem::path(folder) / name;
        std::error_code ignored;
        if (std::filesystem::exists(file, ignored) && open(file.string())) return true;
      }
    return false;
  };
  const auto open_by_name = [&] {
    for (const auto& name : names)
      if (open(name)) return true;
    return false;
  };
  if (!open_in(search.first) && !(search.loader && open_by_name()) && !open_in(search.last))
    fail("cannot open " + title, joined(names, " or "), "it in one of " + search.str(),
         broken.empty() ? "none" : broken, "install " + title + " or name its folder in GF_CUDA_LIBS");
  const link_map* map = nullptr;
  if (::dlinfo(handle_, RTLD_DI_LINKMAP, &map) == 0 && map) path_ = map->l_name;
}

std::string LibraryInfo::version_text() const {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

LibraryInfo checked_library(const std::string& title, const SharedLibrary& so, std::size_t version, int major) {
  LibraryInfo info{so.path(), version};
  if (version / 10000 != static_cast<std::size_t>(major))
    fail(title + ": wrong major version", info.path, std::to_string(major), info.version_text(),
         "name the folder of the right one in GF_CUDA_LIBS");
  return info;
}

void* SharedLibrary::symbol(const char* name) const {
  void* f = ::dlsym(handle_, name);
  if (!f) fail(title_ + ": function missing", path_, name, "none", "install a newer " + title_);
  return f;
}

}  // namespace gf
