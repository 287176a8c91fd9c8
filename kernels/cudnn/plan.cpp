#include <algorithm>
#include <iterator>
#include <optional>

#include "kernels/cudnn/graph.h"
#include "kernels/error.h"

namespace gf::cudnn {

const PlanInfo& info(const Plan& plan) { return plan.info; }

namespace {

const char* text_of(cudnnBackendNumericalNote_t note) {
  static constexpr const char* kText[] = {"tensor core",  "down-converts inputs", "reduced-precision reduction",
                                          "FFT",          "nondeterministic",     "Winograd",
                                          "Winograd 4x4", "Winograd 6x6",         "Winograd 13x13",
                                          "strict NaN"};
  return static_cast<std::size_t>(note) < std::size(kText) ? kText[note] : "unknown numerical note";
}

const char* text_of(cudnnBackendBehaviorNote_t note) {
  static constexpr const char* kText[] = {"runtime compilation", "int8 filter reorder", "int8 bias reorder",
                                          "native CUDA graph", "needs cuBLASLt"};
  return static_cast<std::size_t>(note) < std::size(kText) ? kText[note] : "unknown behaviour note";
}

std::optional<Descriptor> described_device(const DeviceProperties* device) {
  if (!device) return std::nullopt;
  Descriptor d(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "device description");
  d.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, device->json);
  d.finalize();
  return d;
}

// Looks at one engine after the other and remembers why it left each one out.
class Search {
 public:
  Search(cudnnHandle_t handle, DType dtype, const PlanFlags& flags, const DeviceProperties* device)
      : handle_(handle), flags_(flags), exact_(dtype == DType::f32 && !flags.tf32), device_(described_device(device)) {
    last_reason();  // forgets what earlier graphs left
  }

  // The engines the heuristics propose, best first.
  std::vector<Descriptor> propose(const Descriptor& graph, cudnnBackendHeurMode_t mode) {
    Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "heuristics");
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
    if (device_) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *device_);
    try {
      heuristics.finalize();
    } catch (const Error& e) {
      note(e);
      return {};
    }
    return heuristics.inner_list(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, "engine choice");
  }

  // Null where the flags or cuDNN refuse.
  std::shared_ptr<Plan> plan(const Descriptor& choice) {
    ++candidates_;
    const Descriptor engine = choice.inner(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, "engine");
    const auto notes =
        engine.list<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
    const auto has = [&](cudnnBackendNumericalNote_t n) {
      return std::find(notes.begin(), notes.end(), n) != notes.end();
    };
    if (flags_.deterministic && has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return ++nondeterministic_, nullptr;
    // On float32 tensors a tensor core works in TF32.
    if (exact_ && (has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS) || has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE)))
      return ++reduced_, nullptr;
    const auto behaviour =
        engine.list<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_BEHAVIOR_NOTE_TYPE_COUNT);
    const bool compiled =
        std::find(behaviour.begin(), behaviour.end(), CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) != behaviour.end();
    if (compiled && !flags_.compiled) return ++compiled_, nullptr;

    Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "plan");
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, choice);
    if (device_) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *device_);
    if (handle_) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle_);
    try {
      plan.finalize();
    } catch (const Error& e) {
      note(e);
      return ++refused_, nullptr;
    }
    PlanInfo found;
    found.workspace = plan.get<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
    if (static_cast<std::size_t>(found.workspace) > flags_.workspace_limit) {
      smallest_workspace_ = large_++ ? std::min(smallest_workspace_, found.workspace) : found.workspace;
      return nullptr;
    }
    found.engine = engine.get<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
    for (const auto n : notes) found.notes.emplace_back(text_of(n));
    for (const auto n : behaviour) found.notes.emplace_back(text_of(n));
    found.candidates = candidates_;
    found.refused = refused_;
    return std::make_shared<Plan>(std::move(plan), std::move(found), handle_);
  }

  // "8 proposed, nondeterministic 2, ...: cuDNN's reason"
  std::string outcome() const {
    std::string s = std::to_string(candidates_) + " proposed";
    const auto add = [&](const char* what, int count) {
      if (count) s += std::string(", ") + what + " " + std::to_string(count);
    };
    add("nondeterministic", nondeterministic_);
    add("of reduced precision", reduced_);
    add("compiled at run time", compiled_);
    add("with too large a workspace", large_);
    if (large_) s += " (the smallest " + std::to_string(smallest_workspace_) + " bytes)";
    add("refused", refused_);
    // What the heuristics passed over, cuDNN says only in its notes.
    const std::string why = reason_.empty() ? last_reason() : reason_;
    return why.empty() ? s : s + ": " + why;
  }

  std::string remedy() const {
    if (large_) return "raise the workspace limit";
    if (reduced_) return "allow TF32";
    return nondeterministic_ ? "allow nondeterministic engines" : "";
  }

 private:
  void note(const Error& e) {
    if (reason_.empty()) reason_ = e.parts().found;
  }

  cudnnHandle_t handle_;
  PlanFlags flags_;
  bool exact_;
  std::optional<Descriptor> device_;
  int candidates_ = 0, nondeterministic_ = 0, reduced_ = 0, compiled_ = 0, large_ = 0, refused_ = 0;
  std::int64_t smallest_workspace_ = 0;  // among the too large
  std::string reason_;                   // cuDNN's first
};

}  // namespace

std::shared_ptr<Plan> find_plan(Graph& graph, DType dtype, const PlanFlags& flags, const DeviceProperties* device) {
  const Descriptor& operations = graph.finish();
  Search search(graph.handle(), dtype, flags, device);
  // The heuristics for speed first; what cuDNN calls the fallback takes shapes and layouts that nothing else does.
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
    for (const Descriptor& choice : search.propose(operations, mode))
      if (auto plan = search.plan(choice)) return plan;
  fail("cuDNN has no engine for this graph", "", "", search.outcome(), search.remedy());
}

}  // namespace gf::cudnn
