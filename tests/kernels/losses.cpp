#include "kernels/losses.h"

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

const Cpu cpu{workspace};
constexpr int kIgnore = 1000;  // beyond every number of classes below
constexpr double kUpstream = -1.75;

Values probabilities(const Values& z, std::int64_t c, double tau = 1) {
  Values p = z;
  for (std::size_t first = 0; first < z.size(); first += at(c)) {
    double top = -1e300, sum = 0;
    for (std::size_t i = first; i < first + at(c); ++i) top = std::max(top, z[i]);
    for (std::size_t i = first; i < first + at(c); ++i) sum += p[i] = std::exp((z[i] - top) / tau);
    for (std::size_t i = first; i < first + at(c); ++i) p[i] /= sum;
  }
  return p;
}

// Random labels, about every eighth to be ignored.
Buffer<std::int32_t> labels(const Shape& z, std::int64_t extra, unsigned seed) {
  Buffer<std::int32_t> label = Buffer<std::int32_t>::random({z.n, z.h, z.w, 1}, extra, seed, 0, 1e6);
  for (std::int64_t p = 0; p < z.pixels(); ++p) {
    std::int32_t& v = label.at(p, 0);
    v = v % 8 == 0 ? kIgnore : static_cast<std::int32_t>(v % z.c);
  }
  return label;
}

Values with_scalar(double v) { return {v}; }
Buffer<> upstream() { return Buffer<>::of({1, 1, 1, 1}, 0, {kUpstream}); }
Buffer<> scalar() { return Buffer<>({1, 1, 1, 1}); }

double cross_entropy(const Values& z, const Values& label, const Values& weights, std::int64_t c) {
  const Values p = probabilities(z, c);
  double loss = 0, total = 0;
  for (std::size_t q = 0; q < label.size(); ++q) {
    if (label[q] < 0 || label[q] >= static_cast<double>(c)) continue;
    const std::size_t y = static_cast<std::size_t>(label[q]);
    const double w = weights.empty() ? 1.0 : weights[y];
    loss -= w * std::log(p[q * at(c) + y]);
    total += w;
  }
  return total == 0 ? 0 : loss / total;
}

double dice_loss(const Values& z, const Values& label, double smooth, std::int64_t c) {
  const Values p = probabilities(z, c);
  double mean = 0;
  for (std::size_t k = 0; k < at(c); ++k) {
    double both = 0, predicted = 0, truth = 0;
    for (std::size_t q = 0; q < label.size(); ++q) {
      if (label[q] < 0 || label[q] >= static_cast<double>(c)) continue;
      const double t = label[q] == static_cast<double>(k) ? 1 : 0, v = p[q * at(c) + k];
      both += v * t;
      predicted += v * v;
      truth += t;
    }
    mean += (2 * both + smooth) / (predicted + truth + smooth) / static_cast<double>(c);
  }
  return 1 - mean;
}

double kd_loss(const Values& s, const Values& t, double tau, bool element_mean, std::int64_t c) {
  const Values ps = probabilities(s, c, tau), pt = probabilities(t, c, tau);
  double sum = 0;
  for (std::size_t i = 0; i < s.size(); ++i)
    if (pt[i] > 0) sum += pt[i] * std::log(pt[i] / ps[i]);
  return tau * tau * sum / static_cast<double>(element_mean ? s.size() : s.size() / at(c));
}

// Shapes small enough for central differences, and ones that take several chunks.
template <class Body>
void for_shapes(const Body& body) {
  const Shape shapes[] = {{2, 3, 2, 2},   {1, 3, 2, 9},    {1, 2, 1, 31},  {1, 1, 2, 33}, {1, 4, 3, 1},
                          {2, 65, 33, 9}, {1, 64, 61, 16}, {3, 47, 50, 2}, {1, 3, 5, 257}};
  for (const Shape& shape : shapes)
    for (const std::int64_t extra : {0, 3}) {
      INFO(shape.str(), " extra ", extra);
      body(shape, extra, shape.count() <= 72);
    }
}

