#include "engine/autograd.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "engine/op_scope.h"
#include "engine/op_trace.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "kernels/elementwise.h"

namespace gf {

struct TapeNode {
  const char* op;
  std::uint64_t sequence;  // nodes are walked from the youngest to the oldest: a topological order
  std::vector<std::shared_ptr<GradientSlot>> inputs;
  Backward backward;
  Differentiable order;

  ~TapeNode();
};

namespace {

thread_local bool recording_on = true;
thread_local TapeObserver* observer = nullptr;
thread_local bool walking = false;  // inside an op's backward, whose own ops are not what a person knows by name
std::atomic<std::uint64_t> next_sequence{0};
std::atomic<bool> nan_tracing{false};

void check_finite(const Tensor& t, NotFiniteError::Place place) {
  if (t.dtype() != DType::f32 && t.dtype() != DType::bf16) return;
  const std::vector<float> v = t.to_vector();
  const auto bad = std::find_if(v.begin(), v.end(), [](float x) { return !std::isfinite(x); });
  if (bad == v.end()) return;
  place.shape = t.shape();
  place.element = bad - v.begin();
  throw NotFiniteError(std::move(place), *bad);
}

std::vector<std::shared_ptr<GradientSlot>> slots_of(const std::vector<Tensor>& tensors) {
  std::vector<std::shared_ptr<GradientSlot>> slots;
  for (const Tensor& t : tensors) slots.push_back(t ? t.slot() : nullptr);
  return slots;
}

}  // namespace

// A long chain of nodes must not be destroyed by recursion. Slots of older nodes hang on `inputs` and on the tensors
// that `backward` has captured.
TapeNode::~TapeNode() {
  struct Remains {
    std::vector<std::shared_ptr<GradientSlot>> inputs;
    Backward backward;
  };
  thread_local std::vector<Remains>* pending = nullptr;
  if (pending) {
    pending->push_back({std::move(inputs), std::move(backward)});
    return;
  }
  std::vector<Remains> list;
  list.push_back({std::move(inputs), std::move(backward)});
  pending = &list;
  while (!list.empty()) {
    const Remains last = std::move(list.back());
    list.pop_back();
  }
  pending = nullptr;
}

std::shared_ptr<GradientSlot> GradientSlot::leaf(const Shape& shape, DType dtype) {
  auto slot = std::make_shared<GradientSlot>();
  slot->shape = shape;
  slot->dtype = dtype;
  return slot;
}

bool recording() { return recording_on; }
NoGrad::NoGrad() : previous_(recording_on) { recording_on = false; }
NoGrad::~NoGrad() { recording_on = previous_; }
void trace_nan(bool on) { nan_tracing = on; }
bool tracing_nan() { return nan_tracing; }
NotFiniteError::NotFiniteError(Place place, float value)
    : Error(ErrorKind::failure,
            {"not finite", place.op + (place.backward ? " (backward)" : " (forward)") + ", tensor " + place.shape.str(),
             "finite values", std::to_string(value) + " at element " + std::to_string(place.element),
             "lower the learning rate, clip gradients (train.clip_norm) or look at the input"}),
      place_(std::move(place)) {}
TapeObserver::TapeObserver() : previous_(observer) { observer = this; }
TapeObserver::~TapeObserver() { observer = previous_; }

Tensor record(const char* op, Tensor y, std::vector<Tensor> inputs, Backward backward, Differentiable order) {
  if (nan_tracing && !walking) check_finite(y, {op, false, {}, 0, slots_of(inputs)});
  OpTrace::add(op, y, inputs);
  if (!recording_on) return y;
  bool wanted = false;
  for (const Tensor& t : inputs) wanted = wanted || (t && t.requires_grad());
  if (!wanted) return y;
  for (TapeObserver* o = observer; o; o = o->previous_) o->ops_.insert(op);
  auto node = std::make_shared<TapeNode>();
  node->op = op;
  node->sequence = next_sequence++;
  node->inputs = slots_of(inputs);
  node->backward = std::move(backward);
  node->order = order;
  auto slot = std::make_shared<GradientSlot>();
  slot->shape = y.shape();
  slot->dtype = y.dtype();
  slot->producer = std::move(node);
  y.attach(std::move(slot));
  return y;
}

namespace {

using SlotPtr = std::shared_ptr<GradientSlot>;

class Switch {
 public:
  Switch(bool& flag, bool value) : flag_(flag), previous_(flag) { flag = value; }
  ~Switch() { flag_ = previous_; }
  Switch(const Switch&) = delete;
  Switch& operator=(const Switch&) = delete;

