#include "kernels/losses.h"

#include "tests/kernels/loss_reference.h"

namespace gf {
namespace {

using namespace harness;

TEST_CASE("cross_entropy: loss and gradient") {
  for_every_element([](auto element, double rounding) {
    using T = decltype(element);
    for_logits([&](const Shape& s, std::int64_t extra, bool differences) {
      const auto z = Buffer<T>::random(s, extra, 1, -4, 4);
      const Buffer<> weights = Buffer<>::random({1, 1, 1, s.c}, 0, 2, 0.2, 3), up = scalar(kUpstream);
      const Buffer<std::int32_t> label = random_labels(s, extra, 3);
      for (const bool weighted : {false, true}) {
        const Values ws = weighted ? weights.values() : Values{}, zs = z.values(), ls = label.values();
        const double want = cross_entropy_reference(zs, ls, ws, s.c);
        const Values want_dz = times(kUpstream, cross_entropy_gradient_reference(zs, ls, ws, s.c));
        if (differences && s.c > 1)
          CHECK(relative_error(want_dz,
                               central_difference(
                                   [&](const Values& v) { return kUpstream * cross_entropy_reference(v, ls, ws, s.c); },
                                   zs)) < 1e-6);
        on_devices_of<T>([&](const auto& device) {
          const ConstView w = weighted ? weights.view() : ConstView{};
          Buffer<> loss = scalar();
          Buffer<T> dz(s, 2 * extra);
          Buffer<std::int32_t> bad = counter();
          cross_entropy_forward(device, kIgnore, z.view(), label.view(), w, loss.view(), bad.view());
          cross_entropy_backward(device, kIgnore, z.view(), label.view(), w, up.view(), dz.view());
          CHECK(bad.values() == Values{0});
          if (s.c > 1) CHECK(relative_error(loss.values(), {want}) < 1e-6);
          CHECK(relative_error(dz.values(), want_dz) < 1e-6 + rounding);
          CHECK((dz.sentinels_intact() && loss.sentinels_intact() && bad.sentinels_intact()));
          Values outputs = dz.values();
          append(outputs, loss.values());
          return outputs;
        });
      }
    });
  });
}

TEST_CASE("cross_entropy: large logits, nothing to count, bad labels") {
  const Buffer<> z = Buffer<>::of({1, 1, 3, 2}, 0, {1000, -1000, -1000, 1000, 3, 3}), up = scalar(1);
  const auto labels = [](const Values& v) { return Buffer<std::int32_t>::of({1, 1, 3, 1}, 0, v); };
  on_every_device([&](const auto& device) {
    Buffer<> loss = scalar(), dz(z.shape()), sums({1, 1, 1, 6});
    Buffer<std::int32_t> bad = counter(), label = labels({0, 0, 1});
    cross_entropy_forward(device, kNoIgnore, z.view(), label.view(), {}, loss.view(), bad.view());
    CHECK(relative_error(loss.values(), {(2000 + std::log(2.0)) / 3}) < 1e-6);

    label = labels({kIgnore, kIgnore, kIgnore});
    cross_entropy_forward(device, kIgnore, z.view(), label.view(), {}, loss.view(), bad.view());
    cross_entropy_backward(device, kIgnore, z.view(), label.view(), {}, up.view(), dz.view());
    CHECK(loss.values() == Values{0});
    CHECK(dz.values() == Values(6, 0.0));
    CHECK(bad.values() == Values{0});

    label = labels({2, -7, 1});  // two that are no class: left out and counted
    cross_entropy_forward(device, kIgnore, z.view(), label.view(), {}, loss.view(), bad.view());
    cross_entropy_backward(device, kIgnore, z.view(), label.view(), {}, up.view(), dz.view());
    CHECK(bad.values() == Values{2});
    CHECK(relative_error(loss.values(), {std::log(2.0)}) < 1e-6);
    CHECK(dz.values() == Values{0, 0, 0, 0, 0.5, -0.5});
    bad = counter();
    dice_loss_forward(device, kIgnore, 1e-5f, z.view(), label.view(), loss.view(), sums.view(), bad.view());
    CHECK(bad.values() == Values{2});
    cross_entropy_forward(device, kIgnore, z.view(), label.view(), {}, loss.view(), {});
    dice_loss_forward(device, kIgnore, 1e-5f, z.view(), label.view(), loss.view(), sums.view(), {});
    return loss.values();
  });
}

TEST_CASE("cross_entropy and dice_loss: a NaN counts only where its pixel does") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Buffer<> z = Buffer<>::of({1, 1, 3, 2}, 0, {1, 2, nan, 0, 3, 3}), up = scalar(1);
  for (const bool ignored : {false, true}) {
    const Values ids = {0, ignored ? kIgnore : 1.0, 1};
    const Buffer<std::int32_t> label = Buffer<std::int32_t>::of({1, 1, 3, 1}, 0, ids);
    on_every_device([&](const auto& device) {
      Buffer<> ce = scalar(), dice = scalar(), ce_dz(z.shape()), dice_dz(z.shape()), sums({1, 1, 1, 6});
      cross_entropy_forward(device, kIgnore, z.view(), label.view(), {}, ce.view(), {});
      cross_entropy_backward(device, kIgnore, z.view(), label.view(), {}, up.view(), ce_dz.view());
      dice_loss_forward(device, kIgnore, 1, z.view(), label.view(), dice.view(), sums.view(), {});
      dice_loss_backward(device, kIgnore, 1, z.view(), label.view(), sums.view(), up.view(), dice_dz.view());
      CHECK(std::isnan(ce.values()[0]) != ignored);
      CHECK(std::isnan(dice.values()[0]) != ignored);
      for (const std::size_t i : {0, 1, 4, 5}) CHECK(!std::isnan(ce_dz.values()[i]));
      for (const std::size_t i : {2, 3}) CHECK((ignored ? ce_dz.values()[i] == 0 : std::isnan(ce_dz.values()[i])));
      if (ignored) CHECK((dice_dz.values()[2] == 0 && dice_dz.values()[3] == 0 && !std::isnan(dice_dz.values()[0])));
      return Values{};
    });
  }
}

TEST_CASE("dice_loss: loss, sums and gradient") {
  for_every_element([](auto element, double rounding) {
    using T = decltype(element);
    for_logits([&](const Shape& s, std::int64_t extra, bool differences) {
      const auto z = Buffer<T>::random(s, extra, 1, -4, 4);
      const Buffer<std::int32_t> label = random_labels(s, extra, 3);
      const Buffer<> up = scalar(kUpstream);
      for (const float smooth : {1e-5f, 1.0f}) {
        const double k = static_cast<double>(smooth);
        const Values zs = z.values(), ls = label.values(), want_sums = dice_sums_reference(zs, ls, s.c),
                     want = times(kUpstream, dice_gradient_reference(zs, ls, k, s.c));
        if (differences && s.c > 1)
          CHECK(relative_error(
                    want, central_difference([&](const Values& v) { return kUpstream * dice_reference(v, ls, k, s.c); },
                                             zs)) < 1e-6);
        on_devices_of<T>([&](const auto& device) {
          Buffer<> loss = scalar(), sums({1, 1, 1, 3 * s.c});
          Buffer<T> dz(s, 2 * extra);
          Buffer<std::int32_t> bad = counter();
          dice_loss_forward(device, kIgnore, smooth, z.view(), label.view(), loss.view(), sums.view(), bad.view());
          dice_loss_backward(device, kIgnore, smooth, z.view(), label.view(), sums.view(), up.view(), dz.view());
          CHECK(bad.values() == Values{0});
          CHECK(std::fabs(loss.values()[0] - dice_reference(zs, ls, k, s.c)) < 1e-6);
          CHECK(relative_error(sums.values(), want_sums) < 1e-6);
          if (s.c > 1) CHECK(relative_error(dz.values(), want) < 5e-6 + rounding);
          CHECK((dz.sentinels_intact() && sums.sentinels_intact()));
          Values outputs = dz.values();
          append(outputs, sums.values());
          append(outputs, loss.values());
          return outputs;
        });
      }
    });
  });
}

TEST_CASE("kd_loss: loss and gradient") {
  for_every_element([](auto element, double rounding) {
    using T = decltype(element);
    for_logits([&](const Shape& s, std::int64_t extra, bool differences) {
      const auto student = Buffer<T>::random(s, extra, 1, -4, 4), teacher = Buffer<T>::random(s, 2 * extra, 2, -9, 9);
      const Buffer<> up = scalar(kUpstream);
      const Values ss = student.values(), ts = teacher.values();
      for (const bool element_mean : {false, true})
        for (const float tau : {1.0f, 4.0f}) {
          const double k = static_cast<double>(tau), want = kd_reference(ss, ts, k, element_mean, s.c);
          const Values want_ds = times(kUpstream, kd_gradient_reference(ss, ts, k, element_mean, s.c));
          if (differences && s.c > 1)
            CHECK(relative_error(want_ds, central_difference(
                                              [&](const Values& v) {
                                                return kUpstream * kd_reference(v, ts, k, element_mean, s.c);
                                              },
                                              ss)) < 1e-6);
          on_devices_of<T>([&](const auto& device) {
            Buffer<> loss = scalar();
            Buffer<T> ds(s, extra);
            kd_loss_forward(device, tau, element_mean, student.view(), teacher.view(), loss.view());
            kd_loss_backward(device, tau, element_mean, student.view(), teacher.view(), up.view(), ds.view());
            if (s.c > 1) CHECK(relative_error(loss.values(), {want}) < 2e-6);
            CHECK(relative_error(ds.values(), want_ds) < 2e-6 + rounding);
            CHECK(ds.sentinels_intact());
            Values outputs = ds.values();
            append(outputs, loss.values());
            return outputs;
          });
        }
    });
  });
}

TEST_CASE("kd_loss: pixels where the teacher is wrong are left out, of the pictures that have labels") {
  for_every_element([](auto element, double rounding) {
    using T = decltype(element);
    for_logits([&](const Shape& s, std::int64_t extra, bool differences) {
      const auto student = Buffer<T>::random(s, extra, 1, -4, 4), teacher = Buffer<T>::random(s, 2 * extra, 2, -2, 2);
      const Buffer<> up = scalar(kUpstream);
      const std::int64_t labelled = (s.n + 1) / 2;
      Buffer<std::int32_t> label = random_labels({labelled, s.h, s.w, s.c}, extra, 3);
      label.at(0, 0) = -5;  // no class: the pixel counts
      const Values ss = student.values(), ts = without_wrong(ss, teacher.values(), label.values(), s.c);
      if (s.c > 1 && s.c < 200) CHECK(ts != teacher.values());
      for (const float tau : {1.0f, 4.0f}) {
        const double k = static_cast<double>(tau), want = kd_reference(ss, ts, k, tau == 1, s.c);
        const Values want_ds = times(kUpstream, kd_gradient_reference(ss, ts, k, tau == 1, s.c));
        if (differences && s.c > 1)
          CHECK(relative_error(want_ds, central_difference(
                                            [&](const Values& v) {
                                              const Values t = without_wrong(v, teacher.values(), label.values(), s.c);
                                              return kUpstream * kd_reference(v, t, k, tau == 1, s.c);
                                            },
                                            ss)) < 1e-6);
        on_devices_of<T>([&](const auto& device) {
          Buffer<> loss = scalar();
          Buffer<T> ds(s, extra);
          const TeacherCheck check{label.view(), kIgnore};
          kd_loss_forward(device, tau, tau == 1, student.view(), teacher.view(), loss.view(), check);
          kd_loss_backward(device, tau, tau == 1, student.view(), teacher.view(), up.view(), ds.view(), check);
          if (s.c > 1) CHECK(relative_error(loss.values(), {want}) < 2e-6);
          CHECK(relative_error(ds.values(), want_ds) < 2e-6 + rounding);
          CHECK(ds.sentinels_intact());
          Values outputs = ds.values();
          append(outputs, loss.values());
          return outputs;
        });
      }
    });
  });
}

TEST_CASE("kd_loss: equal logits give 0, a certain teacher gives cross entropy") {
  const Buffer<> z = Buffer<>::random({1, 2, 2, 5}, 0, 1, -5, 5), student = Buffer<>::of({1, 1, 1, 2}, 0, {1, 2}),
                 teacher = Buffer<>::of({1, 1, 1, 2}, 0, {500, -500});
  on_every_device([&](const auto& device) {
    Buffer<> loss = scalar();
    kd_loss_forward(device, 2, false, z.view(), z.view(), loss.view());
    CHECK(std::fabs(loss.values()[0]) < 1e-6);
    kd_loss_forward(device, 1, false, student.view(), teacher.view(), loss.view());
    CHECK(relative_error(loss.values(), {std::log(1 + std::exp(1.0))}) < 1e-6);
    return loss.values();
  });
}

TEST_CASE("mse: loss and gradient") {
  for_every_element([](auto element, double rounding) {
    using T = decltype(element);
    for (const Shape& s : {Shape{2, 3, 5, 1}, Shape{1, 3, 2, 33}, Shape{2, 65, 67, 16}, Shape{1, 1, 1, 257},
                           Shape{1, 2, 2, 2056}, Shape{1, 1, 1, 1}})
      for (const std::int64_t extra : {0, 3, 8}) {
        INFO(s.str(), " extra ", extra);
        const auto a = Buffer<T>::random(s, extra, 1), b = Buffer<T>::random(s, 2 * extra, 2);
        const Buffer<> up = scalar(kUpstream);
        const Values as = a.values(), bs = b.values();
        double want = 0;
        Values want_da;
        for (std::size_t i = 0; i < as.size(); ++i) {
          want += (as[i] - bs[i]) * (as[i] - bs[i]) / static_cast<double>(s.count());
          want_da.push_back(kUpstream * 2 * (as[i] - bs[i]) / static_cast<double>(s.count()));
        }
        on_devices_of<T>([&](const auto& device) {
          Buffer<> loss = scalar();
          Buffer<T> da(s, extra);
          mse_forward(device, a.view(), b.view(), loss.view());
          mse_backward(device, a.view(), b.view(), up.view(), da.view());
          CHECK(relative_error(loss.values(), {want}) < 1e-6);
          CHECK(relative_error(da.values(), want_da) < 1e-6 + rounding);
          CHECK(da.sentinels_intact());
          Values outputs = da.values();
          append(outputs, loss.values());
          return outputs;
        });
      }
  });
}

TEST_CASE("losses: a batch without pixels has a loss of 0") {
  const Shape s{0, 2, 2, 3};
  const Buffer<> z(s), up = scalar(1);
  const Buffer<std::int32_t> label({0, 2, 2, 1});
  on_every_device([&](const auto& device) {
    Buffer<> loss = scalar(), sums({1, 1, 1, 9}), dz(s);
    Buffer<std::int32_t> bad = counter();
    cross_entropy_forward(device, kIgnore, z.view(), label.view(), {}, loss.view(), bad.view());
    CHECK((loss.values() == Values{0} && bad.values() == Values{0}));
    cross_entropy_backward(device, kIgnore, z.view(), label.view(), {}, up.view(), dz.view());
    dice_loss_forward(device, kIgnore, 1, z.view(), label.view(), loss.view(), sums.view(), bad.view());
    CHECK((loss.values() == Values{0} && sums.values() == Values(9, 0.0)));
    dice_loss_backward(device, kIgnore, 1, z.view(), label.view(), sums.view(), up.view(), dz.view());
    kd_loss_forward(device, 2, true, z.view(), z.view(), loss.view());
    CHECK(loss.values() == Values{0});
    kd_loss_backward(device, 2, true, z.view(), z.view(), up.view(), dz.view());
    mse_forward(device, z.view(), z.view(), loss.view());
    CHECK(loss.values() == Values{0});
    mse_backward(device, z.view(), z.view(), up.view(), dz.view());
    return Values{};
  });
}

TEST_CASE("losses: the same bits on any number of threads") {
  same_on_any_threads([] {
    const Cpu cpu{workspace};
    const Shape s{2, 97, 89, 9};
    const Buffer<> z = Buffer<>::random(s, 0, 1, -4, 4), t = Buffer<>::random(s, 0, 2, -4, 4);
    const Buffer<std::int32_t> label = random_labels(s, 0, 3);
    Buffer<> loss = scalar(), sums({1, 1, 1, 27});
    Values all;
    cross_entropy_forward(cpu, kIgnore, z.view(), label.view(), {}, loss.view(), {});
    append(all, loss.values());
    dice_loss_forward(cpu, kIgnore, 1e-5f, z.view(), label.view(), loss.view(), sums.view(), {});
    append(all, loss.values());
    append(all, sums.values());
    kd_loss_forward(cpu, 3, true, z.view(), t.view(), loss.view());
    append(all, loss.values());
    mse_forward(cpu, z.view(), t.view(), loss.view());
    append(all, loss.values());
    return all;
  });
}

TEST_CASE("losses: errors name kernel, tensor and shapes") {
  Buffer<> z({1, 2, 2, 3}), loss = scalar(), three({1, 1, 1, 3}), wide({1, 1, 1, 2000});
  Buffer<bf16> half({1, 2, 2, 3});
  Buffer<std::int32_t> label({1, 2, 3, 1}), good({1, 2, 2, 1}), one({1, 1, 1, 1});
  on_every_device([&](const auto& device) {
    const auto entropy = [&](const ConstView& logits, const ConstView& labels, const View& bad = {}) {
      return message_of([&] { cross_entropy_forward(device, kNoIgnore, logits, labels, {}, loss.view(), bad); });
    };
    CHECK(entropy(z.view(), label.view()) ==
          "cross_entropy_forward: wrong shape: label i32 [1,2,3,1]: expected [1,2,2,1], found [1,2,3,1]");
    CHECK(entropy(z.view(), z.view()) ==
          "cross_entropy_forward: wrong dtype: label f32 [1,2,2,3]: expected i32, found f32");
    CHECK(entropy(wide.view(), one.view()) ==
          "cross_entropy_forward: number of classes: z f32 [1,1,1,2000]: expected 1 to 512, found 2000");
    CHECK(entropy(z.view(), good.view(), loss.view()) ==
          "cross_entropy_forward: wrong dtype: bad_labels f32 [1,1,1,1]: expected i32, found f32");
    CHECK(message_of([&] { kd_loss_forward(device, 0, true, z.view(), z.view(), loss.view()); }) ==
          "kd_loss_forward: temperature: student f32 [1,2,2,3]: expected tau > 0, found 0.000000");
    const Buffer<std::int32_t> many({2, 2, 2, 1});
    CHECK(message_of([&] { kd_loss_forward(device, 1, true, z.view(), z.view(), loss.view(), {many.view()}); }) ==
          "kd_loss_forward: more labels than pictures: label i32 [2,2,2,1]: expected at most the n of student f32 "
          "[1,2,2,3], found 2");
    CHECK(message_of([&] { kd_loss_backward(device, 1, true, z.view(), half.view(), loss.view(), z.view()); }) ==
          "kd_loss_backward: wrong dtype: teacher bf16 [1,2,2,3]: expected f32, found bf16");
    CHECK(message_of([&] { mse_forward(device, z.view(), z.view(), three.view()); }) ==
          "mse_forward: wrong shape: loss f32 [1,1,1,3]: expected [1,1,1,1], found [1,1,1,3]");
    return Values{};
  });
}

}  // namespace
}  // namespace gf
