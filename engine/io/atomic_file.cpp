#include "engine/io/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::size_t buffer_bytes = 1 << 16;
constexpr const char* kPartial = ".partial-";

std::string unused_name(const std::string& path) {
  static std::atomic<unsigned> number{0};
  return path + kPartial + std::to_string(::getpid()) + "-" + std::to_string(number++);
}

// What a link points at, there or not: the rename would replace the link itself.
std::string followed(std::string path) {
  constexpr int kMostLinks = 40;  // the system's own limit
  std::error_code error;
  for (int i = 0; i < kMostLinks; ++i) {
    const std::filesystem::path at = path, target = std::filesystem::read_symlink(at, error);
    if (error) break;
    path = target.is_absolute() ? target.string() : (at.parent_path() / target).string();
  }
  return path;
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(followed(std::move(path))), temporary_path_(unused_name(path_)) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::file_status there = fs::status(path_, ignored);
  if (fs::is_symlink(path_, ignored))
    fail("cannot write file", path_, "a file name", "a circle of links", "give the name of a file");
  if (fs::exists(there) && !fs::is_regular_file(there))
    fail("cannot write file", path_, "a file name", fs::is_directory(there) ? "a directory" : "a device or pipe",
         "give the name of a file");
  // A name left by a killed process of the same id is stale: replace it.
  descriptor_ = ::open(temporary_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_with("cannot create file", errno);
  buffer_.reserve(buffer_bytes);
}

AtomicFile::~AtomicFile() {
  if (!committed_) discard();
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  if (buffer_.size() + bytes > buffer_bytes) flush();
  if (bytes >= buffer_bytes) return write_through(data, bytes);
  const char* first = static_cast<const char*>(data);
  buffer_.insert(buffer_.end(), first, first + bytes);
}

void AtomicFile::flush() {
  write_through(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  if (::fsync(descriptor_) != 0) fail_with("cannot write file", errno);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail_with("cannot write file", errno);
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) fail_with("cannot rename the finished file", errno);
  committed_ = true;
  // The new name itself lives in the directory: without this a power cut may bring the old file back. Not every file
  // system can do it, and the file is whole either way, so its result is not an error.
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const int directory = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
}

void AtomicFile::write_through(const void* data, std::size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(descriptor_, next, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail_with("cannot write file", n < 0 ? errno : ENOSPC);
    next += n;
    bytes -= static_cast<std::size_t>(n);
    written_ += static_cast<std::uint64_t>(n);
  }
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  ::unlink(temporary_path_.c_str());
}

void AtomicFile::fail_with(const char* what, int error) const {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    throw NoSpace(ErrorKind::failure,
                  {what, path_, "", std::strerror(error), "free some space or choose another folder"});
  const char* remedy = error == ENOENT                                       ? "create the folder first"
                       : error == EACCES || error == EPERM || error == EROFS ? "choose a folder you may write to"
                                                                             : "";
  fail(what, path_, {}, std::strerror(error), remedy);
}

void write_file_atomically(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void remove_stale_partials(const std::string& folder) noexcept {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const std::size_t at = name.rfind(kPartial);
    if (at == std::string::npos) continue;
    const long process = std::strtol(name.c_str() + at + std::strlen(kPartial), nullptr, 10);
    std::error_code ignored;
    if (process > 0 && ::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH)
      std::filesystem::remove(entry->path(), ignored);
  }
}

}  // namespace gf
