#include "tests/harness/op_case.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "engine/autograd.h"
#include "engine/ops/cast.h"
#include "engine/random.h"
#include "kernels/bf16.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

constexpr double kKinkMargin = 2e-3;  // more than a step of the difference quotients moves an input

double draw(Generator& g, double low, double high) { return std::uniform_real_distribution<double>(low, high)(g); }

// To the nearest number of a dtype.
double rounded(double v, DType dtype) {
  const float f = static_cast<float>(v);
  return static_cast<double>(dtype == DType::bf16 ? to_float(to_bf16(f)) : f);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto p = a.to_vector(), q = b.to_vector();
  return p.size() == q.size() && (p.empty() || std::memcmp(p.data(), q.data(), p.size() * sizeof(float)) == 0);
}

}  // namespace

Fill uniform(double low, double high) {
  return [=](Array& a, Generator& g) {
    for (double& v : a.v) v = draw(g, low, high);
  };
}

Fill normal(double scale) {
  return [=](Array& a, Generator& g) {
    std::normal_distribution<double> d(0, scale);
    for (double& v : a.v) v = d(g);
  };
}

Fill away_from(std::vector<double> kinks, double gap, double low, double high) {
  return [=](Array& a, Generator& g) {
    for (double& v : a.v) {
      bool near = true;
      while (near) {
        v = draw(g, low, high);
        near = std::any_of(kinks.begin(), kinks.end(), [&](double k) { return std::abs(v - k) < gap; });
      }
    }
  };
}

Fill spaced(double step) {
  return [=](Array& a, Generator& g) {
    std::vector<double> order(a.v.size());
    std::iota(order.begin(), order.end(), 0.0);
    std::shuffle(order.begin(), order.end(), g);
    if (dtype_under_test() == DType::bf16) {  // every number of the dtype from 1/2 on, signs in turn
      for (std::size_t i = 0; i < order.size(); ++i) {
        const int k = static_cast<int>(order[i]);
        a.v[i] = std::ldexp(1 + (k % 128) / 128.0, k / 128 - 1) * (k % 2 ? -1 : 1);
      }
      return;
    }
    for (std::size_t i = 0; i < order.size(); ++i)
      a.v[i] = step * (order[i] - static_cast<double>(order.size()) / 2 + 0.3);
  };
}

Fill class_ids(int classes) {
  return [=](Array& a, Generator& g) {
    for (double& v : a.v) v = std::uniform_int_distribution<int>(0, classes - 1)(g);
  };
}

Fill class_ids_or(int classes, int ignore_index) {
  return [=](Array& a, Generator& g) {
    class_ids(classes)(a, g);
    for (double& v : a.v)
      if (draw(g, 0, 3) < 1) v = ignore_index;
  };
}

Fill constant(double value) {
  return [=](Array& a, Generator&) { std::fill(a.v.begin(), a.v.end(), value); };
}

const std::vector<OpFamily>& op_families() {
  static const std::vector<OpFamily> families{
      {"arithmetic", arithmetic_cases},
      {"unary", unary_cases},
      {"shape", shape_cases},
      {"convolution", convolution_cases},
      {"transposed convolution", transposed_convolution_cases},
      {"matmul", matmul_cases},
      {"batch norm", batch_norm_cases},
      {"group norm", group_norm_cases},
      {"layer norm", layer_norm_cases},
      {"pooling", pooling_cases},
      {"resize", resize_cases},
      {"softmax", softmax_cases},
      {"losses", loss_cases},
      {"graph", graph_cases},
  };
  return families;
}

std::vector<std::string> ops_without_gradient_case(const std::set<std::string>& seen) {
  std::set<std::string> missing = seen;
  for (const OpFamily& f : op_families())
    for (const OpCase& c : f.cases())
      if (c.order >= 1) missing.erase(c.op);
  return {missing.begin(), missing.end()};
}

std::string text(const Shape& s) {
  return std::to_string(s.n) + "x" + std::to_string(s.h) + "x" + std::to_string(s.w) + "x" + std::to_string(s.c);
}

std::string digits(double v) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6e", v);
  return buffer;
}

