// The matrix product on the GPU (contract: kernels/matmul.h) through cuBLASLt.
//
// The library thinks in columns: a row-major matrix is the transpose of what it sees. So it is asked for
// y^T = op(b)^T op(a)^T, which in its eyes is a plain product with b first.
#include "kernels/matmul.h"
#include "kernels/captured_plans.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/cublas/api.h"
#include "kernels/lru_cache.h"
#include "kernels/matmul_problem.h"

namespace gf {
namespace cublas {
namespace {

// The library reads and writes the bytes of any attribute.
template <class Object, class Attribute, class Value>
void set(cublasStatus_t (*setter)(Object, Attribute, const void*, std::size_t), Object object, Attribute attribute,
         const Value& value, const std::string& about) {
  check(setter(object, attribute, &value, sizeof value), "set attribute", about);
}

template <class Pointer>
using Owned = std::unique_ptr<std::remove_pointer_t<Pointer>, cublasStatus_t (*)(Pointer)>;

struct Layouts {
  Owned<cublasLtMatrixLayout_t> first, second, result;
};

struct Plan {
  Owned<cublasLtMatmulDesc_t> operation;
  Layouts layouts;
  cublasLtMatmulAlgo_t algorithm;
  std::size_t workspace;
};

constexpr std::size_t kWorkspaceLimit = std::size_t{32} << 20;

std::string describe(const MatmulProblem& q) {
  return std::to_string(q.batch) + " x " + std::to_string(q.rows) + " x " + std::to_string(q.inner) + " x " +
         std::to_string(q.columns);
}

cublasLtHandle_t thread_handle() {
  thread_local const Owned<cublasLtHandle_t> handle = [] {
    cublasLtHandle_t h = nullptr;
    check(api().create(&h), "cublasLtCreate", "the current device");
    return Owned<cublasLtHandle_t>(h, api().destroy);
  }();
  return handle.get();
}

// A matrix as it lies in memory: `rows` rows of `row_length` numbers, `stride` apart.
Owned<cublasLtMatrixLayout_t> layout(DType dtype, std::int64_t rows, std::int64_t row_length, std::int64_t stride,
                                     std::int64_t batch, std::int64_t batch_stride, const std::string& about) {
  cublasLtMatrixLayout_t l = nullptr;
  check(api().layout_create(&l, dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F, static_cast<std::uint64_t>(row_length),
                            static_cast<std::uint64_t>(rows), stride),
        "cublasLtMatrixLayoutCreate", about);
  Owned<cublasLtMatrixLayout_t> owned(l, api().layout_destroy);
  set(api().layout_set, l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(batch), about);
  set(api().layout_set, l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, batch_stride, about);
  return owned;
}

struct Key {
  MatmulProblem problem;
  bool transpose_a, transpose_b;
  DType dtype;
  bool tf32;
  std::uint32_t a_alignment, b_alignment, y_alignment;  // bytes
  auto operator<=>(const Key&) const = default;
};

// What every matrix of the batch starts at a multiple of; the row strides the library knows. 256 is all it asks for.
std::uint32_t alignment_of(const ConstView& v, std::int64_t batch, std::int64_t batch_stride) {
  auto address = reinterpret_cast<std::uintptr_t>(v.data);
  if (batch > 1) address |= static_cast<std::uintptr_t>(batch_stride) * size_of(v.dtype);
  return static_cast<std::uint32_t>(std::min<std::uintptr_t>(address & -address, 256));
}

std::shared_ptr<Plan> make_plan(const Key& key) {
  const MatmulProblem& q = key.problem;
  const std::string about = "matmul of " + describe(q) + " " + name_of(key.dtype);

  cublasLtMatmulDesc_t d = nullptr;
  const bool tf32 = key.tf32 && key.dtype == DType::f32;
  check(api().matmul_desc_create(&d, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
        "cublasLtMatmulDescCreate", about);
  Owned<cublasLtMatmulDesc_t> operation(d, api().matmul_desc_destroy);
  const auto op = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(api().matmul_desc_set, d, CUBLASLT_MATMUL_DESC_TRANSA, op(key.transpose_b), about);
  set(api().matmul_desc_set, d, CUBLASLT_MATMUL_DESC_TRANSB, op(key.transpose_a), about);

  const auto stored = [&](bool transpose, std::int64_t rows, std::int64_t columns, std::int64_t row,
                          std::int64_t column, std::int64_t batch_stride) {
    return transpose ? layout(key.dtype, columns, rows, column, q.batch, batch_stride, about)
                     : layout(key.dtype, rows, columns, row, q.batch, batch_stride, about);
  };
  Layouts layouts{stored(key.transpose_b, q.inner, q.columns, q.b_row, q.b_column, q.b_batch),
                  stored(key.transpose_a, q.rows, q.inner, q.a_row, q.a_column, q.a_batch),
                  layout(key.dtype, q.rows, q.columns, q.y_row, q.batch, q.y_batch, about)};

  cublasLtMatmulPreference_t p = nullptr;
  check(api().preference_create(&p), "cublasLtMatmulPreferenceCreate", about);
  const Owned<cublasLtMatmulPreference_t> preference(p, api().preference_destroy);
  set(api().preference_set, p, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kWorkspaceLimit}, about);
  const auto aligned = [&](cublasLtMatmulPreferenceAttributes_t which, std::uint32_t bytes) {
    set(api().preference_set, p, which, bytes, about);
  };
  aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.b_alignment);  // b comes first
  aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.a_alignment);
  aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.y_alignment);
  aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.y_alignment);
  // The first proposal for this problem on this device: the same every time.
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  check(api().heuristic(thread_handle(), d, layouts.first.get(), layouts.second.get(), layouts.result.get(),
                        layouts.result.get(), p, 1, &found, &count),
        "cublasLtMatmulAlgoGetHeuristic", about);
  if (count == 0) fail("cuBLASLt has no algorithm for this product", about);
  return std::make_shared<Plan>(Plan{std::move(operation), std::move(layouts), found.algo, found.workspaceSize});
}

}  // namespace
}  // namespace cublas

