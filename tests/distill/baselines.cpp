// Every distillation method against PyTorch (tests/golden/make_baselines.py), on simt as on the CPU, along a random
// direction by differences, and what is refused.
#include <doctest/doctest.h>

#include "distill/baselines/method.h"
#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/shape.h"
#include "kernels/error.h"
#include "tests/harness/golden.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

constexpr int kIgnored = 255;
constexpr std::uint64_t kSeed = 4;  // of the mask that mgd draws; the golden file holds what it gives

struct Leaves {
  Tensor shallow, deep, logits;  // of the student
};

// A method with the inputs of one case of the golden file.
struct Golden {
  const SafetensorsFile& file;
  std::string group;
  Device device;
  std::unique_ptr<Method> method;
  Leaves student;

  Golden(const SafetensorsFile& f, const std::string& group_, const MethodInfo& info, const Device& d = cpu_device())
      : file(f), group(group_), device(d) {
    student = {leaf("student_shallow"), leaf("student_deep"), leaf("student_logits")};
    const auto layer = [&](const char* key) { return MethodLayer{key, map(key).shape().c}; };
    method = make_method(info, {.teacher_shallow = layer("teacher_shallow"),
                                .teacher_deep = layer("teacher_deep"),
                                .student_shallow = layer("student_shallow"),
                                .student_deep = layer("student_deep"),
                                .factors = map("factors_shallow").shape().c,
                                .classes = student.logits.shape().c});
    for (const NamedTensor& p : method->parameters())
      p.tensor.assign(golden_parameter(file, key("parameters/" + p.name), p));
    method->to(device);
  }
  std::string key(const std::string& name) const { return group + "/" + method->info().name + "/" + name; }
  Tensor map(const std::string& name) const { return golden_tensor(file, group + "/" + name).to(device); }
  Tensor leaf(const std::string& name) const {
    Tensor t = map(name);
    return t.require_grad();
  }
  std::vector<Tensor> terms() const { return terms(student); }
  std::vector<Tensor> terms(const Leaves& s) const {
    Random random(kSeed);
    return method->terms({.teacher = {map("teacher_shallow"), map("teacher_deep")},
                          .student = {s.shallow, s.deep},
                          .factors = {map("factors_shallow"), map("factors_deep")},
                          .teacher_logits = map("teacher_logits"),
                          .student_logits = s.logits,
                          .label = golden_labels(file, group + "/labels").to(device),
                          .ignore_index = kIgnored,
                          .random = random});
  }
  // With the default weights.
  Tensor total(const std::vector<Tensor>& terms) const {
    Tensor sum;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const Tensor weighted = static_cast<float>(method->weights()[i]) * terms[i];
      sum = sum ? sum + weighted : weighted;
    }
    return sum;
  }
  std::vector<std::pair<std::string, Tensor>> leaves() const {
    return {{"student_shallow", student.shallow}, {"student_deep", student.deep}, {"student_logits", student.logits}};
  }
};

template <class Body>
void for_every_method(const Body& body) {
  const SafetensorsFile file = golden_file("baselines");
  for (const char* group : {"same_size", "other_size", "two_classes"})
    for (const MethodInfo& info : methods()) {
      if (!info.make || !file.find(std::string(group) + "/" + info.name + "/term/" + info.terms[0].name)) continue;
      INFO(group, " ", info.name);
      body(file, group, info);
    }
}

}  // namespace