Arrays make_inputs(const OpCase& c) {
  Generator g(named_stream(c.name()));
  for (int attempt = 0; attempt < 500; ++attempt) {
    Arrays inputs;
    for (const Input& i : c.inputs) {
      Array a(i.shape);
      i.fill(a, g);
      if (i.dtype == DType::f32)
        for (double& v : a.v) v = rounded(v, dtype_of(i));
      inputs.push_back(std::move(a));
    }
    const KinkWatch watch;
    c.reference(inputs);
    if (watch.nearest() >= kKinkMargin) return inputs;
  }
  throw std::runtime_error(c.name() + ": no inputs found that keep away from kinks; make the case smaller");
}

Device test_device() {
  const char* name = std::getenv("GF_TEST_DEVICE");
  return parse_device(name && *name ? name : "cpu");
}

Device graph_device() {
  const Device device = test_device();
  return std::holds_alternative<Cpu>(device) ? simt_device() : device;
}

namespace {
Device& chosen_device() {
  static Device device = test_device();
  return device;
}
DType chosen_dtype = DType::f32;
}  // namespace

const Device& device_under_test() { return chosen_device(); }
DType dtype_under_test() { return chosen_dtype; }
void set_device_under_test(const Device& device, DType dtype) {
  chosen_device() = device;
  chosen_dtype = dtype;
}

DType dtype_of(const Input& i) { return i.dtype == DType::f32 && !i.float32 ? dtype_under_test() : i.dtype; }

Tensor to_tensor(const Array& a, Layout layout, DType dtype) {
  const Device& device = device_under_test();
  if (dtype == DType::i32) return Tensor::from(std::vector<std::int32_t>(a.v.begin(), a.v.end()), a.shape, device);
  const std::vector<float> values(a.v.begin(), a.v.end());
  const Tensor t = cast(Tensor::from(values, a.shape, device), dtype);
  if (layout == Layout::dense) return t;
  Shape wider = a.shape;
  wider.c += 5;
  const Tensor base = Tensor::full(wider, std::numeric_limits<float>::quiet_NaN(), device, dtype);
  const Tensor view = base.view_channels(3, a.shape.c);
  on(t.device(), [&](const auto& d) { copy(d, t.view(), view.mutable_view()); });
  return view;
}

Tensors to_tensors(const OpCase& c, const Arrays& inputs, Layout layout) {
  Tensors tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    tensors.push_back(to_tensor(inputs[i], c.inputs[i].dense ? Layout::dense : layout, dtype_of(c.inputs[i])));
  return tensors;
}

Array to_array(const Tensor& t) {
  Array a(t.shape());
  const std::vector<float> values = t.to_vector();
  a.v.assign(values.begin(), values.end());
  return a;
}

std::string check_values(const OpCase& c) {
  const Arrays inputs = make_inputs(c);
  const Array expected = c.reference(inputs);
  for (const Layout layout : {Layout::dense, Layout::wide}) {
    const std::string where = layout == Layout::wide ? "inputs with a wide pixel stride, " : "dense inputs, ";
    const Tensors tensors = to_tensors(c, inputs, layout);
    const Tensor y = c.differentiates ? c.run(tensors) : [&] {
      const NoGrad off;
      return c.run(tensors);
    }();
    if (y.requires_grad()) return where + "the result is on the tape although nothing asked for that";
    if (!(y.shape() == expected.shape))
      return where + "shape " + y.shape().str() + ", expected " + expected.shape.str();
    const bool bf16 = dtype_under_test() == DType::bf16;
    const double error = (bf16 ? norm_error : relative_error)(to_array(y).v, expected.v, 1e-6);
    const double allowed = bf16 ? c.bf16_tolerance : c.tolerance;
    if (!(error <= allowed)) return where + "relative error " + digits(error) + ", allowed " + digits(allowed);

    const TapeObserver observer;
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (c.inputs[i].differentiable) tensors[i].attach(GradientSlot::leaf(tensors[i].shape(), tensors[i].dtype()));
    const Tensor again = c.run(tensors);
    if (!same_bits(y, again)) return where + "a second run gave other bits";
    if (!observer.ops().count(c.op)) return where + "the tape has no op of this name";
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (c.inputs[i].dtype == DType::f32 && to_array(tensors[i]).v != inputs[i].v)
        return where + "input " + std::to_string(i) + " was changed";
  }
  return {};
}

}  // namespace gf::test
