#pragma once
// One growing buffer of scratch memory for kernels (context.h). While it is held (a captured step has its address
// written down) memory that has become too small is kept until nobody holds it any more.
#include <cstddef>
#include <vector>

namespace gf {

class Workspace {
 public:
  // Where memory comes from; `take` throws or returns null where there is none.
  struct Source {
    void* (*take)(std::size_t bytes);
    void (*give)(void*);
  };
  explicit Workspace(Source source) : source_(source) {}
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // Valid until the next call. Throws ErrorKind::out_of_memory, and while a step is captured where it would have to
  // grow.
  void* at_least(std::size_t bytes);
  void hold() { ++holders_; }
  void release();

 private:
  Source source_;
  void* memory_ = nullptr;
  std::size_t capacity_ = 0;
  int holders_ = 0;
  std::vector<void*> outgrown_;
};

}  // namespace gf