void matmul(const Cuda& cuda, bool transpose_a, bool transpose_b, ConstView a, ConstView b, View y) {
  require_float("matmul", "y", y);
  require_like("matmul", "a", a, y);
  require_like("matmul", "b", b, y);
  const MatmulProblem q = checked_matmul(transpose_a, transpose_b, a, b, y);
  if (y.count() == 0) return;
  cublas::thread_handle();  // made first, so that it outlives the plans
  thread_local LruCache<cublas::Key, std::shared_ptr<cublas::Plan>> plans(256);
  const cublas::Key key{q,
                        transpose_a,
                        transpose_b,
                        y.dtype,
                        cuda.tf32,
                        cublas::alignment_of(a, q.batch, q.a_batch),
                        cublas::alignment_of(b, q.batch, q.b_batch),
                        cublas::alignment_of(y, q.batch, q.y_batch)};
  const std::shared_ptr<cublas::Plan> plan = plans.get(key, [&] { return cublas::make_plan(key); });
  keep_if_capturing(plan);
  void* workspace = plan->workspace > 0 ? cuda.workspace(plan->workspace) : nullptr;
  const float one = 1.0f, zero = 0.0f;
  cublas::check(
      cublas::api().matmul(cublas::thread_handle(), plan->operation.get(), &one, b.data, plan->layouts.first.get(),
                           a.data, plan->layouts.second.get(), &zero, y.data, plan->layouts.result.get(), y.data,
                           plan->layouts.result.get(), &plan->algorithm, workspace, plan->workspace, cuda.stream),
      "cublasLtMatmul", "matmul of " + cublas::describe(q));
}

}  // namespace gf
