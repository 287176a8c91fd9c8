#include "engine/step_graph.h"

#include <variant>

#include "engine/capture.h"
#include "engine/memory.h"
#include "kernels/error.h"
#include "kernels/simt/recording.h"
#ifdef GF_WITH_CUDA
#include "engine/cuda_graph.h"
#endif

namespace gf {
namespace {

// What the device writes a step down into.
class Tape {
 public:
  virtual ~Tape() = default;
  virtual void begin() = 0;
  virtual void end() = 0;
  virtual void replay() = 0;
  virtual std::size_t size() const = 0;
};

class SimtTape : public Tape {
 public:
  void begin() override { recording_.begin(); }
  void end() override { recording_.end(); }
  void replay() override { recording_.replay(); }
  std::size_t size() const override { return recording_.size(); }

 private:
  simt::Recording recording_;
};

#ifdef GF_WITH_CUDA
class CudaTape : public Tape {
 public:
  explicit CudaTape(const Cuda& cuda) : graph_(cuda) {}
  void begin() override { graph_.begin(); }
  void end() override { graph_.end(); }
  void replay() override { graph_.launch(); }
  std::size_t size() const override { return graph_.size(); }

 private:
  CudaGraph graph_;
};
#endif

std::unique_ptr<Tape> make_tape(const Device& device) {
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = std::get_if<Cuda>(&device)) return std::make_unique<CudaTape>(*cuda);
#endif
  if (std::holds_alternative<Simt>(device)) return std::make_unique<SimtTape>();
  throw Error(ErrorKind::usage, {"a step cannot be captured on this device", device_name(device), "cuda or simt",
                                 device_name(device), "set train.step_graph = \"off\""});
}

}  // namespace

struct StepGraph::Impl {
  explicit Impl(const Device& d)
      : device(d), memory(memory_of(d)), pool(memory.make_pool()), workspace(workspace_of(d)), tape(make_tape(d)) {
    workspace.hold();
  }
  ~Impl() {
    try {
      wait_for(device);
    } catch (const Error&) {
      // The device's state is lost, and the error that says so is on its way already.
    }
    tape.reset();
    memory.drop_pool(pool);
    workspace.release();
  }
  Device device;
  CachingAllocator& memory;
  CachingAllocator::Pool pool;
  Workspace& workspace;
  std::unique_ptr<Tape> tape;
  bool warm = false, captured = false;
};

StepGraph::StepGraph(const Device& device) : impl_(std::make_unique<Impl>(device)) {}
StepGraph::~StepGraph() = default;

void StepGraph::warm_up(const std::function<void()>& step) {
  const PoolScope pool(impl_->memory, impl_->pool, false);
  step();
  impl_->warm = true;
}

void StepGraph::capture(const std::function<void()>& step) {
  if (!impl_->warm) fail("a step is captured without a warm-up", device_name(impl_->device));
  impl_->captured = false;
  impl_->tape = make_tape(impl_->device);
  const PoolScope pool(impl_->memory, impl_->pool, true);
  {
    const CaptureScope scope;
    impl_->tape->begin();
    try {
      step();
    } catch (...) {
      impl_->tape = make_tape(impl_->device);  // ends what was begun
      throw;
    }
  }
  impl_->tape->end();
  impl_->captured = true;
}

void StepGraph::replay() {
  if (!impl_->captured) fail("a step is replayed that was not captured", device_name(impl_->device));
  impl_->tape->replay();
}

bool StepGraph::captured() const { return impl_->captured; }
std::size_t StepGraph::size() const { return impl_->tape->size(); }

}  // namespace gf
