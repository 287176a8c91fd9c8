#include "tests/harness/op_case.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "engine/autograd.h"
#include "engine/random.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

constexpr double kKinkMargin = 2e-3;  // more than a step of the difference quotients moves an input

double draw(Generator& g, double low, double high) { return std::uniform_real_distribution<double>(low, high)(g); }

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
      for (double& v : a.v) v = static_cast<double>(static_cast<float>(v));
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

namespace {
Device& chosen_device() {
  static Device device = test_device();
  return device;
}
}  // namespace

const Device& device_under_test() { return chosen_device(); }
void set_device_under_test(const Device& device) { chosen_device() = device; }

Tensor to_tensor(const Array& a, Layout layout, DType dtype) {
  const Device& device = device_under_test();
  if (dtype == DType::i32) return Tensor::from(std::vector<std::int32_t>(a.v.begin(), a.v.end()), a.shape, device);
  const std::vector<float> values(a.v.begin(), a.v.end());
  const Tensor t = Tensor::from(values, a.shape, device);
  if (layout == Layout::dense) return t;
  Shape wider = a.shape;
  wider.c += 5;
  const Tensor base = Tensor::full(wider, std::numeric_limits<float>::quiet_NaN(), device);
  const Tensor view = base.view_channels(3, a.shape.c);
  on(t.device(), [&](const auto& d) { copy(d, t.view(), view.mutable_view()); });
  return view;
}

Tensors to_tensors(const OpCase& c, const Arrays& inputs, Layout layout) {
  Tensors tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    tensors.push_back(to_tensor(inputs[i], c.inputs[i].dense ? Layout::dense : layout, c.inputs[i].dtype));
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
    const double error = relative_error(to_array(y).v, expected.v, 1e-6);
    if (!(error <= c.tolerance)) return where + "relative error " + digits(error) + ", allowed " + digits(c.tolerance);

    const TapeObserver observer;
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (c.inputs[i].differentiable) tensors[i].attach(GradientSlot::leaf(tensors[i].shape()));
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
