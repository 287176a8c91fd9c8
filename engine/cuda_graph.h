#pragma once
// A captured stretch of a stream: cudaGraph behind RAII. Only in builds with CUDA.
#include <memory>

#include "kernels/context.h"

namespace gf {

class CudaGraph {
 public:
  explicit CudaGraph(const Cuda& cuda);
  ~CudaGraph();  // an open capture is thrown away
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  void begin();              // what this thread queues on the stream is written down, not run
  void end();                // makes it runnable; throws with CUDA's reason where something in it cannot be captured
  void launch() const;       // queues all of it
  std::size_t size() const;  // nodes: kernels, copies

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gf
