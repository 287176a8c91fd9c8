#include "kernels/optimizer.h"

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

const Cpu cpu{workspace};
constexpr std::int64_t kCounts[] = {1, 31, 32, 33, 257, 200001};

Buffer<> flat(std::int64_t count, unsigned seed) { return Buffer<>::random({1, 1, 1, count}, 0, seed); }
Buffer<> zeros(std::int64_t count) { return Buffer<>::of({1, 1, 1, count}, 0, Values(at(count))); }

TEST_CASE("sgd_step: three steps by PyTorch's formulas") {
  for (const std::int64_t count : kCounts)
    for (const double momentum : {0.0, 0.9})
      for (const double decay : {0.0, 0.05})
        for (const bool nesterov : {false, true}) {
          if (nesterov && momentum == 0) continue;
          INFO(count, " elements, momentum ", momentum, " decay ", decay, " nesterov ", nesterov);
          Buffer<> p = flat(count, 1), buffer({1, 1, 1, count});  // NaN: the first step may not read it
          Values want = p.values(), m(at(count));
          for (unsigned step = 1; step <= 3; ++step) {
            const Buffer<> g = flat(count, 10 + step);
            const Values gs = g.values();
            sgd_step(cpu, {0.1, momentum, decay, step == 1, nesterov}, g.view(), p.view(),
                     momentum == 0 ? View{} : buffer.view());
            for (std::size_t i = 0; i < want.size(); ++i) {
              double d = gs[i] + decay * want[i];
              if (momentum != 0) {
                m[i] = step == 1 ? d : momentum * m[i] + d;
                d = nesterov ? d + momentum * m[i] : m[i];
              }
              want[i] -= 0.1 * d;
            }
          }
          CHECK(relative_error(p.values(), want) < 1e-6);
          if (momentum != 0) CHECK(relative_error(buffer.values(), m) < 1e-6);
          CHECK(p.sentinels_intact());
          CHECK(buffer.sentinels_intact());
        }
}

TEST_CASE("adam_step: Adam and AdamW, five steps by PyTorch's formulas") {
  for (const std::int64_t count : kCounts)
    for (const bool decoupled : {false, true})
      for (const double decay : {0.0, 0.05}) {
        INFO(count, " elements, decoupled ", decoupled, " decay ", decay);
        Buffer<> p = flat(count, 1), first = zeros(count), second = zeros(count);
        Values want = p.values(), m(at(count)), v(at(count));
        const double lr = 0.01, b1 = 0.9, b2 = 0.999, eps = 1e-8;
        for (int step = 1; step <= 5; ++step) {
          const Buffer<> g = flat(count, 10 + static_cast<unsigned>(step));
          const Values gs = g.values();
          adam_step(cpu, {lr, b1, b2, eps, decay, decoupled, step}, g.view(), p.view(), first.view(), second.view());
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
        CHECK(relative_error(p.values(), want) < 1e-6);
        CHECK(relative_error(first.values(), m) < 1e-6);
        CHECK(relative_error(second.values(), v) < 1e-6);
        CHECK(p.sentinels_intact());
        CHECK(second.sentinels_intact());
      }
}

TEST_CASE("adam_step: the first step moves by the learning rate, whatever the gradient's size") {
  Buffer<> p = zeros(3), m = zeros(3), v = zeros(3);
  const Buffer<> g = Buffer<>::of({1, 1, 1, 3}, 0, {1e-3, -50, 0});
  adam_step(cpu, {0.001, 0.9, 0.999, 1e-8, 0, false, 1}, g.view(), p.view(), m.view(), v.view());
  CHECK(std::fabs(p.values()[0] + 0.001) < 1e-7);
  CHECK(std::fabs(p.values()[1] - 0.001) < 1e-9);
  CHECK(p.values()[2] == 0);
}

TEST_CASE("sum_of_squares: double, in a fixed order") {
  for (const std::int64_t count : kCounts) {
    const Buffer<> x = flat(count, 1);
    const Values xs = x.values();
    CHECK(std::fabs(sum_of_squares(cpu, x.view()) / dot(xs, xs) - 1) < 1e-13);
  }
  same_on_any_threads([] { return Values{sum_of_squares(cpu, flat(500001, 1).view())}; });
}

TEST_CASE("optimizer: errors name kernel, tensor and shapes") {
  Buffer<> p = zeros(3), g = zeros(4), gaps({1, 1, 3, 1}, 2);
  CHECK(message_of([&] {
          sgd_step(cpu, {0.1, 0, 0, true}, g.view(), p.view(), {});
        }) == "sgd_step: shapes differ: parameter f32 [1,1,1,3] and gradient f32 [1,1,1,4]: expected the same shape");
  CHECK(
      message_of([&] { (void)sum_of_squares(cpu, gaps.view()); }) ==
      "sum_of_squares: not dense: x f32 [1,1,3,1]: expected pixel stride 1, found 3; copy it to a dense tensor first");
  CHECK(message_of([&] {
          adam_step(cpu, {0.1, 0.9, 0.999, 1e-8, 0, false, 0}, p.view(), p.view(), p.view(), p.view());
        }) == "adam_step: step: parameter f32 [1,1,1,3]: expected a count from 1, found 0");
}

}  // namespace
}  // namespace gf
