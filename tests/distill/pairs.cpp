// Every network can teach every other, whatever the sizes of their taps; where Graph Flow cannot, it says why.
#include <doctest/doctest.h>

#include <cmath>

#include "distill/distillation.h"
#include "distill/taps.h"
#include "engine/autograd.h"
#include "kernels/error.h"
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
void distil(const std::string& teacher_name, const std::string& student_name, TapPair teacher_taps,
            TapPair student_taps) {
  INFO(teacher_name, " ", teacher_taps.shallow, ", ", teacher_taps.deep, " -> ", student_name, " ",
       student_taps.shallow, ", ", student_taps.deep);
  const auto teacher = narrow(teacher_name, 1), student = narrow(student_name, 2);
  const auto [shallow, deep] = tap_channels(*teacher, teacher_taps, 1);
  ParaphraserPair paraphrasers(shallow, deep, graph_flow_factors(*student, student_taps, 1));
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
  batch.image = to_tensor(image, Layout::dense);
  batch.label = to_tensor(ids, Layout::dense, DType::i32);
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

TEST_CASE("every network distils every network") {
  for (const std::string& teacher : network_names())
    for (const std::string& student : network_names())
      distil(teacher, student, narrow(teacher, 1)->default_taps(), narrow(student, 1)->default_taps());
}

TEST_CASE("taps of other sizes and channel counts") {
  distil("fanet", "enet", {"encoder2", "up8"}, {"stage1", "stage4"});
  distil("unet", "mobile_unet", {"encoder4", "decoder3"}, {"block3", "merge3"});  // what the released code taps
  distil("fanet", "mobile_unet", {"encoder4", "up9"}, {"block1", "merge4"});
  distil("mobile_unet", "erfnet", {"block6", "merge2"}, {"encoder2", "decoder4"});
  distil("enet", "unet", {"stage3", "stage5"}, {"encoder2", "decoder2"});
  distil("transunet", "mobile_unet", {"block2", "up2"}, {"block3", "merge3"});
  distil("transunet", "enet", {"root", "up4"}, {"stage1", "stage4"});
}

TEST_CASE("two taps of a student that differ in channels are refused, and a tap that is not there") {
  const auto student = narrow("erfnet", 1);
  CHECK(graph_flow_factors(*student, {"encoder2", "decoder4"}, 1) == student->tap_channels());
  try {
    graph_flow_factors(*student, {"encoder3", "decoder4"}, 1);
    FAIL("encoder3 and decoder4 have not the same channels");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::usage);
    const std::string text = e.what();
    for (const char* part : {"distill.student_taps encoder3, decoder4", "13 and 6 channels", "down2 and decoder4"})
      CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  }
  CHECK_THROWS_WITH_AS(graph_flow_factors(*student, {"encoder9", "decoder4"}, 1), doctest::Contains("encoder3"), Error);
}

}  // namespace gf::test
