// Every network can teach every other, whatever the sizes of their taps; where Graph Flow cannot, it says why.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"
#include "tests/distill/layer_pairs.h"
#include "tests/harness/golden.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

constexpr int kClasses = 3;
constexpr ImageSize kPicture{32, 64};

std::unique_ptr<Network> narrow(const std::string& name, std::uint64_t seed) {
  auto net = make_network(name, {.in_channels = 1, .classes = kClasses, .width = 0.1, .image_size = kPicture});
  net->initialise(seed);
  return net;
}

// One step: every term is a number and every parameter of the student has a gradient.
void distil(const std::string& teacher_name, const std::string& student_name, const std::vector<TapPair>& teacher_taps,
            const std::vector<TapPair>& student_taps) {
  INFO(teacher_name, " ", teacher_taps[0].shallow, ", ", teacher_taps[0].deep, " -> ", student_name, " ",
       student_taps[0].shallow, ", ", student_taps[0].deep, ", pairs of layers: ", teacher_taps.size());
  const auto teacher = narrow(teacher_name, 1), student = narrow(student_name, 2);
  Paraphrasers paraphrasers(paraphraser_sizes(*teacher, *student, teacher_taps, student_taps));
  paraphrasers.initialise(3);
  DistillationOptions options;
  options.supervised = {.ce = 0.5, .dice = 0.5};
  options.teacher_taps = teacher_taps;
  options.student_taps = student_taps;
  options.vertex_weight = 1e-3;
  options.edge_weight = 1e-6;
  DistillationTask task(*student, *teacher, &paraphrasers, options, nullptr, {});
  Generator g(4);
  Array image({2, kPicture.h, kPicture.w, 1}), ids(image.shape);
  normal()(image, g);
  class_ids(kClasses)(ids, g);
  Batch batch;
  batch.image = to_tensor(image, Layout::dense).to(cpu_device());
  batch.label = to_tensor(ids, Layout::dense, DType::i32).to(cpu_device());
  Random random(5);
  const Objective objective = task.objective(batch, random);
  backward(objective.total());
  std::vector<std::string> terms;
  for (const TermReport& t : objective.report()) {
    terms.push_back(t.name);
    CHECK(std::isfinite(t.value));
  }
  CHECK(terms == std::vector<std::string>{"ce", "dice", "kd", "vertex", "edge"});
  for (const NamedTensor& p : student->parameters()) CHECK_MESSAGE(p.tensor.grad(), p.name, " got no gradient");
  for (const NamedTensor& p : teacher->parameters()) CHECK(!p.tensor.grad());
}

}  // namespace

TEST_CASE("every network distils every network, by one, two and three pairs of layers") {
  for (const std::string& teacher : network_names())
    for (const std::string& student : network_names())
      for (std::size_t layers = 1; layers <= kMostTapPairs; ++layers)
        distil(teacher, student, first_pairs(*narrow(teacher, 1), layers), first_pairs(*narrow(student, 1), layers));
}

TEST_CASE("taps of other sizes and channel counts") {
  distil("fanet", "enet", {{"encoder2", "up8"}}, {{"stage1", "stage4"}});
  distil("unet", "mobile_unet", {{"encoder4", "decoder3"}}, {{"block3", "merge3"}});  // what the released code taps
  distil("fanet", "mobile_unet", {{"encoder4", "up9"}, {"encoder3", "up7"}},
         {{"block1", "merge4"}, {"block6", "merge2"}});
  distil("mobile_unet", "erfnet", {{"block6", "merge2"}}, {{"encoder2", "decoder4"}});
  distil("enet", "unet", {{"stage3", "stage5"}}, {{"encoder2", "decoder2"}});
  distil("transunet", "mobile_unet", {{"block2", "up2"}}, {{"block3", "merge3"}});
  distil("transunet", "enet", {{"root", "up4"}}, {{"stage1", "stage4"}});
}

