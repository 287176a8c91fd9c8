#include "apps/available_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace gf {
namespace {

constexpr std::size_t kUnknown = std::numeric_limits<std::size_t>::max();

// The number behind `key` in a file of lines "key number"; of a file that is a number alone, key "".
std::optional<std::size_t> number_in(const char* file, const std::string& key) {
  std::ifstream in(file);
  std::size_t value = 0;
  if (key.empty()) return in >> value ? std::optional(value) : std::nullopt;
  for (std::string word; in >> word;)
    if (word == key) return in >> value ? std::optional(value) : std::nullopt;
  return std::nullopt;
}

std::size_t left(std::size_t limit, std::size_t used) { return limit > used ? limit - used : 0; }

std::size_t of_machine() {
  const auto kilobytes = number_in("/proc/meminfo", "MemAvailable:");
  return kilobytes ? *kilobytes * 1024 : kUnknown;
}

std::size_t of_control_group() {
  const auto limit = number_in("/sys/fs/cgroup/memory.max", ""), used = number_in("/sys/fs/cgroup/memory.current", "");
  if (!limit || !used) return kUnknown;  // "max", or no such group
  // Files that were read count as used until the memory is wanted for something else.
  const std::size_t cache = number_in("/sys/fs/cgroup/memory.stat", "inactive_file").value_or(0);
  return left(*limit, left(*used, cache));
}

std::size_t of_address_space() {
  rlimit limit{};
  const auto pages = number_in("/proc/self/statm", "");
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || !pages) return kUnknown;
  return left(limit.rlim_cur, *pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
}

}  // namespace

std::size_t available_memory() { return std::min({of_machine(), of_control_group(), of_address_space()}); }

}  // namespace gf
