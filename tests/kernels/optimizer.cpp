#include "kernels/optimizer.h"

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

constexpr std::int64_t kCounts[] = {1, 31, 32, 33, 257, 200001};

Buffer<> flat(std::int64_t count, unsigned seed) { return Buffer<>::random({1, 1, 1, count}, 0, seed); }
Buffer<> zeros(std::int64_t count) { return Buffer<>::of({1, 1, 1, count}, 0, Values(at(count))); }
Buffer<> scalar(double v) { return Buffer<>::of({1, 1, 1, 1}, 0, {v}); }
Buffer<std::int32_t> whole(int v) { return Buffer<std::int32_t>::of({1, 1, 1, 1}, 0, {static_cast<double>(v)}); }

// A flat view without its first element: no pack of 16 bytes starts where it does.
template <class T>
View after_first(Buffer<T>& b) {
  return {data_as<T>(b.view()) + 1, Element<T>::dtype, {1, 1, 1, b.shape().c - 1}};
}
Values without_first(const Values& v) { return {v.begin() + 1, v.end()}; }

Values rounded(const Values& v) {
  Values r;
  for (const double x : v) r.push_back(number_of(element_of<bf16>(x)));
  return r;
}

TEST_CASE("sgd_step: three steps by PyTorch's formulas") {
  for (const std::int64_t count : kCounts)
    for (const double momentum : {0.0, 0.9})
      for (const double decay : {0.0, 0.05})
        for (const bool nesterov : {false, true}) {
          if (nesterov && momentum == 0) continue;
          INFO(count, " elements, momentum ", momentum, " decay ", decay, " nesterov ", nesterov);
          const Buffer<> start = flat(count, 1), gradients[] = {flat(count, 11), flat(count, 12), flat(count, 13)};
          Values want = start.values(), m(at(count));
          for (int step = 1; step <= 3; ++step) {
            const Values gs = gradients[step - 1].values();
            for (std::size_t i = 0; i < want.size(); ++i) {
              double d = gs[i] + decay * want[i];
              if (momentum != 0) {
                m[i] = step == 1 ? d : momentum * m[i] + d;
                d = nesterov ? d + momentum * m[i] : m[i];
              }
              want[i] -= 0.1 * d;
            }
          }
          on_every_device([&](const auto& device) {
            Buffer<> p = start, buffer({1, 1, 1, count});  // NaN: the first step may not read it
            for (int step = 1; step <= 3; ++step)
              sgd_step(device, {0.1, momentum, decay, step == 1, nesterov}, gradients[step - 1].view(), p.view(),
                       momentum == 0 ? View{} : buffer.view());
            CHECK(relative_error(p.values(), want) < 1e-6);
            if (momentum != 0) CHECK(relative_error(buffer.values(), m) < 1e-6);
            CHECK(p.sentinels_intact());
            CHECK(buffer.sentinels_intact());
            return p.values();
          });
        }
}

TEST_CASE("adam_step: Adam and AdamW, five steps by PyTorch's formulas") {
  for (const std::int64_t count : kCounts)
    for (const bool decoupled : {false, true})
      for (const double decay : {0.0, 0.05}) {
        INFO(count, " elements, decoupled ", decoupled, " decay ", decay);
        const Buffer<> start = flat(count, 1);
        std::vector<Buffer<>> gradients;
        Values want = start.values(), m(at(count)), v(at(count));
        const double lr = 0.01, b1 = 0.9, b2 = 0.999, eps = 1e-8;
        for (int step = 1; step <= 5; ++step) {
          gradients.push_back(flat(count, 10 + static_cast<unsigned>(step)));
          const Values gs = gradients.back().values();
          for (std::size_t i = 0; i < want.size(); ++i) {
            double d = gs[i];
            if (decoupled)
              want[i] *= 1 - lr * decay;
            else
              d += decay * want[i];
            m[i] = b1 * m[i] + (1 - b1) * d;
            v[i] = b2 * v[i] + (1 - b2) * d * d;
            want[i] -= lr * (m[i] / (1 - std::pow(b1, step))) / (std::sqrt(v[i] / (1 - std::pow(b2, step))) + eps);
          }
        }
        on_every_device([&](const auto& device) {
          Buffer<> p = start, first = zeros(count), second = zeros(count);
          for (int step = 1; step <= 5; ++step)
            adam_step(device, {lr, b1, b2, eps, decay, decoupled, step}, gradients[at(step - 1)].view(), p.view(),
                      first.view(), second.view());
          CHECK(relative_error(p.values(), want) < 1e-6);
          CHECK(relative_error(first.values(), m) < 1e-6);
          CHECK(relative_error(second.values(), v) < 1e-6);
          CHECK(p.sentinels_intact());
          CHECK(second.sentinels_intact());
          return p.values();
        });
      }
}

