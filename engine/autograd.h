#pragma once
// The tape. Every op that runs on a tensor with a gradient slot leaves a node: its name, the slots of its inputs and a
// function from dy to the gradients of the inputs, written with the engine's own ops, so that gradients can themselves
// be differentiated. Slots hold no data, so a tensor whose values the backward does not need dies with its last handle.
//
//   backward(loss)                              fills .grad() of every leaf (adds to what is there)
//   gradients(y, {a, b}, dy, create_graph)      returns dy-weighted derivatives, leaves .grad() alone
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "kernels/error.h"

namespace gf {

struct TapeNode;

struct GradientSlot {
  Shape shape;
  DType dtype = DType::f32;            // of the tensor, and of the gradients that come to it
  std::shared_ptr<TapeNode> producer;  // null for a leaf
  Tensor grad;                         // of a leaf, float32; a flat buffer may have put a view of itself here
  bool arrived = false;                // false: grad holds nothing (or stale values) and the next one is assigned

  static std::shared_ptr<GradientSlot> leaf(const Shape& shape, DType dtype = DType::f32);
};

// needs[i]: is the gradient of input i wanted? Entries of the result that are not may stay empty.
using Needs = std::vector<bool>;
using Backward = std::function<std::vector<Tensor>(const Tensor& dy, const Needs& needs)>;

// How often an op can be differentiated. `once` ops refuse by name under create_graph.
enum class Differentiable { once, twice };

// Puts y on the tape as op(inputs). Returns y, untouched where nothing records or no input has a slot.
Tensor record(const char* op, Tensor y, std::vector<Tensor> inputs, Backward backward,
              Differentiable order = Differentiable::twice);

bool recording();  // is the tape on in this thread?

class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

// y is a scalar; the tape behind it is freed as it is walked, unless retain_tape.
void backward(const Tensor& y, bool retain_tape = false);

// d(sum y*dy)/d(wrt); dy empty means ones. An input that y does not depend on gets an empty Tensor. With create_graph
// the results are on the tape themselves (and the tape is kept).
std::vector<Tensor> gradients(const Tensor& y, const std::vector<Tensor>& wrt, const Tensor& dy = {},
                              bool create_graph = false, bool retain_tape = false);

// While on, the first NaN or inf made by an op, forwards or backwards, throws NotFiniteError.
void trace_nan(bool on);
bool tracing_nan();

class NotFiniteError : public Error {
 public:
  struct Place {
    std::string op;
    bool backward = false;
    Shape shape;                                        // of the op's result, or of the gradient it hands on
    std::int64_t element = 0;                           // the first that is not finite
    std::vector<std::shared_ptr<GradientSlot>> inputs;  // of the op; null for those without a slot
  };
  NotFiniteError(Place place, float value);
  const Place& place() const { return place_; }

 private:
  Place place_;
};

// While alive, collects the names of all ops recorded on this thread (tests use it to prove that each has a case).
class TapeObserver {
 public:
  TapeObserver();
  ~TapeObserver();
  TapeObserver(const TapeObserver&) = delete;
  TapeObserver& operator=(const TapeObserver&) = delete;
  const std::set<std::string>& ops() const { return ops_; }

 private:
  std::set<std::string> ops_;
  TapeObserver* previous_;
  friend Tensor record(const char*, Tensor, std::vector<Tensor>, Backward, Differentiable);
};

}  // namespace gf
