// The wall around cuBLASLt, as far as it can be seen without a GPU.
#include "kernels/cublas/library.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "kernels/error.h"
#include "kernels/matmul.h"

namespace gf {
namespace {

bool present() {
  std::string reason;
  if (cublas::available(&reason)) return true;
  MESSAGE("skipped: ", reason);
  return false;
}

TEST_CASE("cuBLASLt: the library's version, or where it was looked for") {
  std::string reason;
  if (cublas::available(&reason)) {
    CHECK(cublas::library().version_text().find('.') != std::string::npos);
    CHECK(cublas::library().path.find("libcublasLt") != std::string::npos);
  } else {
    CHECK(reason.find("cannot open cuBLASLt") == 0);
    CHECK(reason.find("GF_CUDA_LIBS") != std::string::npos);
  }
}

TEST_CASE("cuBLASLt: shapes that do not fit are refused before the library is asked") {
  float a[6] = {}, b[6] = {}, y[4] = {};
  const ConstView wrong(a, DType::f32, Shape{1, 1, 2, 3}), also(b, DType::f32, Shape{1, 1, 2, 3});
  CHECK_THROWS_WITH_AS(matmul(Cuda{}, false, false, wrong, also, View(y, DType::f32, Shape{1, 1, 2, 2})),
                       doctest::Contains("matmul: wrong shape"), Error);
  const ConstView ids(a, DType::i32, Shape{1, 1, 2, 3});
  CHECK_THROWS_WITH_AS(matmul(Cuda{}, false, true, ids, also, View(y, DType::f32, Shape{1, 1, 2, 2})),
                       doctest::Contains("a i32 [1,1,2,3]"), Error);
}

// Without a GPU the library cannot start. With one this call would touch host memory there.
TEST_CASE("cuBLASLt: a call that fails names it, the status and the library's text") {
  if (!present() || std::filesystem::exists("/dev/nvidiactl")) return;
  float a[6] = {}, b[6] = {}, y[4] = {};
  try {
    matmul(Cuda{}, false, true, ConstView(a, DType::f32, Shape{1, 1, 2, 3}),
           ConstView(b, DType::f32, Shape{1, 1, 2, 3}), View(y, DType::f32, Shape{1, 1, 2, 2}));
    FAIL("it ran without a GPU");
  } catch (const Error& e) {
    CHECK(std::string(e.what()).find("cuBLASLt call failed: cublasLt") == 0);
    CHECK(std::string(e.what()).find("CUBLAS_STATUS_") != std::string::npos);
  }
}

}  // namespace
}  // namespace gf
