#pragma once
// A captured CUDA graph launches kernels of cuDNN's and cuBLASLt's plans, so those must live as long as it does,
// whatever the caches throw out in the meantime. While a list is set on a thread, the plans that run there join it.
#include <memory>
#include <utility>
#include <vector>

namespace gf {

using CapturedPlans = std::vector<std::shared_ptr<const void>>;
inline thread_local CapturedPlans* captured_plans = nullptr;

inline void keep_if_capturing(std::shared_ptr<const void> plan) {
  if (captured_plans) captured_plans->push_back(std::move(plan));
}

}  // namespace gf
