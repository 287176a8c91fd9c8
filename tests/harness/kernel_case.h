#pragma once
// What the cases of a kernel family need: buffers with sentinels and NaN, views wider than their channels, scratch
// memory, and one call that runs a case on every device that has a body here (test_device.h).
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/bf16.h"
#include "kernels/context.h"
#include "kernels/view.h"
#include "tests/harness/test_device.h"

namespace gf::harness {

// Scratch memory for one kernel call: a fresh block, exactly as long as asked for and full of NaN bits, so that
// AddressSanitizer sees an overrun and a result built on unwritten scratch does not pass.
inline void* workspace(std::size_t bytes) {
  static std::vector<std::byte> memory;
  constexpr std::size_t kAlignment = 256;
  memory = std::vector<std::byte>(bytes + kAlignment, std::byte{0xff});
  const std::size_t over = reinterpret_cast<std::uintptr_t>(memory.data()) % kAlignment;
  return memory.data() + (kAlignment - over) % kAlignment;
}

template <class T>
struct Element;
template <>
struct Element<float> {
  static constexpr DType dtype = DType::f32;
  static constexpr float sentinel = 12345.5f;
  static constexpr float unwritten = std::numeric_limits<float>::quiet_NaN();
};
template <>
struct Element<std::int32_t> {
  static constexpr DType dtype = DType::i32;
  static constexpr std::int32_t sentinel = -12345, unwritten = -54321;
};
template <>
struct Element<bf16> {
  static constexpr DType dtype = DType::bf16;
  static constexpr bf16 sentinel{0x4640}, unwritten{0xffff};
};
template <>
struct Element<std::uint8_t> {
  static constexpr DType dtype = DType::u8;
  static constexpr std::uint8_t sentinel = 123, unwritten = 0xff;
};

// A number as an element, rounded to its type, and back.
template <class T>
T element_of(double v) {
  if constexpr (std::is_same_v<T, bf16>) {
    return to_bf16(static_cast<float>(v));
  } else {
    return static_cast<T>(v);
  }
}
template <class T>
double number_of(T v) {
  if constexpr (std::is_same_v<T, bf16>) {
    return static_cast<double>(to_float(v));
  } else {
    return static_cast<double>(v);
  }
}

// A tensor whose pixels lie `extra` elements further apart than their channels need. Its elements start as NaN; the
// gaps between pixels and a margin on both sides hold sentinels.
template <class T = float>
class Buffer {
 public:
  explicit Buffer(Shape shape, std::int64_t extra = 0)
      : shape_(shape),
        stride_(shape.c + extra),
        memory_(static_cast<std::size_t>(kMargin + shape.pixels() * stride_ + kMargin), sentinel) {
    for_each([](T& v, std::int64_t) { v = Element<T>::unwritten; });
  }

  // Uniform numbers in [low, high].
  static Buffer random(Shape shape, std::int64_t extra, unsigned seed, double low = -1, double high = 1) {
    Buffer b(shape, extra);
    std::mt19937 engine(seed);
    std::uniform_real_distribution<double> uniform(low, high);
    b.for_each([&](T& v, std::int64_t) { v = element_of<T>(uniform(engine)); });
    return b;
  }
  // All elements in NHWC order.
  static Buffer of(Shape shape, std::int64_t extra, const std::vector<double>& values) {
    Buffer b(shape, extra);
    b.for_each([&](T& v, std::int64_t i) { v = element_of<T>(values[static_cast<std::size_t>(i)]); });
    return b;
  }

  View view() { return {memory_.kernel_writes() + kMargin, Element<T>::dtype, shape_, stride_}; }
  ConstView view() const { return {memory_.kernel_reads() + kMargin, Element<T>::dtype, shape_, stride_}; }
  const Shape& shape() const { return shape_; }

  // One element, to be read or assigned. It has no address: kernels get views.
  class Place {
   public:
    Place(Buffer& b, std::size_t i) : b_(b), i_(i) {}
    Place(const Place&) = default;
    operator T() const { return b_.memory_.host_reads()[i_]; }
    const Place& operator=(T v) const {
      b_.memory_.host_writes()[i_] = v;
      return *this;
    }
    const Place& operator=(const Place& o) const { return *this = static_cast<T>(o); }