TEST_CASE("distillation methods: terms and gradients of PyTorch") {
  int compared = 0;
  for_every_method([&](const SafetensorsFile& file, const char* group, const MethodInfo& info) {
    const Golden g(file, group, info);
    const std::vector<Tensor> terms = g.terms();
    REQUIRE(terms.size() == info.terms.size());
    for (std::size_t i = 0; i < terms.size(); ++i) {
      INFO(info.terms[i].name);
      const double want = static_cast<double>(file.floats(g.key("term/" + info.terms[i].name))[0]);
      // A loss that is zero but for rounding (nckd of two classes) is held against 1.
      CHECK(std::abs(static_cast<double>(terms[i].item()) - want) <=
            1e-5 * (std::abs(want) > 1e-4 ? std::abs(want) : 0.1));
      ++compared;
    }
    backward(g.total(terms));
    for (const auto& [name, leaf] : g.leaves()) {
      INFO(name);
      REQUIRE(static_cast<bool>(leaf.grad()) == static_cast<bool>(file.find(g.key("grad/" + name))));
      if (leaf.grad()) CHECK(relative_error(leaf.grad(), golden_tensor(file, g.key("grad/" + name))) < 1e-4);
    }
    for (const NamedTensor& p : g.method->parameters()) {
      INFO(p.name);
      CHECK(relative_error(p.tensor.grad(), golden_parameter(file, g.key("grad_parameters/" + p.name), p)) < 1e-4);
    }
  });
  CHECK(compared == 2 * 21 + 11);
}

TEST_CASE("distillation methods: simt computes what the CPU computes") {
  for_every_method([&](const SafetensorsFile& file, const char* group, const MethodInfo& info) {
    const Golden cpu(file, group, info), simt(file, group, info, simt_device());
    const std::vector<Tensor> a = cpu.terms(), b = simt.terms();
    for (std::size_t i = 0; i < a.size(); ++i)
      CHECK(std::abs(b[i].item() - a[i].item()) <= 2e-5f * std::max(std::abs(a[i].item()), 0.1f));
    backward(cpu.total(a));
    backward(simt.total(b));
    const auto here = cpu.leaves(), there = simt.leaves();
    for (std::size_t i = 0; i < here.size(); ++i)
      if (here[i].second.grad()) {
        INFO(here[i].first);
        CHECK(relative_error(there[i].second.grad().to(cpu_device()), here[i].second.grad()) < 1e-4);
      }
  });
}

TEST_CASE("distillation methods: the derivative along a random direction is the difference") {
  for_every_method([&](const SafetensorsFile& file, const char* group, const MethodInfo& info) {
    const Golden g(file, group, info);
    // skd's pair term holds its norms constant by definition: its gradient is not the derivative of its value.
    const std::size_t kept = info.name == "skd" ? 1 : info.terms.size();
    const auto total = [&](std::vector<Tensor> terms) {
      terms.resize(kept);
      return g.total(terms);
    };
    backward(total(g.terms()));
    Generator random(9);
    double along = 0;
    constexpr float kStep = 5e-4f;
    Leaves above = g.student, below = g.student;
    const auto move = [&](const Tensor& at, Tensor& up, Tensor& down) {
      Array d(at.shape());
      normal()(d, random);
      const Tensor direction = to_tensor(d, Layout::dense).to(cpu_device());
      up = at.detach() + kStep * direction;
      down = at.detach() - kStep * direction;
      if (at.grad()) along += static_cast<double>(sum(at.grad() * direction).item());
    };
    move(g.student.shallow, above.shallow, below.shallow);
    move(g.student.deep, above.deep, below.deep);
    move(g.student.logits, above.logits, below.logits);
    const NoGrad off;
    const float high = total(g.terms(above)).item(), low = total(g.terms(below)).item();
    const double difference = static_cast<double>(high - low) / (2 * static_cast<double>(kStep));
    const double rounding = 1e-6 * static_cast<double>(std::abs(high)) / static_cast<double>(kStep);
    CHECK(std::abs(difference - along) <= 0.02 * std::abs(difference) + 4 * rounding + 1e-6);
  });
}

