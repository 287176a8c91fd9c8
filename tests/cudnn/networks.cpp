// For every convolution of every network at the paper's sizes: does cuDNN have a plan on a described GPU? The shapes
// are those that the networks ask for while they run here. Nothing is computed by cuDNN, so this proves support, not
// results; it catches layouts, strides, padding and dtypes that no engine takes. Without a driver only engines compiled
// beforehand are looked at: on a GPU the choice may be another one.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "distill/baselines/method.h"
#include "distill/paraphraser.h"
#include "engine/autograd.h"
#include "engine/ops/convolution_log.h"
#include "kernels/error.h"
#include "models/discriminator.h"
#include "models/network.h"
#include "tests/cudnn/device.h"

using namespace gf;
using namespace gf::cudnn;

namespace {

constexpr std::int64_t kBatch = 8;

struct PaperSize {
  std::int64_t pixels, classes;
};
constexpr PaperSize kSizes[] = {{256, 2}, {224, 9}};

// The distinct convolutions of everything that is trained or distilled, each with the name of its first user.
class Calls {
 public:
  void add(const std::string& user, const ConvolutionLog& log) {
    for (const ConvolutionCall& c : log.calls())
      if (std::none_of(list.begin(), list.end(), [&](const auto& known) { return known.second == c; }))
        list.emplace_back(user, c);
  }
  std::vector<std::pair<std::string, ConvolutionCall>> list;
};

struct TapShapes {
  std::string network;
  Shape shallow, deep;
};

// The convolutions that methods have of their own, between these two.
void add_methods(Calls& calls, const PaperSize& size, const TapShapes& teacher, const TapShapes& student) {
  const auto maps = [](const TapShapes& t) { return TapMaps{Tensor::zeros(t.shallow), Tensor::zeros(t.deep)}; };
  TapShapes factors = teacher;
  factors.shallow.c = factors.deep.c = student.deep.c;
  const Tensor logits = Tensor::zeros({1, size.pixels, size.pixels, size.classes});
  for (const MethodInfo& info : methods()) {
    if (!info.make) continue;
    const auto method = make_method(info, {.teacher_shallow = {"shallow", teacher.shallow.c},
                                           .teacher_deep = {"deep", teacher.deep.c},
                                           .student_shallow = {"shallow", student.shallow.c},
                                           .student_deep = {"deep", student.deep.c},
                                           .factors = student.deep.c,
                                           .classes = size.classes});
    if (method->parameters().empty()) continue;
    Random random(1);
    const ConvolutionLog log;
    method->terms({.teacher = maps(teacher),
                   .student = maps(student),
                   .factors = maps(factors),
                   .teacher_logits = logits,
                   .student_logits = logits,
                   .label = {},
                   .ignore_index = -1,
                   .random = random});
    calls.add(info.name + " of " + teacher.network + " and " + student.network, log);
  }
}

Calls calls_of_all_networks() {
  const NoGrad off;
  Calls calls;
  Random unused;
  for (const PaperSize& size : kSizes) {
    struct Pair {
      std::vector<Shape> teacher_taps;
      std::set<std::int64_t> student_channels;
    };
    std::vector<Pair> pairs(kMostTapPairs);
    std::vector<TapShapes> teachers, students;  // of the published pair
    for (const std::string& name : network_names()) {
      const auto net = make_network(name, {.classes = size.classes, .image_size = {size.pixels, size.pixels}});
      net->eval();
      const ConvolutionLog log;
      const NetworkOutput out = net->forward(Tensor::zeros({1, size.pixels, size.pixels, 1}), unused);
      calls.add(name + " " + std::to_string(size.pixels), log);
      const TapPair published = net->default_taps();
      (name == "fanet" || name == "transunet" ? teachers : students)
          .push_back({name, out.tap(published.shallow).shape(), out.tap(published.deep).shape()});
      for (std::size_t l = 0; l < pairs.size(); ++l) {
        const TapPair taps = net->tap_pairs()[l];
        if (name == "fanet" || name == "transunet")
          for (const std::string& tap : {taps.shallow, taps.deep})
            pairs[l].teacher_taps.push_back(out.tap(tap).shape());
        else if (l == 0 || name != "unet")  // U-Net is a student of the published pair only
          pairs[l].student_channels.insert(out.tap(taps.deep).shape().c);
      }
    }
    for (std::size_t l = 0; l < pairs.size(); ++l)
      for (const std::int64_t factors : pairs[l].student_channels) {
        const ConvolutionLog log;
        for (const Shape& tap : pairs[l].teacher_taps) Paraphraser({}, tap.c, factors).reconstruct(Tensor::zeros(tap));
        calls.add("paraphraser " + std::to_string(factors) + " of pair " + std::to_string(l + 1), log);
      }
    for (const TapShapes& teacher : teachers)
      for (const TapShapes& student : students) add_methods(calls, size, teacher, student);
    for (const std::int64_t pictures : {0, 1}) {  // conditional: the picture beside the logits
      const std::int64_t channels = size.classes + pictures;
      const Discriminator discriminator({.channels = channels});
      const ConvolutionLog log;
      discriminator(Tensor::zeros({1, size.pixels, size.pixels, channels}));
      calls.add("discriminator " + std::to_string(size.pixels), log);
    }
  }
  return calls;
}

// The graphs that inference and training of one layer ask for: forward, data and weight gradient, and what is left of
// the layer once a frozen teacher's batch norm is folded into it. A transposed convolution is an input gradient and the
// other way round; its bias is no part of the graph.
std::vector<ConvolutionProblem> problems_of(const ConvolutionCall& call) {
  ConvolutionProblem q;
  q.x = call.x;
  q.w = call.w;
  q.y = call.y;
  q.x.n *= kBatch;
  q.y.n *= kBatch;
  q.x_stride = q.x.c;
  q.y_stride = q.y.c;
  q.shape = call.shape;
  std::vector<ConvolutionProblem> list;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    q.dtype = dtype;
    for (const Operation operation : {Operation::forward, Operation::input_grad, Operation::weight_grad}) {
      q.operation = operation;
      q.bias = operation == Operation::forward && !call.transposed && call.bias;
      q.act = ConvolutionActivation::none;
      list.push_back(q);
    }
    if (call.transposed) {  // into a part of a concatenation, and its gradients from there
      q.x_stride = 2 * q.x.c;
      for (const Operation operation : {Operation::forward, Operation::input_grad, Operation::weight_grad}) {
        q.operation = operation;
        list.push_back(q);
      }
      q.x_stride = q.x.c;
      continue;
    }
    // Second derivatives run a layer forwards without its bias.
    if (call.bias) {
      q.operation = Operation::forward;
      q.bias = false;
      q.act = ConvolutionActivation::none;
      list.push_back(q);
    }
    // Folded: behind it nothing, a ReLU, a ReLU6, or a residual and a ReLU.
    q.operation = Operation::forward;
    q.bias = true;
    for (const auto act : {ConvolutionActivation::none, ConvolutionActivation::relu6, ConvolutionActivation::relu}) {
      q.act = act;
      list.push_back(q);
    }
    q.residual = true;
    q.residual_stride = q.y.c;
    list.push_back(q);
    q.residual = false;
  }
  return list;
}

}  // namespace

