// Augmentation against its formula, mirrors made one after the other and everything else in double. All devices must
// give the CPU's bits.
#include "kernels/augment.h"

#include <algorithm>
#include <cstring>
#include <numbers>
#include <random>

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

struct Case {
  Shape shape;
  BatchChange batch;
  std::vector<PictureChange> changes;
  Buffer<> from, to, outside;
  Buffer<std::int32_t> words, from_labels, to_labels;  // words: `changes`, where the kernel finds them

  Case(const Shape& s, std::int64_t extra, bool levels, std::vector<PictureChange> changes_)
      : shape(s),
        batch{-7, levels},
        changes(std::move(changes_)),
        from(Buffer<>::random(s, extra, 1, -2, 3)),
        to(s, 2 * extra),
        outside(Buffer<>::random({s.n, 1, 1, s.c}, extra, 2, -4, -3)),
        words(words_of(changes)),
        from_labels(Buffer<std::int32_t>::random(one_channel(), extra, 3, 0, 100)),
        to_labels(one_channel(), extra) {}

  Shape one_channel() const { return {shape.n, shape.h, shape.w, 1}; }
  ConstView pictures() const { return words.view(); }
  static Buffer<std::int32_t> words_of(const std::vector<PictureChange>& changes) {
    Values all;
    for (const PictureChange& p : changes) {
      std::int32_t each[kChangeWords];
      std::memcpy(each, &p, sizeof p);
      all.insert(all.end(), each, each + kChangeWords);
    }
    return Buffer<std::int32_t>::of({static_cast<std::int64_t>(changes.size()), 1, 1, kChangeWords}, 0, all);
  }
  template <class Device>
  Values run(const Device& device) {
    augment_pictures(device, batch, pictures(), outside.view(), from.view(), from_labels.view(), to.view(),
                     to_labels.view());
    for (const Buffer<>* b : {&from, &to, &outside}) CHECK(b->sentinels_intact());
    for (const Buffer<std::int32_t>* b : {&from_labels, &to_labels}) CHECK(b->sentinels_intact());
    Values all = to.values();
    append(all, to_labels.values());
    return all;
  }
};

// One picture: rows of pixels of channels.
struct Plain {
  std::int64_t h, w, c;
  Values v;

  double& at(std::int64_t y, std::int64_t x, std::int64_t k) { return v[harness::at((y * w + x) * c + k)]; }
  bool has(std::int64_t y, std::int64_t x) const { return y >= 0 && y < h && x >= 0 && x < w; }
  // out(y, x) = this(rule(y, x))
  template <class Rule>
  Plain moved(const Rule& rule) {
    Plain out = *this;
    for (std::int64_t y = 0; y < h; ++y)
      for (std::int64_t x = 0; x < w; ++x)
        for (std::int64_t k = 0; k < c; ++k) {
          const auto [from_y, from_x] = rule(y, x);
          out.at(y, x, k) = at(from_y, from_x, k);
        }
    return out;
  }
  Plain mirrored(const PictureChange& p) {
    Plain m = *this;
    if (p.swap && h == w) m = m.moved([](auto y, auto x) { return std::pair(x, y); });
    if (p.mirror_x) m = m.moved([&](auto y, auto x) { return std::pair(y, w - 1 - x); });
    if (p.mirror_y) m = m.moved([&](auto y, auto x) { return std::pair(h - 1 - y, x); });
    return m;
  }
  // read(v, u, channel) of every pixel's position
  template <class Read>
  Plain turned(const PictureChange& p, const Read& read) const {
    Plain out = *this;
    const double middle_y = static_cast<double>(h - 1) / 2, middle_x = static_cast<double>(w - 1) / 2;
    for (std::int64_t y = 0; y < h; ++y)
      for (std::int64_t x = 0; x < w; ++x) {
        const double dy = static_cast<double>(y) - middle_y, dx = static_cast<double>(x) - middle_x;
        for (std::int64_t k = 0; k < c; ++k)
          out.at(y, x, k) = read(p.cosine * dy - p.sine * dx + middle_y, p.sine * dy + p.cosine * dx + middle_x, k);
      }
    return out;
  }
};