TEST_CASE("adam_step: the first step moves by the learning rate, whatever the gradient's size") {
  on_every_device([](const auto& device) {
    Buffer<> p = zeros(3), m = zeros(3), v = zeros(3);
    const Buffer<> g = Buffer<>::of({1, 1, 1, 3}, 0, {1e-3, -50, 0});
    adam_step(device, {0.001, 0.9, 0.999, 1e-8, 0, false, 1}, g.view(), p.view(), m.view(), v.view());
    CHECK(std::fabs(p.values()[0] + 0.001) < 1e-7);
    CHECK(std::fabs(p.values()[1] - 0.001) < 1e-9);
    CHECK(p.values()[2] == 0);
    return p.values();
  });
}

TEST_CASE("optimizer: numbers read from the device give the step that the host's numbers give") {
  const double lr = 0.0625;  // the same in float32
  for (const std::int64_t count : {1, 33, 2049})
    on_every_device([&](const auto& device) {
      Buffer<> sgd = flat(count, 1), buffer({1, 1, 1, count}), other_buffer({1, 1, 1, count}), other_sgd = sgd;
      Buffer<> adam = sgd, m = zeros(count), v = zeros(count), other_m = m, other_v = v, other_adam = sgd;
      const Buffer<> rate = scalar(lr);
      Buffer<std::int32_t> counter = whole(0);
      StepScalars scalars{};
      scalars.lr = rate.view();
      scalars.step = counter.view();
      for (int step = 1; step <= 3; ++step) {
        const Buffer<> g = flat(count, 10 + static_cast<unsigned>(step));
        advance_step(device, counter.view());
        CHECK(counter.at(0, 0) == step);
        sgd_step(device, {lr, 0.9, 0.05, step == 1}, g.view(), sgd.view(), buffer.view());
        sgd_step(device, {7, 0.9, 0.05, false}, g.view(), other_sgd.view(), other_buffer.view(), scalars);
        adam_step(device, {lr, 0.9, 0.999, 1e-8, 0.05, true, step}, g.view(), adam.view(), m.view(), v.view());
        adam_step(device, {7, 0.9, 0.999, 1e-8, 0.05, true, 0}, g.view(), other_adam.view(), other_m.view(),
                  other_v.view(), scalars);
      }
      CHECK(same_bits(other_sgd.values(), sgd.values()));
      CHECK(same_bits(other_adam.values(), adam.values()));
      CHECK((counter.sentinels_intact() && other_sgd.sentinels_intact() && other_adam.sentinels_intact()));
      return adam.values();
    });
}

TEST_CASE("optimizer: gradients are clipped by their norm, PyTorch's rule") {
  const std::int64_t count = 37;
  const Buffer<> g = flat(count, 2), start = flat(count, 1);
  for (const double norm : {0.0, 0.5, 3.0, 8.0}) {
    INFO("norm ", norm);
    const double factor = norm > 3 - 1e-6 ? 3 / (norm + 1e-6) : 1;
    Values scaled, sgd_want = start.values();
    for (const double x : g.values()) scaled.push_back(factor * x);
    for (std::size_t i = 0; i < scaled.size(); ++i) sgd_want[i] -= 0.1 * (scaled[i] + 0.05 * sgd_want[i]);
    const Buffer<> clipped = Buffer<>::of(g.shape(), 0, scaled), device_norm = scalar(norm);
    on_every_device([&](const auto& device) {
      StepScalars scalars{};
      scalars.gradient_norm = device_norm.view();
      scalars.clip_norm = 3;
      Buffer<> sgd = start, adam = start, m = zeros(count), v = zeros(count);
      Buffer<> other = start, other_m = m, other_v = v;
      sgd_step(device, {0.1, 0, 0.05, true}, g.view(), sgd.view(), {}, scalars);
      CHECK(relative_error(sgd.values(), sgd_want) < 1e-6);
      const AdamShape shape{0.1, 0.9, 0.999, 1e-8, 0.05, false, 1};
      adam_step(device, shape, g.view(), adam.view(), m.view(), v.view(), scalars);
      adam_step(device, shape, clipped.view(), other.view(), other_m.view(), other_v.view());
      CHECK(relative_error(adam.values(), other.values()) < 1e-6);
      CHECK(relative_error(v.values(), other_v.values()) < 1e-6);
      return adam.values();
    });
  }
}