 private:
  bool& flag_;
  bool previous_;
};

// Which slots lie between y and the wanted ones (every slot with a leaf below, where `wanted` is null).
std::unordered_set<const GradientSlot*> needed_slots(const SlotPtr& root,
                                                     const std::unordered_set<const GradientSlot*>& wanted) {
  std::unordered_set<const GradientSlot*> needed, seen;
  std::vector<std::pair<const GradientSlot*, bool>> stack{{root.get(), false}};
  while (!stack.empty()) {
    const auto [slot, inputs_done] = stack.back();
    stack.pop_back();
    if (inputs_done) {
      for (const auto& in : slot->producer->inputs)
        if (in && needed.count(in.get())) needed.insert(slot);
      continue;
    }
    if (!seen.insert(slot).second) continue;
    if (wanted.count(slot)) needed.insert(slot);
    if (!slot->producer) continue;
    stack.push_back({slot, true});
    for (const auto& in : slot->producer->inputs)
      if (in && !seen.count(in.get())) stack.push_back({in.get(), false});
  }
  return needed;
}

class Walk {
 public:
  Walk(bool create_graph, bool retain_tape) : create_graph_(create_graph), retain_tape_(retain_tape) {}

  // `needed` empty: every slot. `collect` receives each finished gradient of a leaf or of a slot in `kept`.
  void run(const Tensor& y, Tensor dy, const std::unordered_set<const GradientSlot*>* needed,
           const std::unordered_set<const GradientSlot*>& kept,
           const std::function<void(const SlotPtr&, const Tensor&)>& collect) {
    needed_ = needed;
    add(y.slot(), std::move(dy));
    while (!queue_.empty()) {
      const SlotPtr slot = queue_.top();
      queue_.pop();
      const auto it = flying_.find(slot.get());
      const Tensor gradient = it->second.gradient;
      flying_.erase(it);
      if (!slot->producer || kept.count(slot.get())) collect(slot, gradient);
      if (slot->producer) step(*slot->producer, gradient);
    }
  }

 private:
  struct Flying {
    Tensor gradient;
    bool owned;  // made here by a sum, so more can be added in place
  };
  struct Older {
    bool operator()(const SlotPtr& a, const SlotPtr& b) const { return age(a) < age(b); }
    static std::uint64_t age(const SlotPtr& s) { return s->producer ? s->producer->sequence + 1 : 0; }
  };

  bool is_needed(const SlotPtr& s) const { return s && (!needed_ || needed_->count(s.get())); }

