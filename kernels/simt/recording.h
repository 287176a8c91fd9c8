#pragma once
// What a captured CUDA graph is, for the executor: launches and library calls with their arguments as they were,
// written down once and run again and again. While a recording is open on a thread, that thread's work is written down
// and not run, as under cudaStreamBeginCapture.
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace gf::simt {

class Recording {
 public:
  Recording() = default;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording();

  void begin();  // of this thread's work; recordings do not nest
  void end();
  void replay() const;  // in the order of recording; on the thread that recorded, whose scratch memory it uses
  std::size_t size() const { return work_.size(); }

  static Recording* open();  // this thread's; null where work runs at once
  void add(std::function<void()> work) { work_.push_back(std::move(work)); }

 private:
  std::vector<std::function<void()>> work_;
};

// Everything the executor does passes through here. `work` holds its arguments by value.
template <class Work>
void run_or_record(Work&& work) {
  if (Recording* recording = Recording::open())
    recording->add(std::forward<Work>(work));
  else
    work();
}

}  // namespace gf::simt