TEST_CASE("optimizer: a step whose gradients' norm is not finite is left out") {
  const std::int64_t count = 37;
  Buffer<> g = flat(count, 2), start = flat(count, 1);
  for (const double norm : {1e38, static_cast<double>(INFINITY), static_cast<double>(NAN)})
    for (const float clip : {0.0f, 3.0f})
      on_every_device([&](const auto& device) {
        CAPTURE(norm);
        CAPTURE(clip);
        const Buffer<> device_norm = scalar(norm);
        const StepScalars scalars{{}, {}, device_norm.view(), clip};
        Buffer<> sgd = start, buffer = start, adam = start, m = start, v = flat(count, 3);
        const Buffer<> old_v = v;
        Buffer<bf16> shadow({1, 1, 1, count});
        const Values old_shadow = shadow.values();
        sgd_step(device, {0.1, 0.9, 0.05, false}, g.view(), sgd.view(), buffer.view(), scalars, shadow.view());
        adam_step(device, {0.1, 0.9, 0.999, 1e-8, 0.05, false, 2}, g.view(), adam.view(), m.view(), v.view(), scalars);
        const bool skipped = !std::isfinite(norm);
        for (const Buffer<>* b : {&sgd, &buffer, &adam, &m}) CHECK(same_bits(b->values(), start.values()) == skipped);
        CHECK(same_bits(v.values(), old_v.values()) == skipped);
        CHECK(same_bits(shadow.values(), old_shadow) == skipped);
        return adam.values();
      });
}

TEST_CASE("optimizer: a bf16 shadow is the rounded parameter") {
  for (const std::int64_t count : {1, 8, 33, 70001})
    on_every_device([&](const auto& device) {
      const Buffer<> g = flat(count, 2);
      Buffer<> p = flat(count, 1), m = zeros(count), v = zeros(count);
      Buffer<bf16> shadow({1, 1, 1, count});
      sgd_step(device, {0.1, 0, 0, true}, g.view(), p.view(), {}, {}, shadow.view());
      CHECK(same_bits(shadow.values(), rounded(p.values())));
      adam_step(device, {0.1, 0.9, 0.999, 1e-8, 0, false, 1}, g.view(), p.view(), m.view(), v.view(), {},
                shadow.view());
      CHECK(same_bits(shadow.values(), rounded(p.values())));
      CHECK(shadow.sentinels_intact());
      return shadow.values();
    });
}

TEST_CASE("optimizer: buffers that start anywhere") {
  for (const std::int64_t count : {2, 9, 34, 300})
    on_every_device([&](const auto& device) {
      Buffer<> g = flat(count, 2), p = flat(count, 1), m = zeros(count), v = zeros(count);
      Buffer<bf16> shadow({1, 1, 1, count}), apart_shadow({1, 1, 1, count - 1});
      const Buffer<> apart_g = Buffer<>::of({1, 1, 1, count - 1}, 0, without_first(g.values()));
      Buffer<> apart = Buffer<>::of(apart_g.shape(), 0, without_first(p.values()));
      Buffer<> apart_m = zeros(count - 1), apart_v = zeros(count - 1);
      const AdamShape shape{0.1, 0.9, 0.999, 1e-8, 0, false, 1};
      adam_step(device, shape, after_first(g), after_first(p), after_first(m), after_first(v), {}, after_first(shadow));
      adam_step(device, shape, apart_g.view(), apart.view(), apart_m.view(), apart_v.view(), {}, apart_shadow.view());
      CHECK(same_bits(without_first(p.values()), apart.values()));
      CHECK(same_bits(without_first(shadow.values()), apart_shadow.values()));
      CHECK(p.values()[0] == flat(count, 1).values()[0]);
      CHECK((p.sentinels_intact() && shadow.sentinels_intact()));
      return p.values();
    });
}

TEST_CASE("ema_step: average = decay * average + (1 - decay) * parameter") {
  for (const std::int64_t count : kCounts) {
    const Buffer<> p = flat(count, 1), start = flat(count, 2);
    const Values ps = p.values();
    Values want = start.values();
    for (std::size_t i = 0; i < want.size(); ++i)
      want[i] = static_cast<double>(0.99f) * want[i] + static_cast<double>(1 - 0.99f) * ps[i];
    on_every_device([&](const auto& device) {
      Buffer<> average = start, fixed = p;
      ema_step(device, 0.99f, p.view(), average.view());
      CHECK(relative_error(average.values(), want) < 1e-6);
      CHECK(average.sentinels_intact());
      ema_step(device, 0.99f, p.view(), fixed.view());  // an average that is there already
      CHECK(relative_error(fixed.values(), p.values()) < 2e-7);
      const auto decay = Buffer<>::of({1, 1, 1, 1}, 0, {static_cast<double>(0.99f)});
      Buffer<> captured = start;
      ema_step(device, 0.5f, p.view(), captured.view(), decay.view());
      CHECK(same_bits(captured.values(), average.values()));
      return average.values();
    });
  }
}

