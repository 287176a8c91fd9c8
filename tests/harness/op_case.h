#pragma once
// The case list of the engine's ops. A case says how to run an op and what it means (a reference in double precision);
// it has six uses:
//
// - values, against the reference, with dense inputs and with inputs of a pixel stride wider than c
// - first derivatives (gradient_check.h), through the tape with a random upstream gradient, against differences of the
//   reference
// - second derivatives, the same once more of the gradient
// - values and first derivatives in bf16: the reference is fed the rounded inputs, and norms of differences are bounded
// - time (graphflow bench kernels)
// - the list of which ops have cases and how often each can be differentiated
//
// To add an op: write its reference (reference.h), a function that lists its cases (cases_*.cpp) and name that function
// in op_families() below. A case that fails prints a line that runs it alone.
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "tests/harness/array.h"

namespace gf::test {

using Generator = std::mt19937_64;
using Fill = std::function<void(Array&, Generator&)>;

Fill uniform(double low, double high);
Fill normal(double scale = 1);
Fill away_from(std::vector<double> kinks, double gap, double low, double high);  // uniform, but not near a kink
Fill spaced(double step);                          // distinct values, neighbours in size `step` apart, in random order
Fill class_ids(int classes);                       // whole numbers
Fill class_ids_or(int classes, int ignore_index);  // a third of them ignore_index
Fill constant(double value);

struct Input {
  Shape shape;
  Fill fill = normal();
  bool differentiable = true;
  bool dense = false;  // weights and vectors, which contracts want dense; the others are also tried wide
  DType dtype = DType::f32;
  bool float32 = false;  // stays float32 where the others are bf16: parameters and statistics of a norm
};

inline Input in(const Shape& s, Fill fill = normal()) { return {.shape = s, .fill = std::move(fill)}; }
inline Input dense(const Shape& s, Fill fill = normal()) {
  return {.shape = s, .fill = std::move(fill), .dense = true};
}
inline Input fixed(const Shape& s, Fill fill = normal()) {
  return {.shape = s, .fill = std::move(fill), .differentiable = false};
}
inline Input float32(Input i) {
  i.float32 = true;
  return i;
}
inline Input labels(const Shape& s, Fill fill) {
  return {.shape = s, .fill = std::move(fill), .differentiable = false, .dense = true, .dtype = DType::i32};
}

using Tensors = std::vector<Tensor>;

struct OpCase {
  std::string op;  // its name on the tape
  std::string variant;
  std::vector<Input> inputs;
  std::function<Tensor(const Tensors&)> run;
  std::function<Array(const Arrays&)> reference = nullptr;
  int order = 2;            // how often it can be differentiated
  double tolerance = 1e-5;  // of the values; derivatives are allowed four times as much.
  // Of values and derivatives in bf16, |difference| / |reference| as norms. Larger where rounded products cancel in a
  // sum.
  double bf16_tolerance = 1e-2;
  bool dense_upstream = false;  // the result is a weight, so its upstream gradient is dense too
  bool differentiates = false;  // run() calls gradients() itself and needs the tape on
  double flops = 0;             // of one forward run, where arithmetic and not memory is the ceiling

  std::string name() const { return op + ": " + variant; }
};

using OpCases = std::vector<OpCase>;

struct OpFamily {
  const char* name;
  OpCases (*cases)();
};
const std::vector<OpFamily>& op_families();
// The ops among `seen` (from a TapeObserver) that have no case with derivatives: none, or the suite has a hole.
std::vector<std::string> ops_without_gradient_case(const std::set<std::string>& seen);

// Sizes of real layers, for timing; without references.
struct PerfSizes {
  std::int64_t batch, side, classes;  // pictures, their height and width
};
constexpr PerfSizes kDemoSizes{4, 128, 9}, kPaperSizes{8, 256, 2};
OpCases perf_cases(const PerfSizes& sizes);

OpCases arithmetic_cases();
OpCases unary_cases();
OpCases shape_cases();
OpCases convolution_cases();
OpCases transposed_convolution_cases();
OpCases matmul_cases();
OpCases batch_norm_cases();
OpCases group_norm_cases();
OpCases layer_norm_cases();
OpCases pooling_cases();
OpCases resize_cases();
OpCases softmax_cases();
OpCases loss_cases();
OpCases graph_cases();

// "3x4x5x6": for the names of variants.
std::string text(const Shape& s);
std::string digits(double v);  // "1.234567e-05"

// Random inputs of a case, rounded to the dtype they will have; the same for the same case name. Inputs near a kink of
// the reference are drawn again.
Arrays make_inputs(const OpCase& c);

// How an input lies in memory. `wide` ones sit in the middle of a wider tensor whose other channels hold NaN.
enum class Layout { dense, wide };
Tensor to_tensor(const Array& a, Layout layout, DType dtype = DType::f32);
DType dtype_of(const Input& i);  // here and now: i's, or bf16 in its place
Tensors to_tensors(const OpCase& c, const Arrays& inputs, Layout layout);
Array to_array(const Tensor& t);

// What GF_TEST_DEVICE names, as `--device` takes it, else the CPU.
Device test_device();
// The same, or simt in place of the CPU: where steps can be captured.
Device graph_device();
// Where cases run, that or what was set last, and in which dtype. For the whole program.
const Device& device_under_test();
DType dtype_under_test();
void set_device_under_test(const Device& device, DType dtype = DType::f32);

// An empty text where all is well, otherwise what is wrong.
std::string check_values(const OpCase& c);

}  // namespace gf::test
