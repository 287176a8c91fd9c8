#pragma once
// A narrow teacher and student with one method between them, and pictures of theirs: what cases that go through every
// method take a step with.
#include <functional>

#include "distill/distillation.h"
#include "tests/harness/op_case.h"

namespace gf::test {

struct MethodStep {
  std::unique_ptr<Network> teacher = make_network("fanet", {.in_channels = 1, .classes = 3, .width = 0.05});
  std::unique_ptr<Network> student = make_network("mobile_unet", {.in_channels = 1, .classes = 3, .width = 0.2});
  Paraphrasers paraphrasers{
      std::vector<ParaphraserSizes>{{teacher->tap_channels(), teacher->tap_channels(), student->tap_channels()}}};
  std::shared_ptr<Method> method;
  std::unique_ptr<DistillationTask> task;

  // `prepare` may give the networks other weights than fresh ones.
  explicit MethodStep(const MethodInfo& info, const Device& device = cpu_device(), DType activations = DType::f32,
                      const std::function<void(Network& teacher, Network& student)>& prepare = nullptr) {
    teacher->initialise(1);
    student->initialise(2);
    paraphrasers.initialise(3);
    if (prepare) prepare(*teacher, *student);
    student->to(device);
    DistillationOptions options;
    options.supervised = {.ce = 0.5, .dice = 0.5, .activations = activations};
    options.vertex_weight = options.edge_weight = options.kd_weight = 0;
    const TapPair of_teacher = teacher->default_taps(), of_student = student->default_taps();
    options.teacher_taps = {of_teacher};
    options.student_taps = {of_student};
    const std::int64_t t = teacher->tap_channels(), s = student->tap_channels();
    options.method = method = make_method(info, {.teacher_shallow = {of_teacher.shallow, t},
                                                 .teacher_deep = {of_teacher.deep, t},
                                                 .student_shallow = {of_student.shallow, s},
                                                 .student_deep = {of_student.deep, s},
                                                 .factors = s,
                                                 .classes = 3});
    method->initialise(5);
    task = std::make_unique<DistillationTask>(*student, *teacher, &paraphrasers, options, nullptr,
                                              std::map<std::string, std::string>{});
  }
  // Two of the student's smallest pictures a side: deep taps of a few pixels.
  std::int64_t size() const { return 2 * student->stride(); }
};

inline Batch random_batch(std::int64_t size, const Device& device = cpu_device()) {
  Generator g(2);
  Array image({2, size, size, 1}), ids({2, size, size, 1});
  normal()(image, g);
  class_ids(3)(ids, g);
  Batch batch;
  batch.image = to_tensor(image, Layout::dense).to(device);
  batch.label = to_tensor(ids, Layout::dense, DType::i32).to(device);
  return batch;
}

}  // namespace gf::test