TEST_CASE("cross_entropy: loss and gradient") {
  for_shapes([](const Shape& s, std::int64_t extra, bool differences) {
    const Buffer<> z = Buffer<>::random(s, extra, 1, -4, 4), weights = Buffer<>::random({1, 1, 1, s.c}, 0, 2, 0.2, 3);
    const Buffer<std::int32_t> label = labels(s, extra, 3);
    const Buffer<> up = upstream();
    for (const bool weighted : {false, true}) {
      const ConstView w = weighted ? weights.view() : ConstView{};
      const Values ws = weighted ? weights.values() : Values{};
      Buffer<> loss = scalar(), dz(s, 2 * extra);
      std::int64_t bad = -1;
      cross_entropy_forward(cpu, kIgnore, z.view(), label.view(), w, loss.view(), &bad);
      cross_entropy_backward(cpu, kIgnore, z.view(), label.view(), w, up.view(), dz.view());
      CHECK(bad == 0);
      const double want = cross_entropy(z.values(), label.values(), ws, s.c);
      if (s.c > 1) CHECK(relative_error(loss.values(), with_scalar(want)) < 1e-6);
      CHECK(dz.sentinels_intact());

      const Values ls = label.values();
      double total = 0;
      for (const double y : ls) total += y == kIgnore ? 0 : ws.empty() ? 1 : ws[static_cast<std::size_t>(y)];
      Values want_dz = probabilities(z.values(), s.c);
      for (std::size_t i = 0; i < want_dz.size(); ++i) {
        const double y = ls[i / at(s.c)];
        if (y == kIgnore) {
          want_dz[i] = 0;
          continue;
        }
        const double factor = kUpstream * (ws.empty() ? 1 : ws[static_cast<std::size_t>(y)]) / total;
        want_dz[i] = factor * (want_dz[i] - (static_cast<double>(i % at(s.c)) == y ? 1 : 0));
      }
      CHECK(relative_error(dz.values(), want_dz) < 1e-6);
      if (!differences) continue;
      const Values numeric =
          central_difference([&](const Values& v) { return kUpstream * cross_entropy(v, ls, ws, s.c); }, z.values());
      if (s.c > 1) CHECK(relative_error(dz.values(), numeric) < 1e-6);
    }
  });
}

TEST_CASE("cross_entropy: large logits, nothing to count, bad labels") {
  Buffer<> z = Buffer<>::of({1, 1, 3, 2}, 0, {1000, -1000, -1000, 1000, 3, 3});
  Buffer<std::int32_t> label = Buffer<std::int32_t>::of({1, 1, 3, 1}, 0, {0, 0, 1});
  Buffer<> loss = scalar(), dz(z.shape());
  const Buffer<> up = Buffer<>::of({1, 1, 1, 1}, 0, {1});
  std::int64_t bad = -1;
  cross_entropy_forward(cpu, kNoIgnore, z.view(), label.view(), {}, loss.view(), &bad);
  CHECK(relative_error(loss.values(), with_scalar((2000 + std::log(2.0)) / 3)) < 1e-6);

  label = Buffer<std::int32_t>::of({1, 1, 3, 1}, 0, {kIgnore, kIgnore, kIgnore});
  cross_entropy_forward(cpu, kIgnore, z.view(), label.view(), {}, loss.view(), &bad);
  cross_entropy_backward(cpu, kIgnore, z.view(), label.view(), {}, up.view(), dz.view());
  CHECK(loss.values() == Values{0});
  CHECK(dz.values() == Values(6, 0.0));
  CHECK(bad == 0);

  label = Buffer<std::int32_t>::of({1, 1, 3, 1}, 0, {2, -7, 1});  // two that are no class: left out and counted
  cross_entropy_forward(cpu, kIgnore, z.view(), label.view(), {}, loss.view(), &bad);
  cross_entropy_backward(cpu, kIgnore, z.view(), label.view(), {}, up.view(), dz.view());
  CHECK(bad == 2);
  CHECK(relative_error(loss.values(), with_scalar(std::log(2.0))) < 1e-6);
  CHECK(dz.values() == Values{0, 0, 0, 0, 0.5, -0.5});
  Buffer<> sums({1, 1, 1, 6});
  dice_loss_forward(cpu, kIgnore, 1e-5f, z.view(), label.view(), loss.view(), sums.view(), &bad);
  CHECK(bad == 2);
  cross_entropy_forward(cpu, kIgnore, z.view(), label.view(), {}, loss.view(), nullptr);
}