TEST_CASE("distillation methods: terms that need labels speak of the labelled pictures, the others of all") {
  Generator g(3);
  const auto random_map = [&](const Shape& s) {
    Array a(s);
    normal()(a, g);
    return to_tensor(a, Layout::dense).to(cpu_device());
  };
  Array ids({2, 8, 8, 1});
  class_ids(3)(ids, g);
  const Tensor label = to_tensor(ids, Layout::dense, DType::i32).to(cpu_device());
  const TapMaps teacher{random_map({4, 4, 4, 8}), random_map({4, 4, 4, 8})},
      student{random_map({4, 4, 4, 6}), random_map({4, 4, 4, 6})};
  const Tensor zt = random_map({4, 8, 8, 3}), zs = random_map({4, 8, 8, 3});
  const auto values = [&](const Method& method, std::int64_t pictures) {
    const auto first = [&](const Tensor& t) { return slice_images(t, 0, pictures); };
    Random random(kSeed);
    std::vector<float> list;
    for (const Tensor& t : method.terms({.teacher = {first(teacher.shallow), first(teacher.deep)},
                           .student = {first(student.shallow), first(student.deep)},
                           .factors = {},
                           .teacher_logits = first(zt),
                           .student_logits = first(zs),
                           .label = label,
                           .ignore_index = kIgnored,
                           .random = random}))
      list.push_back(t.item());
    return list;
  };
  const std::map<std::string, std::vector<bool>> by_labels{
      {"ifvd", {true}}, {"emkd", {false, false, true}}, {"dkd", {true, true}}};
  for (const MethodInfo& info : methods()) {
    INFO(info.name);
    CHECK((by_labels.count(info.name) == 1) == info.needs.labels);
    if (!info.needs.labels) continue;
    const auto method = make_method(info, {{"c3", 8}, {"up7", 8}, {"x2", 6}, {"up3", 6}, 0, 3});
    const std::vector<float> all = values(*method, 4), labelled = values(*method, 2);
    for (std::size_t i = 0; i < all.size(); ++i) {
      INFO(info.terms[i].name);
      CHECK(labelled[i] > 0);
      CHECK((std::abs(all[i] - labelled[i]) <= 1e-6f * labelled[i]) == by_labels.at(info.name)[i]);
    }
  }
}

TEST_CASE("distillation methods: the list is sound, wrong setups name term and layer") {
  std::set<std::string> names;
  for (const MethodInfo& m : methods()) {
    CHECK(names.insert(m.name).second);
    CHECK(!m.terms.empty());
    CHECK((!m.formula.empty() && !m.title.empty() && m.year > 2000 && !m.two_classes.empty()));
  }
  const MethodSetup setup{{"c3", 16}, {"up_7", 16}, {"x2", 6}, {"up3", 6}, 6, 3};
  CHECK_THROWS_WITH_AS(find_method("atx"), doctest::Contains("cocod"), Error);
  CHECK_THROWS_WITH_AS(make_method(find_method("skd"), setup, {1}), doctest::Contains("pixel, pair"), Error);
  MethodSetup no_factors = setup;
  no_factors.factors = 0;
  for (const char* name : {"fsp", "ft"}) {
    CHECK_THROWS_WITH_AS(make_method(find_method(name), no_factors), doctest::Contains("up_7"), Error);
    CHECK_THROWS_WITH_AS(make_method(find_method(name), no_factors), doctest::Contains(name), Error);
  }
  MethodSetup uneven = setup;
  uneven.student_deep.channels = 5;
  CHECK_THROWS_WITH_AS(make_method(find_method("fsp"), uneven), doctest::Contains("term fsp, tap up3"), Error);
  CHECK_THROWS_WITH_AS(make_method(find_method("cocod"), uneven), doctest::Contains("term cocod, tap up3"), Error);
  const auto skd = make_method(find_method("skd"), setup);
  Random random;
  const Tensor z = Tensor::zeros({1, 4, 4, 3}), small = Tensor::zeros({1, 1, 4, 6}), map = Tensor::zeros({1, 4, 4, 16});
  CHECK_THROWS_WITH_AS(skd->terms({{map, map}, {small, small}, {}, z, z, {}, -1, random}),
                       doctest::Contains("term pair, tap x2"), Error);
}

}  // namespace gf::test
