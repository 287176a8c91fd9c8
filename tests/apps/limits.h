#pragma once
// Limits of the system for the programs that a test starts.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>

namespace gf::test {

// While it lives the programs that are started have this limit. RLIMIT_FSIZE stands for a disk that is full: whoever
// may mount is rare.
class Limit {
 public:
  Limit(decltype(RLIMIT_AS) what, rlim_t most) : what_(what) {
    REQUIRE(::getrlimit(what_, &before_) == 0);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);  // the write fails instead
    const rlimit lower{most, before_.rlim_max};
    REQUIRE(::setrlimit(what_, &lower) == 0);
  }
  ~Limit() {
    ::setrlimit(what_, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  decltype(RLIMIT_AS) what_;
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

}  // namespace gf::test