TEST_CASE("dice_loss: loss, sums and gradient") {
  for_shapes([](const Shape& s, std::int64_t extra, bool differences) {
    const Buffer<> z = Buffer<>::random(s, extra, 1, -4, 4);
    const Buffer<std::int32_t> label = labels(s, extra, 3);
    const Buffer<> up = upstream();
    for (const float smooth : {1e-5f, 1.0f}) {
      Buffer<> loss = scalar(), dz(s, 2 * extra), sums({1, 1, 1, 3 * s.c});
      std::int64_t bad = -1;
      dice_loss_forward(cpu, kIgnore, smooth, z.view(), label.view(), loss.view(), sums.view(), &bad);
      dice_loss_backward(cpu, kIgnore, smooth, z.view(), label.view(), sums.view(), up.view(), dz.view());
      CHECK(bad == 0);
      const Values ls = label.values(), p = probabilities(z.values(), s.c);
      const double k = static_cast<double>(smooth);
      CHECK(std::fabs(loss.values()[0] - dice_loss(z.values(), ls, k, s.c)) < 1e-6);
      Values want_sums(at(3 * s.c));
      for (std::size_t i = 0; i < p.size(); ++i) {
        const std::size_t c = i % at(s.c);
        if (ls[i / at(s.c)] == kIgnore) continue;
        const double t = ls[i / at(s.c)] == static_cast<double>(c) ? 1 : 0;
        want_sums[c] += p[i] * t;
        want_sums[at(s.c) + c] += p[i] * p[i];
        want_sums[at(2 * s.c) + c] += t;
      }
      CHECK(relative_error(sums.values(), want_sums) < 1e-6);
      Values want;
      for (std::size_t i = 0; i < p.size(); ++i) {
        const std::size_t first = i / at(s.c) * at(s.c);
        const auto slope = [&](std::size_t j) {
          const std::size_t c = j - first;
          const double d = want_sums[at(s.c) + c] + want_sums[at(2 * s.c) + c] + k, n = 2 * want_sums[c] + k;
          const double t = ls[i / at(s.c)] == static_cast<double>(c) ? 1 : 0;
          return -(2 * t / d - 2 * p[j] * n / (d * d)) / static_cast<double>(s.c);
        };
        double mean = 0;
        for (std::size_t j = first; j < first + at(s.c); ++j) mean += p[j] * slope(j);
        want.push_back(ls[i / at(s.c)] == kIgnore ? 0 : kUpstream * p[i] * (slope(i) - mean));
      }
      if (s.c > 1) CHECK(relative_error(dz.values(), want) < 5e-6);
      CHECK(dz.sentinels_intact());
      CHECK(sums.sentinels_intact());
      if (!differences || s.c == 1) continue;
      CHECK(
          relative_error(want, central_difference([&](const Values& v) { return kUpstream * dice_loss(v, ls, k, s.c); },
                                                  z.values())) < 1e-6);
    }
  });
}

TEST_CASE("kd_loss: loss and gradient") {
  for_shapes([](const Shape& s, std::int64_t extra, bool differences) {
    const Buffer<> student = Buffer<>::random(s, extra, 1, -4, 4), teacher = Buffer<>::random(s, 2 * extra, 2, -9, 9);
    const Buffer<> up = upstream();
    for (const bool element_mean : {false, true})
      for (const float tau : {1.0f, 4.0f}) {
        Buffer<> loss = scalar(), ds(s, extra);
        kd_loss_forward(cpu, tau, element_mean, student.view(), teacher.view(), loss.view());
        kd_loss_backward(cpu, tau, element_mean, student.view(), teacher.view(), up.view(), ds.view());
        const double k = static_cast<double>(tau);
        const double want = kd_loss(student.values(), teacher.values(), k, element_mean, s.c);
        if (s.c > 1) CHECK(relative_error(loss.values(), with_scalar(want)) < 2e-6);
        const Values ps = probabilities(student.values(), s.c, k), pt = probabilities(teacher.values(), s.c, k);
        Values want_ds;
        const double count = static_cast<double>(element_mean ? s.count() : s.pixels());
        for (std::size_t i = 0; i < ps.size(); ++i) want_ds.push_back(kUpstream * k / count * (ps[i] - pt[i]));
        CHECK(relative_error(ds.values(), want_ds) < 2e-6);
        CHECK(ds.sentinels_intact());
        if (!differences || s.c == 1) continue;
        CHECK(relative_error(want_ds, central_difference(
                                          [&](const Values& v) {
                                            return kUpstream * kd_loss(v, teacher.values(), k, element_mean, s.c);
                                          },
                                          student.values())) < 1e-6);
      }
  });
}

