#pragma once
// A training step written down once and run again and again: no host work between its kernels. On a GPU it is a CUDA
// graph; under the executor a list of the same launches, so that everything said here is tested without a GPU.
//
//   StepGraph graph(device);
//   graph.warm_up(step);    // once at least: runs it; its temporaries come from memory that stays the graph's own
//   graph.capture(step);    // writes it down and runs nothing
//   graph.replay();         // runs what was written down
//
// What a step must keep to: shapes do not change; tensors that live longer than it (parameters, input, results) are
// made before; numbers that change from step to step (learning rate, step count, position of random numbers) are read
// from device memory; nothing is read back. A step that breaks the last two rules is refused, naming the op; changed
// shapes ask for new memory and are refused too. Work that a replay queues is ordered with all other work of the
// device.
#include <functional>
#include <memory>

#include "engine/device.h"

namespace gf {

class StepGraph {
 public:
  // Throws ErrorKind::usage for the CPU, whose bodies are not launches.
  explicit StepGraph(const Device& device);
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  // All on one thread. An exception leaves the graph uncaptured.
  void warm_up(const std::function<void()>& step);
  void capture(const std::function<void()>& step);
  void replay();

  bool captured() const;
  std::size_t size() const;  // launches and copies written down

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gf
