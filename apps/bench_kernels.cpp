// graphflow bench kernels: every family of ops and kernels at the sizes of real layers, against what this machine can
// do at most.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/bench.h"
#include "apps/bench_families.h"
#include "apps/build_info.h"
#include "apps/commands.h"
#include "apps/session.h"
#include "engine/autograd.h"
#include "engine/io/atomic_file.h"
#include "kernels/elementwise.h"
#include "kernels/error.h"
#include "kernels/matmul.h"
#include "tests/harness/op_case.h"

namespace gf {
namespace {

using namespace test;

// What the device reaches in the two things it is made for: the ceilings the kernels are held against.
struct Ceilings {
  double copy_gbs = 0, matrix_gflops = 0;
  double bf16_matrix_gflops = 0;  // 0 where no bf16 product is: only the GPU has one

  double of(bool arithmetic, bool bf16) const {
    return !arithmetic ? copy_gbs : bf16 && bf16_matrix_gflops > 0 ? bf16_matrix_gflops : matrix_gflops;
  }
};

Ceilings measure_ceilings(const Device& device) {
  const bool host = on_host(device);
  const std::int64_t floats = host ? 16 << 20 : 128 << 20, edge = host ? 1024 : 8192;
  Ceilings c;
  {
    const Tensor from = Tensor::zeros({1, 1, 1, floats}, device), to = Tensor::zeros({1, 1, 1, floats}, device);
    const Timing t =
        time_runs(device, [&] { on(device, [&](const auto& d) { copy(d, from.view(), to.mutable_view()); }); });
    c.copy_gbs = 8e-9 * static_cast<double>(floats) / t.median;
  }
  const auto matrix_product = [&](DType dtype) {
    const Shape square{1, 1, edge, edge};
    const Tensor a = Tensor::empty(square, dtype, device), y = Tensor::empty(square, dtype, device);
    return on(device, [&](const auto& d) {
      fill(d, 0.5f, a.mutable_view());
      const Timing t = time_runs(device, [&] { matmul(d, false, false, a.view(), a.view(), y.mutable_view()); });
      return 2e-9 * static_cast<double>(edge * edge * edge) / t.median;
    });
  };
  c.matrix_gflops = matrix_product(DType::f32);
  if (!host) c.bf16_matrix_gflops = matrix_product(DType::bf16);
  return c;
}

struct Row {
  std::string op, size;
  Timing warm, cold, with_backward;  // the last only of ops
  double rate = 0, share = 0;        // GFLOP/s of the warm forward or GB/s of the cold one; of the ceiling
  bool arithmetic = false;
};

// Something larger than any cache goes through it before every run.
Timing time_cold(const Device& device, const std::function<void()>& run, const Tensor& flood) {
  return time_runs(device, run, 5, 0.1,
                   [&] { on(device, [&](const auto& d) { fill(d, 1.0f, flood.mutable_view()); }); });
}

Row time_case(const OpCase& c, const Device& device, const Ceilings& ceilings, const Tensor& flood) {
  Generator g(1);
  Tensors x, leaves;
  double bytes = 0;
  for (const Input& i : c.inputs) {
    Array a(i.shape);
    i.fill(a, g);
    x.push_back(to_tensor(a, Layout::dense, i.dtype));
    bytes += 4.0 * static_cast<double>(i.shape.count());
    if (i.differentiable) leaves.push_back(x.back().require_grad());
  }
  const auto forward = [&] {
    const NoGrad off;
    c.run(x);
  };
  const Tensor dy = [&] {
    const NoGrad off;
    return Tensor::full(c.run(x).shape(), 1.0f, device);
  }();
  bytes += 4.0 * static_cast<double>(dy.count());
  Row row{c.op, c.variant, time_runs(device, forward), time_cold(device, forward, flood),
          time_runs(device, [&] { gradients(c.run(x), leaves, dy); })};
  row.arithmetic = c.flops > 0;
  // Warm, a small map comes from the caches, and its bytes say nothing of the memory.
  row.rate = 1e-9 * (row.arithmetic ? c.flops / row.warm.median : bytes / row.cold.median);
  row.share = row.rate / ceilings.of(row.arithmetic, false);
  return row;
}

Row time_kernel(const KernelBench& b, const Device& device, const Ceilings& ceilings, const Tensor& flood) {
  const PreparedKernel k = b.prepare(device);
  Row row{b.op, b.size, time_runs(device, k.run), time_cold(device, k.run, flood), {}};
  row.arithmetic = k.flops > 0;
  row.rate = 1e-9 * (row.arithmetic ? k.flops / row.warm.median : k.bytes / row.cold.median);
  row.share = row.rate / ceilings.of(row.arithmetic, k.bf16);
  return row;
}

nlohmann::ordered_json json_of(const Timing& t) {
  return {{"median_ms", 1e3 * t.median}, {"p10_ms", 1e3 * t.low}, {"p90_ms", 1e3 * t.high}};
}

}  // namespace

int bench_kernels_command(const BenchKernelsFlags& flags) {
  const Device device = start_engine(flags.device, flags.threads);
  set_device_under_test(device);
  const Ceilings ceilings = measure_ceilings(device);
  fmt::print(
      "ceilings of this run: copy {:.1f} GB/s, matrix product {:.0f} GFLOP/s (float32){}\n", ceilings.copy_gbs,
      ceilings.matrix_gflops,
      ceilings.bf16_matrix_gflops > 0 ? fmt::format(", {:.0f} GFLOP/s (bf16)", ceilings.bf16_matrix_gflops) : "");
  fmt::print("{:<34}{:<34}{:>10}{:>20}{:>10}{:>20}{:>12}{:>19}{:>9}\n", "op or kernel", "size", "warm ms", "p10..p90",
             "cold ms", "p10..p90", "+ backward", "warm or cold rate", "ceiling");
  const Tensor flood = Tensor::zeros({1, 1, 1, 64 << 20}, device);
  nlohmann::ordered_json document{{"graphflow", kVersion},
                                  {"device", describe_device(device)},
                                  {"threads", threads()},
                                  {"size", flags.size},
                                  {"copy_gbs", ceilings.copy_gbs},
                                  {"matrix_gflops", ceilings.matrix_gflops},
                                  {"bf16_matrix_gflops", ceilings.bf16_matrix_gflops}};
  int timed = 0;
  const auto report = [&](const Row& r) {
    ++timed;
    const auto spread = [](const Timing& t) { return fmt::format("{:.3f}..{:.3f}", 1e3 * t.low, 1e3 * t.high); };
    const bool backward = r.with_backward.median > 0;
    fmt::print("{:<34}{:<34}{:>10.3f}{:>20}{:>10.3f}{:>20}{:>12}{:>11.1f}{:<8}{:>8.0f}%\n", r.op, r.size,
               1e3 * r.warm.median, spread(r.warm), 1e3 * r.cold.median, spread(r.cold),
               backward ? fmt::format("{:.3f}", 1e3 * r.with_backward.median) : "", r.rate,
               r.arithmetic ? " GFLOP/s" : " GB/s", 100 * r.share);
    std::fflush(stdout);
    nlohmann::ordered_json row{
        {"op", r.op}, {"size", r.size}, {"forward", json_of(r.warm)}, {"forward_cold", json_of(r.cold)}};
    if (backward) row["with_backward"] = json_of(r.with_backward);
    row[r.arithmetic ? "gflops" : "gbs"] = r.rate;
    row["share_of_ceiling"] = r.share;
    document["ops"].push_back(row);
  };
  const auto wanted = [&](const std::string& name) { return name.find(flags.filter) != std::string::npos; };
  const bool paper = flags.size == "paper";
  for (const OpCase& c : perf_cases(paper ? kPaperSizes : kDemoSizes))
    if (wanted(c.name())) report(time_case(c, device, ceilings, flood));
  for (const KernelBench& b : kernel_benches(paper ? kPaperBench : kDemoBench)) {
    if (!wanted(b.op + ": " + b.size) || (b.gpu_only && std::holds_alternative<Cpu>(device))) continue;
    if (b.large && on_host(device) && flags.filter.empty()) continue;
    report(time_kernel(b, device, ceilings, flood));
  }
  if (timed == 0)
    throw Error(ErrorKind::usage,
                {"nothing to time", "--filter", "part of an op's name", flags.filter, "leave it out to see them all"});
  if (!flags.json.empty()) write_file_atomically(flags.json, document.dump(1) + "\n");
  return 0;
}

}  // namespace gf