   private:
    Buffer& b_;
    std::size_t i_;
  };
  Place at(std::int64_t pixel, std::int64_t c) { return {*this, index(pixel, c)}; }

  // The elements in NHWC order.
  std::vector<double> values() const {
    const std::vector<T>& memory = memory_.host_reads();
    std::vector<double> v;
    for (std::int64_t i = 0; i < shape_.count(); ++i) v.push_back(number_of(memory[index(i / shape_.c, i % shape_.c)]));
    return v;
  }
  // True where only elements were written, neither gaps nor margins.
  bool sentinels_intact() const {
    const std::vector<T>& memory = memory_.host_reads();
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(memory.size()); ++i) {
      const std::int64_t at = i - kMargin;
      const bool element = at >= 0 && at < shape_.pixels() * stride_ && at % stride_ < shape_.c;
      if (!element && number_of(memory[static_cast<std::size_t>(i)]) != number_of(sentinel)) return false;
    }
    return true;
  }

 private:
  static constexpr std::int64_t kMargin = 32;
  static constexpr T sentinel = Element<T>::sentinel;

  std::size_t index(std::int64_t pixel, std::int64_t c) const {
    return static_cast<std::size_t>(kMargin + pixel * stride_ + c);
  }
  template <class Visit>
  void for_each(const Visit& visit) {
    std::vector<T>& memory = memory_.host_writes();
    for (std::int64_t i = 0; i < shape_.count(); ++i) visit(memory[index(i / shape_.c, i % shape_.c)], i);
  }

  Shape shape_;
  std::int64_t stride_;
  MirroredVector<T> memory_;
};

// max|a - b| / max|b|: infinite where a value is missing or only one of the two is NaN or infinite.
inline double relative_error(const std::vector<double>& a, const std::vector<double>& b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a.size() != b.size()) return kInfinity;
  double error = 0, scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(b[i]) ? std::isnan(a[i]) : a[i] == b[i]) continue;
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return kInfinity;
    error = std::max(error, std::fabs(a[i] - b[i]));
  }
  for (const double x : b) scale = std::isfinite(x) ? std::max(scale, std::fabs(x)) : scale;
  return scale > 0 ? error / scale : error;
}

inline bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

inline void append(std::vector<double>& all, const std::vector<double>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

// Runs a case on the devices that run the .cu bodies: the executor under several orders of blocks and threads, once
// with its memory elsewhere, or the GPU, twice. The outputs that `run(device)` returns must be the same to the bit.
template <class Run>
void on_every_gpu(const Run& run) {
  std::vector<double> first;
  bool has_run = false;
  const auto once = [&](const auto& device, DeviceMemory* memory) {
    std::vector<double> outputs;
    if (memory) {
      Mirrors mirrors(*memory);
      outputs = run(device);
      mirrors.bring_home();
    } else {
      outputs = run(device);
    }
    if (has_run) CHECK(same_bits(outputs, first));
    if (!std::exchange(has_run, true)) first = std::move(outputs);
  };
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = test_devices().cuda) {
    for (const int time : {1, 2}) {
      INFO("device cuda, run ", time);
      once(*cuda, &memory_of(*cuda));
    }
  }
#endif
  if (!test_devices().simt) return;
  for (const unsigned seed : {0u, 1u, 2u, 3u}) {
    INFO("device simt, order seed ", seed);
    once(Simt{workspace, seed}, seed == 2 ? &memory_elsewhere() : nullptr);
  }
}

// The same, and on the CPU. `run(device)` checks its outputs and returns them.
template <class Run>
void on_every_device(const Run& run) {
  if (test_devices().cpu) {
    INFO("device cpu");
    run(Cpu{workspace});
  }
  on_every_gpu(run);
}

// Calls body with an element of every type the .cu bodies take, and the error its rounding allows, relative to the
// largest value.
template <class Body>
void for_every_element(const Body& body) {
  {
    INFO("float32");
    body(float{}, 0.0);
  }
  INFO("bf16");
  body(bf16{}, 1.0 / 256);
}

}  // namespace gf::harness
