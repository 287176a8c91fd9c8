#include "kernels/cublas/api.h"

#include "kernels/cublas/library.h"
#include "kernels/error.h"
#include "kernels/shared_library.h"

namespace gf::cublas {
namespace {

struct Loaded {
  Api api;
  LibraryInfo info;
};

Loaded load() {
  const std::string major = std::to_string(CUBLAS_VER_MAJOR);
  const SharedLibrary so("cuBLASLt " + major, {"libcublasLt.so." + major}, LibrarySearch::standard());
  Loaded l;
  so.load("cublasLtGetVersion", l.api.version);
  so.load("cublasLtGetStatusName", l.api.status_name);
  so.load("cublasLtGetStatusString", l.api.status_string);
  so.load("cublasLtCreate", l.api.create);
  so.load("cublasLtDestroy", l.api.destroy);
  so.load("cublasLtMatmulDescCreate", l.api.matmul_desc_create);
  so.load("cublasLtMatmulDescDestroy", l.api.matmul_desc_destroy);
  so.load("cublasLtMatmulDescSetAttribute", l.api.matmul_desc_set);
  so.load("cublasLtMatrixLayoutCreate", l.api.layout_create);
  so.load("cublasLtMatrixLayoutDestroy", l.api.layout_destroy);
  so.load("cublasLtMatrixLayoutSetAttribute", l.api.layout_set);
  so.load("cublasLtMatmulPreferenceCreate", l.api.preference_create);
  so.load("cublasLtMatmulPreferenceDestroy", l.api.preference_destroy);
  so.load("cublasLtMatmulPreferenceSetAttribute", l.api.preference_set);
  so.load("cublasLtMatmulAlgoGetHeuristic", l.api.heuristic);
  so.load("cublasLtMatmul", l.api.matmul);
  l.info = checked_library("cuBLASLt", so, l.api.version(), CUBLAS_VER_MAJOR);
  return l;
}

const Loaded& loaded() {
  static const Loaded l = load();
  return l;
}

}  // namespace

const Api& api() { return loaded().api; }
const LibraryInfo& library() { return loaded().info; }

bool available(std::string* reason) { return can_open(loaded, reason); }

void check(cublasStatus_t status, const char* call, const std::string& about) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail("cuBLASLt call failed", std::string(call) + ", " + about, "success",
       std::string(api().status_name(status)) + ": " + api().status_string(status));
}

}  // namespace gf::cublas