Values reference(const Case& c) {
  const Values from = c.from.values(), from_labels = c.from_labels.values(), outside = c.outside.values();
  const std::int64_t pixels = c.shape.h * c.shape.w, elements = pixels * c.shape.c;
  Values all, all_labels;
  for (std::int64_t n = 0; n < c.shape.n; ++n) {
    const PictureChange& p = c.changes[at(n)];
    Plain m = Plain{c.shape.h, c.shape.w, c.shape.c, {from.begin() + n * elements, from.begin() + (n + 1) * elements}}
                  .mirrored(p);
    Plain ids =
        Plain{c.shape.h, c.shape.w, 1, {from_labels.begin() + n * pixels, from_labels.begin() + (n + 1) * pixels}}
            .mirrored(p);
    if (p.turns) {
      Plain source = m, label_source = ids;
      m = m.turned(p, [&](double v, double u, std::int64_t k) {
        double sum = 0;
        for (std::int64_t y = static_cast<std::int64_t>(std::floor(v)); y <= std::floor(v) + 1; ++y)
          for (std::int64_t x = static_cast<std::int64_t>(std::floor(u)); x <= std::floor(u) + 1; ++x) {
            const double there = source.has(y, x) ? source.at(y, x, k) : outside[at(n * c.shape.c + k)];
            sum += (1 - std::fabs(v - static_cast<double>(y))) * (1 - std::fabs(u - static_cast<double>(x))) * there;
          }
        return sum;
      });
      ids = ids.turned(p, [&](double v, double u, std::int64_t) {
        const auto y = static_cast<std::int64_t>(std::floor(v + 0.5)),
                   x = static_cast<std::int64_t>(std::floor(u + 0.5));
        return label_source.has(y, x) ? label_source.at(y, x, 0) : static_cast<double>(c.batch.outside_label);
      });
    }
    const auto [low, most] = std::minmax_element(m.v.begin(), m.v.end());
    const double least = *low, range = *most - *low;
    if (c.batch.levels && range > 0)
      for (double& x : m.v)
        x = least + range * (static_cast<double>(p.gain) * std::pow((x - least) / range, static_cast<double>(p.gamma)) +
                             static_cast<double>(p.offset));
    append(all, m.v);
    append(all_labels, ids.v);
  }
  append(all, all_labels);
  return all;
}

PictureChange random_change(std::mt19937& engine) {
  const auto draw = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine); };
  const double angle = draw(-std::numbers::pi, std::numbers::pi), zoom = draw(0.5, 2);
  PictureChange p;
  p.turns = draw(0, 3) < 2;
  p.cosine = std::cos(angle) / zoom;
  p.sine = std::sin(angle) / zoom;
  for (std::int32_t* flag : {&p.swap, &p.mirror_x, &p.mirror_y}) *flag = draw(0, 1) < 0.5;
  p.gain = static_cast<float>(draw(0.8, 1.2));
  p.offset = static_cast<float>(draw(-0.1, 0.1));
  // A power below 1 makes a lot of a turned pixel's rounding where it is near the least value.
  p.gamma = draw(0, 3) < 1 ? 1.0f : static_cast<float>(draw(p.turns ? 1.0 : 0.5, 2));
  return p;
}

// Values against the reference, labels exactly; every device has the CPU's bits.
void check(Case& c) {
  const Values want = reference(c), wanted_labels(want.end() - c.shape.pixels(), want.end());
  Values bits;
  on_every_device([&](const auto& device) {
    Case mine = c;
    const Values got = mine.run(device);
    CHECK(relative_error({got.begin(), got.begin() + c.shape.count()}, {want.begin(), want.begin() + c.shape.count()}) <
          4e-6);
    CHECK(same_bits({got.end() - c.shape.pixels(), got.end()}, wanted_labels));
    if (bits.empty()) bits = got;
    CHECK(same_bits(got, bits));
    return got;
  });
}

