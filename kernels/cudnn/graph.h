#pragma once
// Internal: an operation graph under construction, and the search for a plan. Every tensor is given extents and
// strides, virtual ones too: what is left blank cuDNN fills in with a layout of its own.
#include <deque>
#include <memory>
#include <optional>

#include "kernels/context.h"
#include "kernels/convolution.h"
#include "kernels/cudnn/backend.h"
#include "kernels/cudnn/layout.h"
#include "kernels/cudnn/plan.h"

namespace gf::cudnn {

class Graph {
 public:
  // handle: the library handle of the device the graph will run on; null for a described device.
  explicit Graph(cudnnHandle_t handle) : handle_(handle) {}

  const Descriptor& tensor(std::int64_t id, const char* name, const Layout&, DType, int alignment);
  // An intermediate result that never reaches memory, float32.
  const Descriptor& virtual_tensor(const Layout&);

  void convolution_forward(const ConvolutionShape&, const Descriptor& x, const Descriptor& w, const Descriptor& y);
  void convolution_input_grad(const ConvolutionShape&, const Descriptor& dy, const Descriptor& w, const Descriptor& dx);
  void convolution_weight_grad(const ConvolutionShape&, const Descriptor& x, const Descriptor& dy,
                               const Descriptor& dw);
  void add(const Descriptor& a, const Descriptor& b, const Descriptor& y);  // b is repeated to a's extents
  // min(max(x, 0), ceiling)
  void relu(const Descriptor& x, const Descriptor& y, std::optional<double> ceiling);

  // Checks the graph as a whole; nothing is added afterwards.
  const Descriptor& finish();
  cudnnHandle_t handle() const { return handle_; }

 private:
  const Descriptor& pointwise(cudnnPointwiseMode_t, const char* name, std::optional<double> ceiling = {});
  const Descriptor& convolution(const ConvolutionShape&);
  const Descriptor& keep(Descriptor&& d) { return parts_.emplace_back(std::move(d)); }

  cudnnHandle_t handle_;
  std::deque<Descriptor> parts_;  // a deque: references to its elements stay good
  std::vector<Descriptor> operations_;
  std::int64_t next_virtual_id_ = 1000;  // beyond every id a caller gives
};

// The graph lives on inside the descriptor: cuDNN counts references.
class Plan {
 public:
  Plan(Descriptor&& d, PlanInfo i, cudnnHandle_t h) : descriptor(std::move(d)), info(std::move(i)), handle(h) {}

  Descriptor descriptor;
  PlanInfo info;
  cudnnHandle_t handle;
};

// The first plan that cuDNN proposes, the flags allow and the device takes. `dtype` is that of the graph's tensors.
// Throws with the numbers of engines left out, why, and cuDNN's reason. device: null where the graph has a handle.
std::shared_ptr<Plan> find_plan(Graph& graph, DType dtype, const PlanFlags&, const DeviceProperties* device);

// Pointers of the graph's tensors by id.
struct Binding {
  std::int64_t id;
  const void* data;
};

// Queues the plan on the context's stream; scratch memory comes from the context.
void run(const Cuda&, const Plan&, const std::vector<Binding>&);

// The calling thread's handle for the device that was current at its first use.
cudnnHandle_t thread_handle();

}  // namespace gf::cudnn
