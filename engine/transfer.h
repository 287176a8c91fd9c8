#pragma once
// Data on its way between host and device without anybody waiting for it. On a GPU the host's side is pinned memory,
// which the device copies by itself; elsewhere everything has arrived at once.
#include <cstddef>
#include <memory>
#include <vector>

#include "engine/tensor.h"

namespace gf {

// Host to device. Two buffers a place take turns, so that the next batch is prepared and copied while the device still
// works with this one; on a GPU the copies have a stream of their own.
class InputStage {
 public:
  explicit InputStage(const Device& device);
  ~InputStage();
  InputStage(const InputStage&) = delete;
  InputStage& operator=(const InputStage&) = delete;

  // Queues: `to` (dense, on the device) gets the values of `from` (dense, in host memory, same shape and dtype) before
  // any work that is queued on the device later, and after all that was queued before. `from` may be changed on return.
  // `place` numbers the inputs of a step: 0 the pictures, 1 the labels, ...
  void send(std::size_t place, const Tensor& from, const Tensor& to);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Device to host: small results of step after step. At most two are under way; a third waits for the oldest.
class Readback {
 public:
  Readback(const Device& device, std::size_t bytes);
  ~Readback();
  Readback(const Readback&) = delete;
  Readback& operator=(const Readback&) = delete;

  void push(const Tensor& from);  // queues the copy; dense, of the size given above
  bool full() const;              // push() may be called no more before pop()
  bool empty() const;
  bool arrived() const;          // the oldest has; never waits
  std::vector<std::byte> pop();  // the oldest, waiting for it where it must

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gf
