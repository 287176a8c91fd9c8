// Kernels that move pixels and compute nothing: pad.h and swap_axes.h.
#include "kernels/pad.h"
#include "kernels/swap_axes.h"
#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

struct Sizes {
  Shape s;
  std::int64_t extra;
};
const Sizes kSizes[] = {{{1, 1, 1, 1}, 0},  {{2, 3, 5, 1}, 2},  {{2, 4, 3, 8}, 0},   {{1, 5, 2, 31}, 1},
                        {{2, 1, 7, 32}, 8}, {{3, 9, 1, 64}, 0}, {{1, 31, 33, 4}, 0}, {{1, 2, 3, 257}, 0}};

// Both element types, on the CPU too.
template <class Body>
void for_cases(const Body& body) {
  for (const Sizes& size : kSizes) {
    CAPTURE(size.s.str());
    body(size.s, size.extra, float{});
    body(size.s, size.extra, bf16{});
  }
}

Values gather(const Shape& to, const auto& value) {
  Values v;
  for (std::int64_t n = 0; n < to.n; ++n)
    for (std::int64_t i = 0; i < to.h; ++i)
      for (std::int64_t j = 0; j < to.w; ++j)
        for (std::int64_t c = 0; c < to.c; ++c) v.push_back(value(n, i, j, c));
  return v;
}

TEST_CASE("swap_height_width: every pixel is where it belongs, and twice is none") {
  for_cases([](const Shape& s, std::int64_t extra, auto element) {
    using T = decltype(element);
    const auto x = Buffer<T>::random(s, extra, 1);
    const Values from = x.values();
    const Shape to{s.n, s.w, s.h, s.c};
    const Values wanted =
        gather(to, [&](auto n, auto i, auto j, auto c) { return from[at(((n * s.h + j) * s.w + i) * s.c + c)]; });
    on_every_device([&](const auto& device) {
      Buffer<T> y(to, 2 * extra), back(s, extra);
      swap_height_width(device, x.view(), y.view());
      swap_height_width(device, std::as_const(y).view(), back.view());
      CHECK(same_bits(y.values(), wanted));
      CHECK(same_bits(back.values(), from));
      CHECK((y.sentinels_intact() && back.sentinels_intact()));
      return y.values();
    });
  });
}

TEST_CASE("pad_corner and crop_corner: the corner, and zeros around it") {
  for (const auto& [below, right] : {std::pair{0, 0}, std::pair{1, 0}, std::pair{0, 2}, std::pair{3, 1}})
    for_cases([&, b = below, r = right](const Shape& s, std::int64_t extra, auto element) {
      using T = decltype(element);
      const Shape large{s.n, s.h + b, s.w + r, s.c};
      const auto x = Buffer<T>::random(s, extra, 1), full = Buffer<T>::random(large, extra, 2);
      const Values from = x.values(), whole = full.values();
      const Values padded = gather(large, [&](auto n, auto i, auto j, auto c) {
        return i < s.h && j < s.w ? from[at(((n * s.h + i) * s.w + j) * s.c + c)] : 0.0;
      });
      const Values cropped = gather(
          s, [&](auto n, auto i, auto j, auto c) { return whole[at(((n * large.h + i) * large.w + j) * s.c + c)]; });
      on_every_device([&](const auto& device) {
        Buffer<T> y(large, 2 * extra), z(s, extra);
        pad_corner(device, x.view(), y.view());
        crop_corner(device, full.view(), z.view());
        CHECK(relative_error(y.values(), padded) == 0);
        CHECK(same_bits(z.values(), cropped));
        CHECK((y.sentinels_intact() && z.sentinels_intact()));
        return y.values();
      });
    });
}

TEST_CASE("pad_corner, crop_corner, swap_height_width: errors name kernel, tensor and shapes") {
  Buffer<> small({1, 2, 2, 3}), large({1, 3, 2, 3}), wide({1, 2, 2, 4});
  on_every_device([&](const auto& device) {
    CHECK(message_of([&] { pad_corner(device, large.view(), small.view()); }) ==
          "pad_corner: maps do not fit: x f32 [1,3,2,3] and y f32 [1,2,2,3]: expected the same n and c, y at least as "
          "high and wide as x");
    CHECK(message_of([&] { crop_corner(device, small.view(), large.view()); }) ==
          "crop_corner: maps do not fit: y f32 [1,3,2,3] and x f32 [1,2,2,3]: expected the same n and c, x at least "
          "as high and wide as y");
    CHECK(message_of([&] { swap_height_width(device, large.view(), wide.view()); }) ==
          "swap_height_width: wrong shape: y f32 [1,2,2,4]: expected [1,2,3,3], found [1,2,2,4]");
    return Values{};
  });
}

}  // namespace
}  // namespace gf
