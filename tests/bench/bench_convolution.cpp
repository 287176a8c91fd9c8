// Times the three convolution kernels of one layer at a time: reads lines
//   n h w in out kh kw stride pad_h pad_w groups transposed bias wide repeats
// from standard input and answers each with the shortest forward, input gradient and weight gradient in milliseconds.
// `wide` doubles the pixel stride of a transposed convolution's output (it is written into half of a concatenation).
// bench_convolution.py drives it side by side with PyTorch.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/convolution.h"

namespace {

void* workspace(std::size_t bytes) {
  static void* memory = nullptr;
  static std::size_t size = 0;
  if (bytes > size) {
    std::free(memory);
    size = (bytes + 4095) / 4096 * 4096;
    memory = std::aligned_alloc(4096, size);
  }
  return memory;
}

class Tensor {
 public:
  explicit Tensor(gf::Shape s, std::int64_t stride = 0) : shape_(s), stride_(stride ? stride : s.c) {
    const auto bytes = static_cast<std::size_t>(s.pixels() * stride_) * sizeof(float);
    data_ = static_cast<float*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
    for (std::int64_t i = 0; i < s.pixels() * stride_; ++i) data_[i] = static_cast<float>(i % 17) / 16 - 0.5f;
  }
  ~Tensor() { std::free(data_); }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  gf::View view() const { return {data_, gf::DType::f32, shape_, stride_}; }

 private:
  gf::Shape shape_;
  std::int64_t stride_;
  float* data_;
};

constexpr double kLimitMs = 100;  // on a machine that others use, a slow round says nothing: the next one may

template <class Call>
double shortest_ms(int repeats, const Call& call) {
  double best = 1e30, total = 0;
  for (int i = 0; i <= repeats && (i < 2 || total < kLimitMs); ++i) {
    const auto start = std::chrono::steady_clock::now();
    call();
    const std::chrono::duration<double, std::milli> t = std::chrono::steady_clock::now() - start;
    if (i > 0) best = std::min(best, t.count());  // the first call makes the plan
    total += t.count();
  }
  return best;
}

}  // namespace

int main() {
  const gf::Cpu cpu{workspace};
  for (std::string line; std::getline(std::cin, line);) {
    std::int64_t n, h, w, in, out, kh, kw;
    int stride, pad_h, pad_w, groups, transposed, bias, wide, repeats;
    std::istringstream fields(line);
    if (!(fields >> n >> h >> w >> in >> out >> kh >> kw >> stride >> pad_h >> pad_w >> groups >> transposed >> bias >>
          wide >> repeats)) {
      std::fprintf(stderr, "bench_convolution: cannot read line '%s'\n", line.c_str());
      return 2;
    }
    const gf::ConvolutionShape p{stride, stride, pad_h, pad_w, 1, 1, groups};
    double forward, input, weight;
    if (transposed) {
      // A transposed convolution is the input gradient of the convolution from its output to its input.
      const gf::Shape small{n, h, w, in},
          large{n, (h - 1) * stride - 2 * pad_h + kh, (w - 1) * stride - 2 * pad_w + kw, out};
      Tensor x(small), dx(small), y(large, wide ? 2 * out : out), weights({in, kh, kw, out}), dw({in, kh, kw, out}),
          b({1, 1, 1, out});
      const gf::ConstView no_bias, bv = bias ? gf::ConstView(b.view()) : no_bias;
      forward = shortest_ms(repeats, [&] { convolution_input_grad(cpu, p, x.view(), weights.view(), bv, y.view()); });
      input = shortest_ms(repeats, [&] { convolution_forward(cpu, p, y.view(), weights.view(), no_bias, dx.view()); });
      weight = shortest_ms(repeats, [&] { convolution_weight_grad(cpu, p, y.view(), x.view(), dw.view(), {}); });
    } else {
      const gf::Shape xs{n, h, w, in}, ws{out, kh, kw, in / groups}, ys = convolution_output(xs, ws, p);
      Tensor x(xs), dx(xs), y(ys), weights(ws), dw(ws), b({1, 1, 1, out}), db({1, 1, 1, out});
      const gf::ConstView bv = bias ? gf::ConstView(b.view()) : gf::ConstView();
      const gf::View dbv = bias ? db.view() : gf::View();
      forward = shortest_ms(repeats, [&] { convolution_forward(cpu, p, x.view(), weights.view(), bv, y.view()); });
      input = shortest_ms(repeats, [&] { convolution_input_grad(cpu, p, y.view(), weights.view(), {}, dx.view()); });
      weight = shortest_ms(repeats, [&] { convolution_weight_grad(cpu, p, x.view(), y.view(), dw.view(), dbv); });
    }
    std::printf("%.5f %.5f %.5f\n", forward, input, weight);
    std::fflush(stdout);
  }
}