  void step(TapeNode& node, const Tensor& dy) {
    if (!node.backward)
      fail("the tape was already walked and freed", std::string("op ") + node.op, "", "",
           "pass retain_tape to the first walk");
    if (create_graph_ && node.order == Differentiable::once)
      fail("no second derivative", std::string("op ") + node.op, "an op that is twice differentiable", node.op);
    Needs needs;
    bool any = false;
    for (const auto& s : node.inputs) {
      needs.push_back(is_needed(s));
      any = any || needs.back();
    }
    if (!any) return;
    std::vector<Tensor> dx;
    {
      const Switch inside(walking, true);
      const OpScope scope(node.op, OpScope::Direction::backward);
      dx = node.backward(dy, needs);
    }
    // The slots are still needed to hand the gradients on, but the saved tensors are not.
    const std::vector<SlotPtr> inputs = retain_tape_ ? node.inputs : std::move(node.inputs);
    if (!retain_tape_) {
      node.backward = nullptr;
      node.inputs.clear();
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!needs[i]) continue;
      if (i >= dx.size() || !dx[i]) continue;
      if (!(dx[i].shape() == inputs[i]->shape))
        fail("gradient of a wrong shape", std::string("op ") + node.op + ", input " + std::to_string(i),
             inputs[i]->shape.str(), dx[i].shape().str(), "this is a mistake in the op's backward");
      if (dx[i].dtype() != inputs[i]->dtype)
        fail("gradient of a wrong dtype", std::string("op ") + node.op + ", input " + std::to_string(i),
             name_of(inputs[i]->dtype), name_of(dx[i].dtype()), "this is a mistake in the op's backward");
      if (nan_tracing) check_finite(dx[i], {node.op, true, {}, 0, inputs});
      add(inputs[i], std::move(dx[i]));
    }
  }

  void add(const SlotPtr& slot, Tensor gradient) {
    const auto [it, fresh] = flying_.try_emplace(slot.get(), Flying{gradient, false});
    if (fresh) return queue_.push(slot);
    Flying& f = it->second;
    if (create_graph_ || !f.owned) {
      f.gradient = f.gradient + gradient;
      f.owned = true;
    } else {
      on(gradient.device(), [&](const auto& d) { axpy(d, 1.0f, gradient.view(), f.gradient.mutable_view()); });
    }
  }

  bool create_graph_, retain_tape_;
  const std::unordered_set<const GradientSlot*>* needed_ = nullptr;
  std::unordered_map<const GradientSlot*, Flying> flying_;  // the queue keeps the slots alive
  std::priority_queue<SlotPtr, std::vector<SlotPtr>, Older> queue_;
};

void accumulate(GradientSlot& slot, const Tensor& gradient) {
  if (!slot.grad) slot.grad = Tensor::empty(slot.shape, DType::f32, gradient.device());
  const Tensor g = slot.arrived ? cast(gradient, DType::f32) : gradient;  // copy converts by itself
  on(g.device(), [&](const auto& d) {
    if (slot.arrived)
      axpy(d, 1.0f, g.view(), slot.grad.mutable_view());
    else
      copy(d, g.view(), slot.grad.mutable_view());
  });
  slot.arrived = true;
}

}  // namespace

void backward(const Tensor& y, bool retain_tape) {
  if (!y.requires_grad()) fail("backward from a tensor that is not on the tape", y.shape().str());
  if (y.count() != 1) fail("backward from a tensor that is no scalar", y.shape().str(), "[1,1,1,1]", y.shape().str());
  const Switch off(recording_on, false);
  Walk(false, retain_tape)
      .run(y, Tensor::full({}, 1.0f, y.device(), y.dtype()), nullptr, {},
           [](const SlotPtr& slot, const Tensor& g) { accumulate(*slot, g); });
}

std::vector<Tensor> gradients(const Tensor& y, const std::vector<Tensor>& wrt, const Tensor& dy, bool create_graph,
                              bool retain_tape) {
  std::vector<Tensor> result(wrt.size());
  if (!y.requires_grad()) return result;
  std::unordered_set<const GradientSlot*> wanted;
  for (const Tensor& t : wrt)
    if (t.requires_grad()) wanted.insert(t.slot().get());
  const auto needed = needed_slots(y.slot(), wanted);
  const Switch mode(recording_on, create_graph);
  Walk(create_graph, retain_tape || create_graph)
      .run(y, dy ? dy : Tensor::full(y.shape(), 1.0f, y.device(), y.dtype()), &needed, wanted,
           [&](const SlotPtr& slot, const Tensor& g) {
             for (std::size_t i = 0; i < wrt.size(); ++i)
               if (wrt[i].slot() == slot) result[i] = g;
           });
  return result;
}

}  // namespace gf