TEST_CASE("cuDNN has a plan for every convolution of every network") {
  if (!test::have_cudnn()) return;
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  const Calls calls = calls_of_all_networks();
  const double shapes_seconds = seconds();
  REQUIRE(calls.list.size() > 100);

  nlohmann::ordered_json record = {{"cudnn", library().version_text()}, {"device", "tests/cudnn/h200_device.json"}};
  int graphs = 0, refused = 0;
  std::int64_t largest = 0;
  for (const auto& [user, call] : calls.list)
    for (const ConvolutionProblem& q : problems_of(call)) {
      ++graphs;
      nlohmann::ordered_json entry = {{"network", user}, {"graph", describe(q)}};
      try {
        const auto plan = make_convolution_plan(q, {}, &test::described_device());
        const PlanInfo& i = info(*plan);
        entry.update({{"engine", i.engine}, {"workspace", i.workspace}, {"notes", i.notes}});
        largest = std::max(largest, i.workspace);
      } catch (const Error& e) {
        ++refused;
        entry["refused"] = e.what();
        FAIL_CHECK(user, ": ", e.what());
      }
      record["graphs"].push_back(std::move(entry));
    }
  const std::string file = std::string(GF_BINARY_DIR) + "/cudnn_plans.json";
  std::ofstream(file) << record.dump(0) << "\n";
  MESSAGE("cuDNN ", library().version_text(), ": ", calls.list.size(), " convolutions (found in ", shapes_seconds,
          " s), ", graphs, " graphs, ", refused, " refused, largest workspace ", largest >> 20, " MiB, ", seconds(),
          " s; ", file);
}
