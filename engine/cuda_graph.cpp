#include "engine/cuda_graph.h"

#include "kernels/captured_plans.h"
#include "kernels/cuda/cuda_check.h"

namespace gf {

struct CudaGraph::Impl {
  cudaStream_t stream = nullptr;
  cudaGraphExec_t runnable = nullptr;
  std::size_t nodes = 0;
  bool open = false;
  CapturedPlans plans;
};

CudaGraph::CudaGraph(const Cuda& cuda) : impl_(std::make_unique<Impl>()) { impl_->stream = cuda.stream; }

CudaGraph::~CudaGraph() {
  if (impl_->open) {
    captured_plans = nullptr;
    cudaGraph_t half = nullptr;
    cudaStreamEndCapture(impl_->stream, &half);
    if (half) cudaGraphDestroy(half);
    cudaGetLastError();  // why the capture was given up is known already
  }
  if (impl_->runnable) cudaGraphExecDestroy(impl_->runnable);
}

// Thread-local: allocations and synchronisations of other threads (the loader's) are none of the capture's business.
void CudaGraph::begin() {
  GF_CUDA_CHECK(cudaStreamBeginCapture(impl_->stream, cudaStreamCaptureModeThreadLocal));
  impl_->open = true;
  captured_plans = &impl_->plans;
}

void CudaGraph::end() {
  cudaGraph_t graph = nullptr;
  impl_->open = false;
  captured_plans = nullptr;
  GF_CUDA_CHECK(cudaStreamEndCapture(impl_->stream, &graph));
  const std::unique_ptr<CUgraph_st, cudaError_t (*)(cudaGraph_t)> owned(graph, cudaGraphDestroy);
  GF_CUDA_CHECK(cudaGraphGetNodes(graph, nullptr, &impl_->nodes));
  GF_CUDA_CHECK(cudaGraphInstantiate(&impl_->runnable, graph, 0));
}

void CudaGraph::launch() const { GF_CUDA_CHECK(cudaGraphLaunch(impl_->runnable, impl_->stream)); }

std::size_t CudaGraph::size() const { return impl_->nodes; }

}  // namespace gf
