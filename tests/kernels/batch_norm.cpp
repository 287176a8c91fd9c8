#include "tests/kernels/batch_norm_reference.h"

namespace gf {
namespace {

using namespace harness;

// On every device that takes T.
template <class T, class Run>
void on_devices(const Run& run) {
  if constexpr (std::is_same_v<T, float>) {
    on_every_device(run);
  } else {
    on_every_gpu(run);
  }
}

// The executor is slow: these are for the CPU's chunks, smaller ones for the GPU's.
bool only_for_cpu(const Shape& shape) { return shape.count() > 40000; }

// body(fresh tensors) for channels with and without packs of 16 bytes, one chunk of pixels and several.
template <class T, class Body>
void for_cases(const Body& body) {
  const Shape shapes[] = {{2, 3, 5, 1},   {2, 3, 5, 3},    {2, 5, 3, 31},   {3, 2, 3, 32},  {2, 2, 2, 33},
                          {1, 3, 1, 257}, {4, 1, 1, 64},   {2, 29, 41, 16}, {1, 5, 31, 70}, {1, 7, 33, 31},
                          {1, 5, 37, 96}, {2, 37, 41, 16}, {1, 40, 31, 70}, {2, 33, 32, 31}};
  for (const Shape& shape : shapes)
    for (const std::int64_t extra : {0, 3, 8})
      for (const Act act : kActs)
        for (const bool adds : {false, true}) {
          if (only_for_cpu(shape) && !std::is_same_v<T, float>) continue;
          if (extra == 8 && shape.c % 8 != 0) continue;  // wide pixels in packs
          if (shape.count() > 5000 && adds != (act == Act::relu6)) continue;
          INFO(shape.str(), " extra ", extra, " act ", static_cast<int>(act), " residual ", adds);
          Case<T> fresh(shape, extra, act, adds);
          body(fresh);
        }
}

// check(device, tensors of its own) on every device that takes T.
template <class T, class Check>
void run_case(const Case<T>& fresh, const Check& check) {
  const auto run = [&](const auto& device) {
    Case<T> c = fresh;
    check(device, c);
    c.check_sentinels();
    return c.outputs();
  };
  if constexpr (std::is_same_v<T, float>) {
    if (only_for_cpu(fresh.shape)) return void(run(Cpu{workspace}));
  }
  on_devices<T>(run);
}

// The largest error of a mean, in spreads of its channel; without the rounding of the mean itself.
double error_in_spreads(const Values& mean, const Values& want, const Values& inv_std) {
  double worst = 0;
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const double error = std::fabs(mean[i] - want[i]) - std::fabs(want[i]) / (1 << 24);
    worst = std::isnan(error) ? INFINITY : std::max(worst, error * inv_std[i]);
  }
  return worst;
}

TEST_CASE("batch_norm_train: output, saved and running statistics") {
  for_every_element([](auto element, double rounding) {
    for_cases<decltype(element)>([&](auto& fresh) {
      const Values x = fresh.x.values(), old_mean = fresh.running_mean.values(), old_var = fresh.running_var.values();
      const Statistics s = statistics(x, fresh.shape.c);
      const Values y = fresh.expected(s);
      const Values inv_std = inverse_std(fresh.p, s);
      Values new_mean, new_var;
      const double n = static_cast<double>(fresh.shape.pixels()), m = static_cast<double>(fresh.p.momentum);
      for (std::size_t i = 0; i < s.mean.size(); ++i) {
        new_mean.push_back((1 - m) * old_mean[i] + m * s.mean[i]);
        new_var.push_back((1 - m) * old_var[i] + m * s.var[i] * n / (n - 1));
      }
      run_case(fresh, [&](const auto& device, auto& c) {
        c.train(device);
        CHECK(relative_error(c.y.values(), y) < 1e-6 + rounding);
        CHECK(error_in_spreads(c.mean.values(), s.mean, inv_std) < 2e-7);
        CHECK(relative_error(c.inv_std.values(), inv_std) < 1e-6);
        CHECK(relative_error(c.running_mean.values(), new_mean) < 1e-6);
        CHECK(relative_error(c.running_var.values(), new_var) < 1e-6);
      });
    });
  });
}

TEST_CASE("batch_norm_eval: running statistics") {
  for_every_element([](auto element, double rounding) {
    for_cases<decltype(element)>([&](auto& fresh) {
      const Statistics s{fresh.running_mean.values(), fresh.running_var.values()};
      const Values y = fresh.expected(s);
      run_case(fresh, [&](const auto& device, auto& c) {
        c.eval(device);
        CHECK(relative_error(c.y.values(), y) < 1e-6 + rounding);
      });
    });
  });
}

TEST_CASE("batch_norm_backward: closed form in double") {
  for_every_element([](auto element, double rounding) {
    for_cases<decltype(element)>([&](auto& fresh) {
      const Statistics s = statistics(fresh.x.values(), fresh.shape.c);
      fresh.mean = Buffer<>::of(fresh.vector(), 0, s.mean);
      fresh.inv_std = Buffer<>::of(fresh.vector(), 0, inverse_std(fresh.p, s));
      fresh.y = decltype(fresh.y)::of(fresh.shape, fresh.x.view().pixel_stride - fresh.shape.c, fresh.expected(s));
      for (const bool training : {true, false}) {  // false: statistics as constants
        const Gradients want = reference_backward(fresh, training);
        run_case(fresh, [&](const auto& device, auto& c) {
          c.backward(device, training);
          // dx is worked from d_residual as stored; a slope times dy was rounded there.
          CHECK(relative_error(c.dx.values(), want.dx) < 2e-6 + static_cast<double>(1 + c.p.slope) * rounding);
          CHECK(relative_error(c.dgamma.values(), want.dgamma) < 2e-6);
          CHECK(relative_error(c.dbeta.values(), want.dbeta) < 2e-6);
          if (c.p.act == Act::prelu)
            for (std::size_t i = 0; i < want.d_slope.size(); ++i)
              CHECK(std::fabs(c.d_slope.values()[i] - want.d_slope[i]) <= 1e-6 * want.slope_terms);
          if (c.adds) CHECK(relative_error(c.d_residual.values(), want.g) < 1e-6 + rounding);
        });
      }
    });
  });
}

TEST_CASE("batch_norm_backward: central differences of the forward in double") {
  for (const bool training : {true, false})
    for (const Act act : kActs)
      for (const bool adds : {false, true}) {
        INFO("training ", training, " act ", static_cast<int>(act), " residual ", adds);
        const Case<> fresh({2, 3, 2, 3}, 1, act, adds);
        const Values x = fresh.x.values(), gamma = fresh.gamma.values(), beta = fresh.beta.values();
        const Values residual = fresh.added_values(), dy = fresh.dy.values(), slopes = fresh.slope.values();
        const Statistics fixed = statistics(x, 3);
        const auto loss = [&](const Values& xs, const Values& g, const Values& b, const Values& r, const Values& a) {
          return dot(dy, normalised(fresh.p, xs, training ? statistics(xs, 3) : fixed, g, b, r, a));
        };
        const Values dx = central_difference([&](const Values&v) { return loss(v, gamma, beta, residual, slopes); }, x),
                     dgamma =
                         central_difference([&](const Values&v) { return loss(x, v, beta, residual, slopes); }, gamma),
                     dbeta =
                         central_difference([&](const Values&v) { return loss(x, gamma, v, residual, slopes); }, beta),
                     dr = central_difference([&](const Values&v) { return loss(x, gamma, beta, v, slopes); }, residual),
                     da = central_difference([&](const Values&v) { return loss(x, gamma, beta, residual, v); }, slopes);
        on_every_device([&](const auto& device) {
          Case<> c = fresh;
          c.train(device);
          c.backward(device, training);
          CHECK(relative_error(c.dx.values(), dx) < 1e-5);
          CHECK(relative_error(c.dgamma.values(), dgamma) < 1e-5);
          CHECK(relative_error(c.dbeta.values(), dbeta) < 1e-5);
          if (act == Act::prelu) CHECK(relative_error(c.d_slope.values(), da) < 1e-5);
          if (adds) CHECK(relative_error(c.d_residual.values(), dr) < 1e-5);
          return c.outputs();
        });
      }
}

TEST_CASE("batch_norm_train: statistics hold for large means and for a first pixel far from the rest") {
  for (const double mean : {1e2, 1e4, -1e5}) {
    INFO("mean ", mean);
    const Case<> fresh({4, 64, 64, 16}, 0, Act::none, false, mean - 1, mean + 1);
    const Statistics s = statistics(fresh.x.values(), 16);
    const Values y = fresh.expected(s);
    on_every_device([&](const auto& device) {
      Case<> c = fresh;
      c.train(device);
      CHECK(relative_error(c.mean.values(), s.mean) < 1e-7);
      CHECK(relative_error(c.inv_std.values(), inverse_std(c.p, s)) < 1e-6);
      CHECK(relative_error(c.y.values(), y) < 1e-6);
      return c.outputs();
    });
  }
  // A map that holds one value but for a rare other: the worst case of a badly chosen shift.
  Case<> fresh({1, 131, 128, 5}, 0, Act::none, false, 0.7, 0.7);
  for (std::int64_t p = 0; p < fresh.shape.pixels(); p += 997)
    for (std::int64_t k = 0; k < 5; ++k) fresh.x.at(p, k) = 100.0f * static_cast<float>(k + 1);
  const Statistics s = statistics(fresh.x.values(), 5);
  on_every_device([&](const auto& device) {
    Case<> c = fresh;
    c.train(device);
    CHECK(relative_error(c.inv_std.values(), inverse_std(c.p, s)) < 1e-6);
    const Gradients want = reference_backward(c, true);
    c.backward(device, true);
    CHECK(relative_error(c.dgamma.values(), want.dgamma) < 2e-6);
    CHECK(relative_error(c.dbeta.values(), want.dbeta) < 2e-6);
    return c.outputs();
  });
}

TEST_CASE("batch_norm: a constant channel and a single pixel have variance 0") {
  for (const Shape& shape : {Shape{2, 30, 30, 4}, Shape{1, 1, 1, 4}})
    on_every_device([&](const auto& device) {
      Case<> c(shape, 0, Act::none, false, 0.1, 0.1);
      const Values old_var = c.running_var.values();
      c.train(device);
      Values y, var;
      for (std::int64_t i = 0; i < shape.count(); ++i) y.push_back(c.beta.values()[at(i % 4)]);
      for (const double v : old_var) var.push_back(0.9 * v);
      CHECK(relative_error(c.y.values(), y) < 1e-6);
      CHECK(relative_error(c.running_var.values(), var) < 1e-6);
      c.backward(device, true);
      for (const double v : c.dx.values()) CHECK(std::isfinite(v));
      return c.outputs();
    });
}

TEST_CASE("batch_norm: no pixels change nothing, and gradients of parameters are zero") {
  on_every_device([&](const auto& device) {
    Case<> c({0, 3, 3, 5}, 0, Act::prelu, true);
    const Values before = c.running_var.values();
    c.train(device);
    CHECK(same_bits(c.running_var.values(), before));
    c.mean = c.inv_std = c.gamma;
    c.backward(device, true);
    CHECK(same_bits(c.dgamma.values(), Values(5)));
    CHECK(same_bits(c.dbeta.values(), Values(5)));
    CHECK(same_bits(c.d_slope.values(), Values(5)));
    return c.outputs();
  });
}

TEST_CASE("batch_norm: outputs may alias inputs") {
  for_every_element([](auto element, double) {
    using T = decltype(element);
    for (const std::int64_t extra : {0, 3})
      on_devices<T>([&](const auto& device) {
        const Case<T> fresh({2, 9, 11, 24}, extra, Act::relu, true);
        Case<T> apart = fresh, together = fresh;
        apart.train(device);
        batch_norm_train(device, together.p, together.x.view(), together.gamma.view(), together.beta.view(),
                         together.residual.view(), together.running_mean.view(), together.running_var.view(),
                         together.mean.view(), together.inv_std.view(), together.residual.view());
        CHECK(same_bits(together.residual.values(), apart.y.values()));

        Case<T> over_dy = apart, keeps_dy = apart;
        apart.backward(device, true);
        batch_norm_backward(device, over_dy.p, true, over_dy.x.view(), over_dy.y.view(), over_dy.dy.view(),
                            over_dy.gamma.view(), over_dy.mean.view(), over_dy.inv_std.view(), over_dy.dy.view(),
                            over_dy.dgamma.view(), over_dy.dbeta.view(), over_dy.d_residual.view());
        CHECK(same_bits(over_dy.dy.values(), apart.dx.values()));
        CHECK(same_bits(over_dy.d_residual.values(), apart.d_residual.values()));
        batch_norm_backward(device, keeps_dy.p, true, keeps_dy.x.view(), keeps_dy.y.view(), keeps_dy.dy.view(),
                            keeps_dy.gamma.view(), keeps_dy.mean.view(), keeps_dy.inv_std.view(), keeps_dy.dx.view(),
                            keeps_dy.dgamma.view(), keeps_dy.dbeta.view(), keeps_dy.dy.view());
        CHECK(same_bits(keeps_dy.dx.values(), apart.dx.values()));
        CHECK(same_bits(keeps_dy.dy.values(), apart.d_residual.values()));
        return apart.outputs();
      });
  });
}

TEST_CASE("batch_norm_backward: without an activation y need not be there") {
  on_every_device([&](const auto& device) {
    Case<> c({2, 5, 3, 12}, 0, Act::none, false);
    c.train(device);
    c.backward(device, true);
    Buffer<> dx(c.shape);
    batch_norm_backward(device, c.p, true, c.x.view(), {}, c.dy.view(), c.gamma.view(), c.mean.view(), c.inv_std.view(),
                        dx.view(), c.dgamma.view(), c.dbeta.view(), {});
    CHECK(same_bits(dx.values(), c.dx.values()));
    return dx.values();
  });
}

TEST_CASE("batch_norm: the same bits on any number of threads") {
  for (const Act act : {Act::relu, Act::prelu})
    for (const bool adds : {true, false})
      same_on_any_threads([&] {
        const Cpu cpu{workspace};
        Case<> c({3, 61, 53, 48}, 0, act, adds);
        c.train(cpu);
        c.backward(cpu, true);
        return c.outputs();
      });
}

TEST_CASE("batch_norm: prelu with a slope of 0 is relu, with one of 1 no activation") {
  on_every_device([&](const auto& device) {
    Values all;
    for (const auto& [slope, act] : {std::pair{0.0f, Act::relu}, std::pair{1.0f, Act::none}}) {
      Case<> plain({2, 5, 7, 12}, 3, act, true), learned({2, 5, 7, 12}, 3, Act::prelu, true);
      for (std::int64_t i = 0; i < learned.slope.shape().c; ++i) learned.slope.at(0, i) = slope;
      for (Case<>* c : {&plain, &learned}) {
        c->train(device);
        c->backward(device, true);
      }
      CHECK(relative_error(learned.y.values(), plain.y.values()) == 0);
      CHECK(relative_error(learned.dx.values(), plain.dx.values()) == 0);
      CHECK(relative_error(learned.d_residual.values(), plain.d_residual.values()) == 0);
      append(all, learned.outputs());
    }
    return all;
  });
}

TEST_CASE("batch_norm_backward: in evaluation an infinite x does not reach dx through prelu but by its slope") {
  on_every_device([&](const auto& device) {
    Case<> c({1, 2, 3, 4}, 0, Act::prelu, false);
    c.mean = c.running_mean;
    c.inv_std = Buffer<>::of(c.vector(), 0, {1, 1, 1, 1});
    c.x.at(2, 1) = -std::numeric_limits<float>::infinity();
    c.backward(device, false);
    for (const double v : c.dx.values()) CHECK(std::isfinite(v));
    return c.dx.values();
  });
}

TEST_CASE("batch_norm: NaN is not hidden by the activation") {
  for_every_element([](auto element, double) {
    using T = decltype(element);
    for (const Act act : kActs)
      on_devices<T>([&](const auto& device) {
        Case<T> c({1, 4, 4, 8}, 0, act, false);
        c.x.at(5, 2) = element_of<T>(std::numeric_limits<double>::quiet_NaN());
        c.train(device);
        for (std::int64_t p = 0; p < 16; ++p) {
          CHECK(std::isnan(number_of<T>(c.y.at(p, 2))));
          CHECK(!std::isnan(number_of<T>(c.y.at(p, 3))));
        }
        CHECK(std::isnan(c.running_var.values()[2]));
        return c.outputs();
      });
  });
}

TEST_CASE("batch_norm: errors name kernel, tensor and shapes") {
  Case<> c({1, 2, 2, 4}, 0, Act::none, false);
  Buffer<> wide({1, 1, 1, 5}), other({1, 2, 3, 4});
  Buffer<bf16> narrow({1, 2, 2, 4});
  Buffer<std::int32_t> ints({1, 2, 2, 4});
  const auto message = [&](const auto& device, const ConstView& x, const ConstView& gamma, const View& y) {
    return message_of([&] {
      batch_norm_eval(device, c.p, x, gamma, c.beta.view(), {}, c.running_mean.view(), c.running_var.view(), y);
    });
  };
  on_every_device([&](const auto& device) {
    CHECK(message(device, c.x.view(), wide.view(), c.y.view()) ==
          "batch_norm_eval: wrong shape: gamma f32 [1,1,1,5]: expected [1,1,1,4], found [1,1,1,5]");
    CHECK(message(device, c.x.view(), c.gamma.view(), other.view()) ==
          "batch_norm_eval: shapes differ: x f32 [1,2,2,4] and y f32 [1,2,3,4]: expected the same shape");
    CHECK(message(device, c.x.view(), c.gamma.view(), narrow.view()) ==
          "batch_norm_eval: wrong dtype: y bf16 [1,2,2,4]: expected f32, found bf16");
    const std::string dtypes = std::is_same_v<std::decay_t<decltype(device)>, Cpu> ? "f32" : "f32 or bf16";
    CHECK(message(device, ints.view(), c.gamma.view(), c.y.view()) ==
          "batch_norm_eval: wrong dtype: x i32 [1,2,2,4]: expected " + dtypes + ", found i32");
    return Values{};
  });
}

}  // namespace
}  // namespace gf