TEST_CASE("sum_of_squares: double, in a fixed order") {
  const Cpu cpu{workspace};
  for (const std::int64_t count : {1, 33, 200001}) {
    const Buffer<> x = flat(count, 1);
    const Values xs = x.values();
    CHECK(std::fabs(sum_of_squares(cpu, x.view()) / dot(xs, xs) - 1) < 1e-13);
  }
  same_on_any_threads([&] { return Values{sum_of_squares(cpu, flat(500001, 1).view())}; });
}

TEST_CASE("gradient_norm: a scalar on the device") {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{1, 1, 1, 31}, Shape{1, 1, 1, 32}, Shape{3, 2, 1, 11},
                             Shape{1, 1, 1, 257}, Shape{1, 1, 1, 70001}, Shape{0, 1, 1, 5}}) {
    CAPTURE(shape.str());
    Buffer<> x = Buffer<>::random(shape, 0, 1, -1, 3);
    const double sum = dot(x.values(), x.values());
    on_every_device([&](const auto& device) {
      Buffer<> norm({1, 1, 1, 1}), rest({1, 1, 1, 1});
      gradient_norm(device, x.view(), norm.view());
      CHECK(relative_error(norm.values(), {std::sqrt(sum)}) < 1e-7);
      CHECK(norm.sentinels_intact());
      if (shape.n != 1 || shape.c == 1) return norm.values();
      gradient_norm(device, after_first(x), rest.view());
      CHECK(relative_error(rest.values(), {std::sqrt(sum - x.values()[0] * x.values()[0])}) < 1e-7);
      return norm.values();
    });
  }
  Buffer<> x = flat(300, 1);
  x.at(0, 299) = NAN;
  on_every_device([&](const auto& device) {
    Buffer<> norm({1, 1, 1, 1});
    gradient_norm(device, x.view(), norm.view());
    CHECK(std::isnan(norm.values()[0]));
    return norm.values();
  });
}

TEST_CASE("optimizer: errors name kernel, tensor and shapes") {
  Buffer<> p = zeros(3), g = zeros(4), gaps({1, 1, 3, 1}, 2), norm = scalar(1);
  on_every_device([&](const auto& device) {
    CHECK(message_of([&] {
            sgd_step(device, {0.1, 0, 0, true}, g.view(), p.view(), {});
          }) == "sgd_step: shapes differ: parameter f32 [1,1,1,3] and gradient f32 [1,1,1,4]: expected the same shape");
    CHECK(
        message_of([&] { gradient_norm(device, gaps.view(), norm.view()); }) ==
        "gradient_norm: not dense: x f32 [1,1,3,1]: expected pixel stride 1, found 3; copy it to a dense tensor first");
    CHECK(message_of([&] {
            adam_step(device, {0.1, 0.9, 0.999, 1e-8, 0, false, 0}, p.view(), p.view(), p.view(), p.view());
          }) == "adam_step: step: parameter f32 [1,1,1,3]: expected a count from 1, found 0");
    CHECK(message_of([&] {
            sgd_step(device, {0.1, 0, 0, true}, p.view(), p.view(), {}, {{}, {}, norm.view(), -1}, {});
          }) == "sgd_step: clip_norm: gradient_norm f32 [1,1,1,1]: expected 0 or more, found -1.000000");
    CHECK(message_of([&] {
            sgd_step(device, {0.1, 0, 0, true}, p.view(), p.view(), {}, {}, p.view());
          }) == "sgd_step: wrong dtype: shadow f32 [1,1,1,3]: expected bf16, found f32");
    CHECK(message_of([&] { advance_step(device, norm.view()); }) ==
          "advance_step: wrong dtype: step f32 [1,1,1,1]: expected i32, found f32");
    return Values{};
  });
  CHECK(
      message_of([&] { (void)sum_of_squares(Cpu{workspace}, gaps.view()); }) ==
      "sum_of_squares: not dense: x f32 [1,1,3,1]: expected pixel stride 1, found 3; copy it to a dense tensor first");
}

}  // namespace
}  // namespace gf
