#pragma once
// What ops ran forwards on this thread while it is alive, in order and with everything that decides their results: how
// a network's forward pass becomes a graph that other programs run (models/onnx). Recorded or not, an op is seen if it
// could be on the tape. The trace keeps every tensor alive: no two values it knows share memory, unless one is a view
// of the other.
#include <any>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor.h"

namespace gf {

class OpTrace {
 public:
  struct Call {
    std::string op;              // its name on the tape
    std::vector<Tensor> inputs;  // an empty handle where an optional one was not given
    Tensor output;
    std::any
        arguments;  // what decides beside the inputs: a float of scale, shift and sum_to; else as the op's header says
  };

  OpTrace();
  ~OpTrace();
  OpTrace(const OpTrace&) = delete;
  OpTrace& operator=(const OpTrace&) = delete;
  const std::vector<Call>& calls() const { return calls_; }

  // For ops: the arguments of the one that is recorded next.
  template <class T>
  static void arguments(const T& a) {
    if (current_) current_->arguments_ = a;
  }
  // autograd.h's record() says so of every op.
  static void add(const char* op, const Tensor& output, const std::vector<Tensor>& inputs);

  // An op that is made of others: while it is alive those are not seen, and then the op is, as one.
  class Composed {
   public:
    Composed() { std::swap(hidden_, current_); }
    ~Composed() { std::swap(hidden_, current_); }
    Composed(const Composed&) = delete;
    Composed& operator=(const Composed&) = delete;

   private:
    OpTrace* hidden_ = nullptr;
  };

 private:
  std::vector<Call> calls_;
  std::any arguments_;
  OpTrace* previous_;
  inline static thread_local OpTrace* current_ = nullptr;
};

}  // namespace gf