TEST_CASE("augment_pictures: mirrors, turns and levels of every picture of a batch by its own numbers") {
  std::mt19937 engine(5);
  const Shape shapes[] = {{1, 1, 1, 1},   {5, 3, 5, 1},    {6, 7, 7, 3},  {2, 31, 31, 2},
                          {2, 32, 32, 1}, {1, 33, 33, 33}, {1, 257, 3, 1}};
  for (const Shape& shape : shapes)
    for (const std::int64_t extra : {0, 3})
      for (const bool levels : {false, true}) {
        INFO(shape.str(), " extra ", extra, " levels ", levels);
        std::vector<PictureChange> changes;
        for (std::int64_t n = 0; n < shape.n; ++n) changes.push_back(random_change(engine));
        Case c(shape, extra, levels, std::move(changes));
        check(c);
      }
}

TEST_CASE("augment_pictures: all eight positions of a square, and no swap of what is not square") {
  for (const Shape& shape : {Shape{1, 4, 4, 2}, Shape{1, 3, 4, 2}})
    for (int bits = 0; bits < 8; ++bits) {
      INFO(shape.str(), " bits ", bits);
      PictureChange p;
      p.swap = bits & 1;
      p.mirror_x = bits & 2;
      p.mirror_y = bits & 4;
      Case c(shape, 0, false, {p});
      check(c);
    }
}

TEST_CASE("augment_pictures: half positions, whole quarters and zooms that land on pixels") {
  for (const double cosine : {1.0, 0.0, -1.0, 2.0, 0.5, 0.25})
    for (const double sine : {0.0, 1.0, -1.0, 0.5}) {
      INFO(cosine, " ", sine);
      PictureChange p;
      p.turns = 1;
      p.cosine = cosine;
      p.sine = sine;
      Case c({1, 9, 8, 1}, 0, false, {p});
      check(c);
    }
}

TEST_CASE("augment_pictures: levels leave a constant picture alone, an empty batch is nothing") {
  PictureChange p;
  p.gain = 0.8f, p.offset = 0.1f, p.gamma = 1.7f;
  on_every_device([&](const auto& device) {
    Case c({1, 20, 20, 1}, 0, true, {p});
    for (std::int64_t i = 0; i < 400; ++i) c.from.at(i, 0) = 0.3f;
    c.run(device);
    CHECK(same_bits(c.to.values(), c.from.values()));
    Case none({0, 3, 3, 1}, 0, true, {});
    none.run(device);
    return c.to.values();
  });
}

TEST_CASE("augment_pictures: the same bits on any number of threads") {
  std::mt19937 engine(6);
  std::vector<PictureChange> changes;
  for (int n = 0; n < 7; ++n) changes.push_back(random_change(engine));
  same_on_any_threads([&] { return Case({7, 30, 40, 3}, 0, true, changes).run(Cpu{}); });
}

TEST_CASE("augment_pictures: errors name kernel, tensor and shapes") {
  on_every_device([&](const auto& device) {
    Case c({1, 3, 3, 1}, 0, false, {{}});
    Buffer<> wide({1, 3, 3, 2});
    const auto message = [&](const ConstView& pictures, const View& to) {
      return message_of([&] {
        augment_pictures(device, c.batch, pictures, c.outside.view(), c.from.view(), c.from_labels.view(), to,
                         c.to_labels.view());
      });
    };
    CHECK(message(c.pictures(), wide.view()) ==
          "augment_pictures: shapes differ: from f32 [1,3,3,1] and to f32 [1,3,3,2]: expected the same shape");
    CHECK(message({c.pictures().data, DType::i32, {1, 1, 1, 4}}, c.to.view()) ==
          "augment_pictures: wrong shape: pictures i32 [1,1,1,4]: expected [1,1,1,12], found [1,1,1,4]");
    return Values{};
  });
}

}  // namespace
}  // namespace gf
