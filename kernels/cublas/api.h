#pragma once
// Internal: the one header here that knows cuBLASLt's types; only .cpp files of this folder see it.
#include <cublasLt.h>

#include <string>

namespace gf::cublas {

struct Api {
  decltype(cublasLtGetVersion)* version;
  decltype(cublasLtGetStatusName)* status_name;
  decltype(cublasLtGetStatusString)* status_string;
  decltype(cublasLtCreate)* create;
  decltype(cublasLtDestroy)* destroy;
  decltype(cublasLtMatmulDescCreate)* matmul_desc_create;
  decltype(cublasLtMatmulDescDestroy)* matmul_desc_destroy;
  decltype(cublasLtMatmulDescSetAttribute)* matmul_desc_set;
  decltype(cublasLtMatrixLayoutCreate)* layout_create;
  decltype(cublasLtMatrixLayoutDestroy)* layout_destroy;
  decltype(cublasLtMatrixLayoutSetAttribute)* layout_set;
  decltype(cublasLtMatmulPreferenceCreate)* preference_create;
  decltype(cublasLtMatmulPreferenceDestroy)* preference_destroy;
  decltype(cublasLtMatmulPreferenceSetAttribute)* preference_set;
  decltype(cublasLtMatmulAlgoGetHeuristic)* heuristic;
  decltype(cublasLtMatmul)* matmul;
};

// Opens the library at the first call; throws where it is missing.
const Api& api();

// Throws gf::Error for any status but success: the call, what it was about, the status and its text.
void check(cublasStatus_t status, const char* call, const std::string& about);

}  // namespace gf::cublas
