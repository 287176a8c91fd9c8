#pragma once
// exp, log, tanh and the normal distribution function in float32 without branches, so that the compiler can vectorise
// loops over them: libm's cannot be inlined, and glibc's vector versions need -ffast-math. At most 2 units in the last
// place off (tanh 3); NaN, infinities, overflow and denormal results as libm's.
//   exp(x) = 2^k exp(r),  k = round(x / ln 2),  r = x - k ln 2 in [-ln 2 / 2, ln 2 / 2],  exp(r) by Cephes' polynomial
#include <bit>
#include <cstdint>

namespace gf::cpu {

inline float exp_f32(float x) {
  x = x > 89.0f ? 89.0f : x;  // beyond the clamps the result is infinity or zero anyway; NaN passes both
  x = x < -104.0f ? -104.0f : x;
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits.
  constexpr float magic = 12582912.0f;
  const float t = x * 1.44269504f + magic;
  const float k = t - magic;
  const float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;  // ln 2 in two parts: the first product is exact
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // 2^k in two factors: k reaches 128 and -150, which no single float exponent can hold.
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(t) - std::bit_cast<std::uint32_t>(magic);
  const std::uint32_t half = static_cast<std::uint32_t>(static_cast<std::int32_t>(bits) >> 1);
  const float s0 = std::bit_cast<float>((half + 127u) << 23);
  const float s1 = std::bit_cast<float>((bits - half + 127u) << 23);
  return p * s0 * s1;
}

// ln x of a normal x > 0, at most 2 units in the last place off; of anything else a number without meaning. With
// x = 2^k m, m in [sqrt(1/2), sqrt 2):  ln x = k ln 2 + ln m,  ln m by Cephes' polynomial in m - 1.
inline float log_f32(float x) {
  constexpr std::uint32_t half_sqrt2 = 0x3f3504f3u;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x) - half_sqrt2;
  const float k = static_cast<float>(static_cast<std::int32_t>(bits) >> 23);
  const float r = std::bit_cast<float>((bits & 0x007fffffu) + half_sqrt2) - 1.0f;
  const float z = r * r;
  float p = 7.0376836292e-2f;
  p = p * r - 1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r - 1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r - 1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r - 2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  p = p * r * z + k * -2.12194440e-4f - 0.5f * z;
  return r + p + k * 0.693359375f;
}

// 1 - 2 / (exp(2|x|) + 1) with x's sign; near zero, where that cancels, an odd polynomial (Cephes).
inline float tanh_f32(float x) {
  const float a = x < 0.0f ? -x : x;
  const float far = 1.0f - 2.0f / (exp_f32(2.0f * a) + 1.0f);
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = p * z * x + x;
  return a < 0.625f ? near : x < 0.0f ? -far : far;
}

// The normal distribution function, (1 + erf(x / sqrt 2)) / 2, to 2e-7 (its lower tail to 2e-6 of itself). With
// t = |x| / sqrt 2 and u = 1 / (1 + t / 2), erfc(t) = u exp(p(u) - t^2); p is our own fit of degree 9 for t <= 12.
inline float normal_cdf_f32(float x) {
  const float t = (x < 0.0f ? -x : x) * 0.707106781f;
  const float u = 1.0f / (1.0f + 0.5f * t);
  float p = 1.577510141e-1f;
  p = p * u - 7.501815795e-1f;
  p = p * u + 1.318652954f;
  p = p * u - 9.097406788e-1f;
  p = p * u + 9.432143167e-2f;
  p = p * u - 9.025566087e-2f;
  p = p * u + 6.523265156e-2f;
  p = p * u + 3.803541216e-1f;
  p = p * u + 9.993480783e-1f;
  p = p * u - 1.265482275f;
  const float tail = 0.5f * u * exp_f32(p - t * t);
  return x < 0.0f ? tail : 1.0f - tail;
}

}  // namespace gf::cpu