TEST_CASE("the graph losses of several pairs of layers are the sum of each pair's, gradients too") {
  const auto teacher = narrow("fanet", 1), student = narrow("mobile_unet", 2);
  const std::vector<TapPair> of_teacher = first_pairs(*teacher, 3), of_student = first_pairs(*student, 3);
  Paraphrasers paraphrasers(paraphraser_sizes(*teacher, *student, of_teacher, of_student));
  paraphrasers.initialise(3);
  Generator g(4);
  Array image({2, 32, 64, 1}), ids(image.shape);
  normal()(image, g);
  class_ids(kClasses)(ids, g);
  Batch batch;
  batch.image = to_tensor(image, Layout::dense).to(cpu_device());
  batch.label = to_tensor(ids, Layout::dense, DType::i32).to(cpu_device());
  DistillationOptions options;
  options.kd_weight = 0;
  options.vertex_weight = 1e-2;
  options.edge_weight = 1e-4;
  options.teacher_taps = of_teacher;
  options.student_taps = of_student;
  DistillationTask task(*student, *teacher, &paraphrasers, options, nullptr, {});
  Random random(5);
  const Objective objective = task.objective(batch, random);
  const std::vector<NamedTensor> parameters = student->parameters();
  std::vector<Tensor> wrt;
  for (const NamedTensor& p : parameters) wrt.push_back(p.tensor);
  // The same by hand, on the student's maps of one more forward pass (in training mode too).
  const NetworkOutput of_batch = student->forward(batch.image, random);
  Tensor vertex, edge;
  for (std::size_t i = 0; i < of_student.size(); ++i) {
    GraphFlowMaps factors;
    {
      const NoGrad off;
      const NetworkOutput out = teacher->forward(batch.image, random);
      factors = {paraphrasers.pair(i).shallow.encode(out.tap(of_teacher[i].shallow)),
                 paraphrasers.pair(i).deep.encode(out.tap(of_teacher[i].deep))};
    }
    const VariationGraphLoss loss =
        graph_flow_loss({of_batch.tap(of_student[i].shallow), of_batch.tap(of_student[i].deep)}, factors, {});
    CHECK(loss.vertex.item() > 0);
    vertex = vertex ? vertex + loss.vertex : loss.vertex;
    edge = edge ? edge + loss.edge : loss.edge;
  }
  const auto same = [&](const Objective::Term& term, const std::string& name, float weight, const Tensor& want) {
    INFO(name);
    CHECK(term.name == name);
    CHECK(term.weighted.item() == doctest::Approx(weight * want.item()).epsilon(1e-5));
    const std::vector<Tensor> a = gradients(term.weighted, wrt, {}, false, true),
                              b = gradients(weight * want, wrt, {}, false, true);
    for (std::size_t i = 0; i < wrt.size(); ++i) {
      INFO(parameters[i].name);
      REQUIRE(static_cast<bool>(a[i]) == static_cast<bool>(b[i]));
      if (a[i]) CHECK(max_difference(a[i], b[i]) <= 1e-4 * max_abs(b[i]));
    }
  };
  same(objective.terms().at(1), "vertex", 1e-2f, vertex);
  same(objective.terms().at(2), "edge", 1e-4f, edge);
}

TEST_CASE("two taps of a student that differ in channels are refused, and a tap that is not there") {
  const auto student = narrow("erfnet", 1);
  CHECK(graph_flow_factors(*student, {{"encoder2", "decoder4"}}, 1) == std::vector{student->tap_channels()});
  try {
    graph_flow_factors(*student, {{"down2", "decoder4"}, {"encoder3", "decoder4"}}, 1);
    FAIL("encoder3 and decoder4 have not the same channels");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::usage);
    const std::string text = e.what();
    for (const char* part : {"distill.student_taps encoder3, decoder4", "13 and 6 channels", "down2 and decoder4"})
      CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  }
  CHECK_THROWS_WITH_AS(graph_flow_factors(*student, {{"encoder9", "decoder4"}}, 1), doctest::Contains("encoder3"),
                       Error);
}

}  // namespace gf::test
