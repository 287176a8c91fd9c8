#include "kernels/distillation_loss.h"

#include "tests/kernels/loss_reference.h"

namespace gf {
namespace {

using namespace harness;

constexpr double kCeUpstream = 0.5, kKdUpstream = -3.0;

Values sum_of(Values a, const Values& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

TEST_CASE("distillation_loss: losses and gradient, against double and against the separate functions") {
  for_every_element([](auto element, double rounding) {
    using T = decltype(element);
    for_logits([&](const Shape& s, std::int64_t extra, bool) {
      const auto z = Buffer<T>::random(s, extra, 1, -4, 4), teacher = Buffer<T>::random(s, 2 * extra, 2, -9, 9);
      const Buffer<> weights = Buffer<>::random({1, 1, 1, s.c}, 0, 4, 0.2, 3), ce_up = scalar(kCeUpstream),
                     kd_up = scalar(kKdUpstream);
      Buffer<std::int32_t> label = random_labels(s, extra, 3);
      label.at(1, 0) = -5;  // a bad one
      const Values zs = z.values(), ts = teacher.values(), ls = label.values();
      const std::pair<bool, bool> kinds[] = {{false, false}, {true, false}, {false, true}};
      for (const auto& [plain, skips] :
           kinds) {  // with weights, as an element mean, without what the teacher gets wrong
        INFO("plain ", plain, " skips ", skips);
        const DistillationLoss p{kIgnore, plain ? 1.0f : 4.0f, plain, skips};
        const Values teaching = skips ? without_wrong(zs, ts, ls, s.c) : ts;
        const double tau = static_cast<double>(p.tau);
        const Values ws = plain ? Values{} : weights.values();
        const double want_ce = cross_entropy_reference(zs, ls, ws, s.c),
                     want_kd = kd_reference(zs, teaching, tau, p.element_mean, s.c);
        const Values want_dz =
            sum_of(times(kCeUpstream, cross_entropy_gradient_reference(zs, ls, ws, s.c)),
                   times(kKdUpstream, kd_gradient_reference(zs, teaching, tau, p.element_mean, s.c)));
        on_devices_of<T>([&, plain = plain, skips = skips](const auto& device) {
          const ConstView w = plain ? ConstView{} : weights.view();
          const TeacherCheck check = skips ? TeacherCheck{label.view(), kIgnore} : TeacherCheck{};
          Buffer<> ce = scalar(), kd = scalar(), ce_alone = scalar(), kd_alone = scalar();
          Buffer<T> dz(s, extra), dz_ce(s), dz_kd(s);
          Buffer<std::int32_t> bad = counter();
          distillation_loss(device, p, z.view(), teacher.view(), label.view(), w, ce_up.view(), kd_up.view(), ce.view(),
                            kd.view(), bad.view(), dz.view());
          cross_entropy_forward(device, kIgnore, z.view(), label.view(), w, ce_alone.view(), {});
          cross_entropy_backward(device, kIgnore, z.view(), label.view(), w, ce_up.view(), dz_ce.view());
          kd_loss_forward(device, p.tau, p.element_mean, z.view(), teacher.view(), kd_alone.view(), check);
          kd_loss_backward(device, p.tau, p.element_mean, z.view(), teacher.view(), kd_up.view(), dz_kd.view(), check);
          CHECK(bad.values() == Values{1});
          if (s.c > 1) {
            CHECK(relative_error(ce.values(), {want_ce}) < 1e-6);
            CHECK(relative_error(kd.values(), {want_kd}) < 2e-6);
            CHECK(relative_error(ce.values(), ce_alone.values()) < 1e-6);
            CHECK(relative_error(kd.values(), kd_alone.values()) < 1e-6);
          }
          CHECK(relative_error(dz.values(), want_dz) < 2e-6 + rounding);
          CHECK(relative_error(dz.values(), sum_of(dz_ce.values(), dz_kd.values())) < 2e-6 + 3 * rounding);
          CHECK((dz.sentinels_intact() && ce.sentinels_intact() && kd.sentinels_intact() && bad.sentinels_intact()));
          Values outputs = dz.values();
          append(outputs, ce.values());
          append(outputs, kd.values());
          return outputs;
        });
      }
    });
  });
}

TEST_CASE("distillation_loss: without a teacher, without a gradient, in place") {
  const Shape s{1, 5, 7, 9};
  const Buffer<> z = Buffer<>::random(s, 0, 1, -4, 4), teacher = Buffer<>::random(s, 0, 2, -4, 4),
                 ce_up = scalar(kCeUpstream), kd_up = scalar(kKdUpstream);
  const Buffer<std::int32_t> label = random_labels(s, 0, 3);
  const DistillationLoss p{kIgnore, 2.0f, false};
  const Values zs = z.values(), ls = label.values(),
               want_dz = times(kCeUpstream, cross_entropy_gradient_reference(zs, ls, {}, s.c));
  on_every_device([&](const auto& device) {
    Buffer<> ce = scalar(), kd = scalar(), ce_again = scalar(), kd_again = scalar(), dz(s), in_place = z;
    distillation_loss(device, p, z.view(), {}, label.view(), {}, ce_up.view(), {}, ce.view(), kd.view(), {}, dz.view());
    CHECK(relative_error(ce.values(), {cross_entropy_reference(zs, ls, {}, s.c)}) < 1e-6);
    CHECK(kd.values() == Values{0});
    CHECK(relative_error(dz.values(), want_dz) < 1e-6);
    distillation_loss(device, p, z.view(), teacher.view(), label.view(), {}, ce_up.view(), kd_up.view(), ce.view(),
                      kd.view(), {}, dz.view());
    distillation_loss(device, p, z.view(), teacher.view(), label.view(), {}, {}, {}, ce_again.view(), kd_again.view(),
                      {}, {});
    CHECK((same_bits(ce.values(), ce_again.values()) && same_bits(kd.values(), kd_again.values())));
    distillation_loss(device, p, in_place.view(), teacher.view(), label.view(), {}, ce_up.view(), kd_up.view(),
                      ce.view(), kd.view(), {}, in_place.view());
    CHECK(same_bits(in_place.values(), dz.values()));
    return dz.values();
  });
}

TEST_CASE("distillation_loss: nothing to count, NaN in a pixel that does not count, no pixels") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Shape s{1, 1, 2, 2}, none{0, 1, 2, 2};
  const Buffer<> z = Buffer<>::of(s, 0, {1, 2, nan, 0}), calm = Buffer<>::of(s, 0, {1, 2, 3, 0}), empty(none),
                 up = scalar(1);
  const Buffer<std::int32_t> first = Buffer<std::int32_t>::of({1, 1, 2, 1}, 0, {0, kIgnore}),
                             neither = Buffer<std::int32_t>::of({1, 1, 2, 1}, 0, {kIgnore, kIgnore}),
                             no_labels({0, 1, 2, 1});
  const DistillationLoss p{kIgnore, 2.0f, false};
  on_every_device([&](const auto& device) {
    Buffer<> ce = scalar(), kd = scalar(), dz(s), no_dz(none);
    Buffer<std::int32_t> bad = counter();
    distillation_loss(device, p, z.view(), {}, first.view(), {}, up.view(), {}, ce.view(), kd.view(), {}, dz.view());
    CHECK(relative_error(ce.values(), {1 + std::log(1 + std::exp(-1.0))}) < 1e-6);
    CHECK((dz.values()[2] == 0 && dz.values()[3] == 0 && dz.values()[0] < 0));
    distillation_loss(device, p, calm.view(), calm.view(), neither.view(), {}, up.view(), up.view(), ce.view(),
                      kd.view(), bad.view(), dz.view());
    CHECK((ce.values() == Values{0} && kd.values() == Values{0} && bad.values() == Values{0}));
    for (const double v : dz.values())
      CHECK(std::abs(v) < 1e-7);  // a GPU fuses operations: no exact zero of two equals
    ce = kd = scalar();
    distillation_loss(device, p, empty.view(), empty.view(), no_labels.view(), {}, up.view(), up.view(), ce.view(),
                      kd.view(), bad.view(), no_dz.view());
    CHECK((ce.values() == Values{0} && kd.values() == Values{0} && bad.values() == Values{0}));
    return Values{};
  });
}

TEST_CASE("distillation_loss: the same bits on any number of threads, errors by name") {
  const Shape s{2, 97, 89, 9};
  const Buffer<> z = Buffer<>::random(s, 0, 1, -4, 4), t = Buffer<>::random(s, 0, 2, -4, 4), up = scalar(1);
  const Buffer<std::int32_t> label = random_labels(s, 0, 3);
  same_on_any_threads([&] {
    Buffer<> ce = scalar(), kd = scalar(), dz(s);
    distillation_loss(Cpu{workspace}, {kIgnore, 3, true}, z.view(), t.view(), label.view(), {}, up.view(), up.view(),
                      ce.view(), kd.view(), {}, dz.view());
    Values all = dz.values();
    append(all, ce.values());
    append(all, kd.values());
    return all;
  });
  Buffer<> other({1, 2, 2, 3}), ce = scalar(), dz(s);
  on_every_device([&](const auto& device) {
    const auto message = [&](float tau, const ConstView& teacher, const ConstView& kd_up) {
      return message_of([&] {
        distillation_loss(device, {kIgnore, tau, true}, z.view(), teacher, label.view(), {}, up.view(), kd_up,
                          ce.view(), ce.view(), {}, dz.view());
      });
    };
    CHECK(message(1, other.view(), up.view()) ==
          "distillation_loss: shapes differ: z f32 [2,97,89,9] and teacher f32 [1,2,2,3]: expected the same shape");
    CHECK(message(0, t.view(), up.view()) ==
          "distillation_loss: temperature: z f32 [2,97,89,9]: expected tau > 0, found 0.000000");
    CHECK(message(1, t.view(), other.view()) ==
          "distillation_loss: wrong shape: kd_upstream f32 [1,2,2,3]: expected [1,1,1,1], found [1,2,2,3]");
    return Values{};
  });
}

}  // namespace
}  // namespace gf
