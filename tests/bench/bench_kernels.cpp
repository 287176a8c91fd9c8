// Times the memory-bound CPU kernels and compares their traffic with a ceiling measured in the same run: a parallel
// memcpy of tensors of the same size. The bytes are the least a kernel has to move, as its contract says; a kernel that
// needs them from a cache level the memcpy does not reach can pass 100 %.
//
//   bench_kernels [FILTER]     lines whose name contains FILTER
#include <omp.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "kernels/batch_norm.h"
#include "kernels/elementwise.h"
#include "kernels/losses.h"
#include "kernels/optimizer.h"
#include "kernels/parallel.h"
#include "kernels/pooling.h"
#include "kernels/random.h"
#include "kernels/resize.h"
#include "kernels/softmax.h"

namespace gf {
namespace {

using Bytes = std::unique_ptr<void, decltype(&std::free)>;

Bytes allocate(std::size_t bytes) { return {std::aligned_alloc(64, (bytes + 63) / 64 * 64), &std::free}; }

void* workspace(std::size_t bytes) {
  static Bytes memory(nullptr, &std::free);
  static std::size_t size = 0;
  if (bytes > size) memory = allocate(size = bytes);
  return memory.get();
}

const Cpu cpu{workspace};

struct Tensor {
  Shape shape;
  DType dtype;
  Bytes memory;

