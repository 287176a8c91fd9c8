#include <memory>

#include "kernels/cudnn/graph.h"
#include "kernels/error.h"

namespace gf::cudnn {

cudnnHandle_t thread_handle() {
  struct Destroy {
    void operator()(cudnnHandle_t h) const { api().destroy(h); }  // at exit the driver may be gone: no check
  };
  thread_local const std::unique_ptr<cudnnContext, Destroy> handle = [] {
    cudnnHandle_t h = nullptr;
    check(api().create(&h), "cudnnCreate", "the current device");
    return std::unique_ptr<cudnnContext, Destroy>(h);
  }();
  return handle.get();
}

void run(const Cuda& cuda, const Plan& plan, const std::vector<Binding>& bindings) {
  if (!plan.handle) fail("cuDNN: this plan is for a described device", "", "a plan made for the current device");
  std::vector<std::int64_t> ids;
  std::vector<void*> pointers;
  for (const Binding& b : bindings) {
    ids.push_back(b.id);
    pointers.push_back(const_cast<void*>(b.data));
  }
  const auto bytes = static_cast<std::size_t>(plan.info.workspace);
  void* workspace = bytes ? cuda.workspace(bytes) : nullptr;
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "variant pack");
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids);
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers);
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
  pack.finalize();
  check(api().set_stream(plan.handle, cuda.stream), "cudnnSetStream", "the context's stream");
  check(api().execute(plan.handle, plan.descriptor.raw(), pack.raw()), "cudnnBackendExecute", plan.descriptor.name());
}

}  // namespace gf::cudnn
