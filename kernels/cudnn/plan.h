#pragma once
// A plan is one of cuDNN's engines, configured and compiled for one graph on one device. Which engine is a function of
// the graph, the flags, the device and cuDNN's version: the first that cuDNN's heuristics propose and the flags allow.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gf::cudnn {

// A GPU described by cuDNN's JSON text. Plans for a described device need neither driver nor GPU; they show that a
// graph is supported and cannot be run.
struct DeviceProperties {
  std::string json;
};

struct PlanFlags {
  bool deterministic = true;                           // leave out engines whose results may differ between two runs
  bool tf32 = false;                                   // float32 only: allow engines that round the inputs to TF32
  std::size_t workspace_limit = std::size_t{1} << 30;  // bytes
  // Allow engines that cuDNN compiles at run time. Those of 9.19 on an H100 read and wrote outside of tensors with gaps
  // between the pixels: with a residual whose pixel stride is not y's (float32), and with pixel strides that are no
  // multiple of 16 bytes (bfloat16). compute-sanitizer shows it, and the cases of tests/kernels/convolution.cpp.
  // A described device has no such engines: they need the driver.
  bool compiled = true;

  bool operator==(const PlanFlags&) const = default;
};

struct PlanInfo {
  std::int64_t engine = -1;         // cuDNN's number of the engine among those for this kind of graph
  std::int64_t workspace = 0;       // bytes
  std::vector<std::string> notes;   // "tensor core", "runtime compilation", ...
  int candidates = 0, refused = 0;  // looked at up to the one chosen; of these finalised in vain
};

class Plan;
const PlanInfo& info(const Plan&);

}  // namespace gf::cudnn