  explicit Tensor(Shape s, DType t = DType::f32)
      : shape(s), dtype(t), memory(allocate(static_cast<std::size_t>(s.count()) * size_of(t))) {
    std::memset(memory.get(), 0, static_cast<std::size_t>(s.count()) * size_of(t));
    if (t == DType::f32) random_normal(cpu, 1, 0, 0.5f, 1.0f, view());
  }
  View view() const { return {memory.get(), dtype, shape}; }
  operator View() const { return view(); }
  operator ConstView() const { return view(); }
};

// The shortest of many runs, in seconds: other work on the machine only ever adds.
template <class Run>
double fastest(const Run& run) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9, total = 0;
  for (int i = 0; i < 7 || (total < 0.25 && i < 2000); ++i) {
    const auto start = Clock::now();
    run();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

const char* filter = "";

// `passes` is the number of tensors of x's size the kernel reads and writes.
template <class Run>
void report(const char* name, const Shape& x, double passes, const Run& run) {
  if (std::string(name).find(filter) == std::string::npos) return;
  const std::size_t bytes = static_cast<std::size_t>(x.count()) * sizeof(float);
  const Bytes from = allocate(bytes), to = allocate(bytes);
  std::memset(from.get(), 1, bytes);
  const double copy_time = fastest([&] {
    parallel_for(static_cast<std::int64_t>(bytes), 1 << 17, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(static_cast<char*>(to.get()) + begin, static_cast<char*>(from.get()) + begin,
                  static_cast<std::size_t>(end - begin));
    });
  });
  const double time = fastest(run);
  const double ceiling = 2e-9 * static_cast<double>(bytes) / copy_time,
               reached = 1e-9 * passes * static_cast<double>(bytes) / time;
  std::printf("%-28s %-18s %9.1f us %7.1f GB/s   memcpy %6.1f GB/s   %4.0f %%\n", name, x.str().c_str(), 1e6 * time,
              reached, ceiling, 100 * reached / ceiling);
}

void bench_map(const Shape& s) {
  const Shape vector{1, 1, 1, s.c},
      small{s.n, std::max<std::int64_t>(1, s.h / 2), std::max<std::int64_t>(1, s.w / 2), s.c};
  const Tensor x(s), y(s), dy(s), dx(s), other(s), pooled(small), d_pooled(small), index(small, DType::i32);
  const Tensor gamma(vector), beta(vector), running_mean(vector), running_var(vector), mean(vector), inv_std(vector);
  const Tensor dgamma(vector), dbeta(vector), per_image({s.n, 1, 1, s.c}), per_pixel({s.n, s.h, s.w, 1}),
      one({1, 1, 1, 1});
  BatchNormShape bn;
  bn.act = NormActivation::relu;

  report("batch_norm_train relu", s, 3,
         [&] { batch_norm_train(cpu, bn, x, gamma, beta, {}, running_mean, running_var, mean, inv_std, y); });
  report("batch_norm_train relu+add", s, 4,
         [&] { batch_norm_train(cpu, bn, x, gamma, beta, other, running_mean, running_var, mean, inv_std, y); });
  report("batch_norm_backward relu", s, 7,
         [&] { batch_norm_backward(cpu, bn, true, x, y, dy, gamma, mean, inv_std, dx, dgamma, dbeta, {}); });
  report("batch_norm_backward relu+add", s, 7,
         [&] { batch_norm_backward(cpu, bn, true, x, y, dy, gamma, mean, inv_std, dx, dgamma, dbeta, other); });
  report("batch_norm_eval relu", s, 2,
         [&] { batch_norm_eval(cpu, bn, x, gamma, beta, {}, running_mean, running_var, y); });
  report("binary add, same shape", s, 3, [&] { binary(cpu, Binary::add, x, other, y); });
  report("binary mul, per channel", s, 2, [&] { binary(cpu, Binary::mul, x, gamma, y); });
  report("binary mul, per image", s, 2, [&] { binary(cpu, Binary::mul, x, per_image, y); });
  report("binary mul, per pixel", s, 2, [&] { binary(cpu, Binary::mul, x, per_pixel, y); });
  report("unary relu", s, 2, [&] { unary(cpu, Unary::relu, 0, x, y); });
  report("unary_backward relu", s, 3, [&] { unary_backward(cpu, Unary::relu, 0, x, dy, dx); });
  report("unary exp", s, 2, [&] { unary(cpu, Unary::exp, 0, x, y); });
  report("unary tanh", s, 2, [&] { unary(cpu, Unary::tanh, 0, x, y); });
  report("axpy", s, 3, [&] { axpy(cpu, 1e-6f, x, dx); });
  report("fill", s, 1, [&] { fill(cpu, 0.0f, y); });
  report("copy", s, 2, [&] { copy(cpu, x, y); });
  report("sum_to channels", s, 1, [&] { sum_to(cpu, 1, x, gamma); });
  report("sum_to image channels", s, 1, [&] { sum_to(cpu, 1, x, per_image); });
  report("sum_to pixels", s, 1, [&] { sum_to(cpu, 1, x, per_pixel); });
  report("sum_to scalar", s, 1, [&] { sum_to(cpu, 1, x, one); });
  if (s.h < 2) return;
  report("max_pool_forward 2x2", s, 1.5, [&] { max_pool_forward(cpu, {}, x, pooled, index); });
  report("max_pool_backward 2x2", s, 1.5, [&] { max_pool_backward(cpu, {}, d_pooled, index, dx); });
  report("max_pool_forward 3x3/2", s, 1.5, [&] { max_pool_forward(cpu, {3, 2, 1}, x, pooled, index); });
  report("max_pool_backward 3x3/2", s, 1.5, [&] { max_pool_backward(cpu, {3, 2, 1}, d_pooled, index, dx); });
  report("adaptive_avg_pool to 1x1", s, 1, [&] { adaptive_avg_pool_forward(cpu, x, per_image); });
  report("resize nearest x2", s, 1.25, [&] { resize_forward(cpu, ResizeMode::nearest, pooled, y); });
  report("resize nearest x2 backward", s, 1.25, [&] { resize_backward(cpu, ResizeMode::nearest, dy, d_pooled); });
  report("resize bilinear x2", s, 1.25, [&] { resize_forward(cpu, ResizeMode::bilinear, pooled, y); });
  report("resize bilinear x2 backward", s, 1.25, [&] { resize_backward(cpu, ResizeMode::bilinear, dy, d_pooled); });
}

void bench_logits(const Shape& s) {
  const Tensor z(s), other(s), dz(s), label({s.n, s.h, s.w, 1}, DType::i32), loss({1, 1, 1, 1}),
      sums({1, 1, 1, 3 * s.c});
  report("softmax", s, 2, [&] { softmax(cpu, z, dz); });
  report("argmax_channels", s, 1, [&] { argmax_channels(cpu, z, label); });
  fill(cpu, 1.0f, loss);
  report("cross_entropy_forward", s, 1, [&] { cross_entropy_forward(cpu, -1, z, label, {}, loss, {}); });
  report("cross_entropy_backward", s, 2, [&] { cross_entropy_backward(cpu, -1, z, label, {}, loss, dz); });
  report("dice_loss_forward", s, 1, [&] { dice_loss_forward(cpu, -1, 1e-5f, z, label, loss, sums, {}); });
  report("dice_loss_backward", s, 2, [&] { dice_loss_backward(cpu, -1, 1e-5f, z, label, sums, loss, dz); });
  report("kd_loss_forward", s, 2, [&] { kd_loss_forward(cpu, 4, true, z, other, loss); });
  report("kd_loss_backward", s, 3, [&] { kd_loss_backward(cpu, 4, true, z, other, loss, dz); });
}

void bench_flat(std::int64_t count) {
  const Shape s{1, 1, 1, count};
  const Tensor g(s), p(s), m(s), v(s);
  fill(cpu, 1.0f, v);
  report("sgd_step momentum", s, 5, [&] { sgd_step(cpu, {1e-3, 0.9, 1e-4, false}, g, p, m); });
  report("adam_step", s, 7, [&] { adam_step(cpu, {1e-3, 0.9, 0.999, 1e-8, 0, false, 5}, g, p, m, v); });
  report("sum_of_squares", s, 1, [&] { (void)sum_of_squares(cpu, g); });
  report("random_uniform", s, 1, [&] { random_uniform(cpu, 1, 1, 0, 1, p); });
  report("random_normal", s, 1, [&] { random_normal(cpu, 1, 1, 0, 1, p); });
}

}  // namespace
}  // namespace gf

int main(int argc, char** argv) {
  if (argc > 1) gf::filter = argv[1];
  std::printf("%d threads\n", omp_get_max_threads());
  for (const gf::Shape& s : {gf::Shape{4, 128, 128, 16}, gf::Shape{4, 64, 64, 64}, gf::Shape{4, 32, 32, 96},
                             gf::Shape{4, 16, 16, 512}, gf::Shape{4, 1, 1, 256}})
    gf::bench_map(s);
  gf::bench_logits({4, 128, 96, 9});
  gf::bench_logits({4, 128, 96, 2});
  gf::bench_flat(4'700'000);
}
