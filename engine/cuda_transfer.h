#pragma once
// transfer.h on a GPU: pinned memory, events, a stream for input. Only in builds with CUDA.
#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "kernels/context.h"

namespace gf {

class CudaInputStage {
 public:
  explicit CudaInputStage(const Cuda& cuda);
  ~CudaInputStage();
  CudaInputStage(const CudaInputStage&) = delete;
  CudaInputStage& operator=(const CudaInputStage&) = delete;
  void send(std::size_t place, const void* from, void* to, std::size_t bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class CudaReadback {
 public:
  CudaReadback(const Cuda& cuda, std::size_t bytes);
  ~CudaReadback();
  CudaReadback(const CudaReadback&) = delete;
  CudaReadback& operator=(const CudaReadback&) = delete;
  void push(std::size_t slot, const void* from);  // slot 0 or 1
  bool arrived(std::size_t slot) const;
  const std::byte* wait(std::size_t slot) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gf