TEST_CASE("kd_loss: equal logits give 0, a certain teacher gives cross entropy") {
  const Buffer<> z = Buffer<>::random({1, 2, 2, 5}, 0, 1, -5, 5);
  Buffer<> loss = scalar();
  kd_loss_forward(cpu, 2, false, z.view(), z.view(), loss.view());
  CHECK(std::fabs(loss.values()[0]) < 1e-6);
  const Buffer<> student = Buffer<>::of({1, 1, 1, 2}, 0, {1, 2}), teacher = Buffer<>::of({1, 1, 1, 2}, 0, {500, -500});
  kd_loss_forward(cpu, 1, false, student.view(), teacher.view(), loss.view());
  CHECK(relative_error(loss.values(), with_scalar(std::log(1 + std::exp(1.0)))) < 1e-6);
}

TEST_CASE("mse: loss and gradient") {
  for (const Shape& s : {Shape{2, 3, 5, 1}, Shape{1, 3, 2, 33}, Shape{2, 65, 67, 16}, Shape{1, 1, 1, 257}})
    for (const std::int64_t extra : {0, 3}) {
      INFO(s.str(), " extra ", extra);
      const Buffer<> a = Buffer<>::random(s, extra, 1), b = Buffer<>::random(s, 2 * extra, 2), up = upstream();
      Buffer<> loss = scalar(), da(s, extra);
      mse_forward(cpu, a.view(), b.view(), loss.view());
      mse_backward(cpu, a.view(), b.view(), up.view(), da.view());
      const Values as = a.values(), bs = b.values();
      double want = 0;
      Values want_da;
      for (std::size_t i = 0; i < as.size(); ++i) {
        want += (as[i] - bs[i]) * (as[i] - bs[i]) / static_cast<double>(s.count());
        want_da.push_back(kUpstream * 2 * (as[i] - bs[i]) / static_cast<double>(s.count()));
      }
      CHECK(relative_error(loss.values(), with_scalar(want)) < 1e-6);
      CHECK(relative_error(da.values(), want_da) < 1e-6);
      CHECK(da.sentinels_intact());
    }
}

TEST_CASE("losses: the same bits on any number of threads") {
  same_on_any_threads([] {
    const Shape s{2, 97, 89, 9};
    const Buffer<> z = Buffer<>::random(s, 0, 1, -4, 4), t = Buffer<>::random(s, 0, 2, -4, 4);
    const Buffer<std::int32_t> label = labels(s, 0, 3);
    Buffer<> loss = scalar(), sums({1, 1, 1, 27});
    Values all;
    cross_entropy_forward(cpu, kIgnore, z.view(), label.view(), {}, loss.view(), nullptr);
    append(all, loss.values());
    dice_loss_forward(cpu, kIgnore, 1e-5f, z.view(), label.view(), loss.view(), sums.view(), nullptr);
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
  Buffer<std::int32_t> label({1, 2, 3, 1}), one({1, 1, 1, 1});
  CHECK(message_of([&] { cross_entropy_forward(cpu, kNoIgnore, z.view(), label.view(), {}, loss.view(), nullptr); }) ==
        "cross_entropy_forward: wrong shape: label i32 [1,2,3,1]: expected [1,2,2,1], found [1,2,3,1]");
  CHECK(message_of([&] { cross_entropy_forward(cpu, kNoIgnore, z.view(), z.view(), {}, loss.view(), nullptr); }) ==
        "cross_entropy_forward: wrong dtype: label f32 [1,2,2,3]: expected i32, found f32");
  CHECK(message_of([&] { cross_entropy_forward(cpu, kNoIgnore, wide.view(), one.view(), {}, loss.view(), nullptr); }) ==
        "cross_entropy_forward: number of classes: z f32 [1,1,1,2000]: expected 1 to 512, found 2000");
  CHECK(message_of([&] { kd_loss_forward(cpu, 0, true, z.view(), z.view(), loss.view()); }) ==
        "kd_loss_forward: temperature: student f32 [1,2,2,3]: expected tau > 0, found 0.000000");
  CHECK(message_of([&] { mse_forward(cpu, z.view(), z.view(), three.view()); }) ==
        "mse_forward: wrong shape: loss f32 [1,1,1,3]: expected [1,1,1,1], found [1,1,1,3]");
}

}  // namespace
}  // namespace gf
