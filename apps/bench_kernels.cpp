// graphflow bench kernels: every family of ops at the sizes of real layers, against what this machine can do at most.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/bench.h"
#include "apps/build_info.h"
#include "apps/commands.h"
#include "apps/session.h"
#include "engine/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/ops/matmul.h"
#include "kernels/elementwise.h"
#include "kernels/error.h"
#include "tests/harness/op_case.h"

namespace gf {
namespace {

using namespace test;

// What the device reaches in the two things it is made for: the ceilings the kernels are held against.
struct Ceilings {
  double copy_gbs = 0, matrix_gflops = 0;
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
  const Tensor a = Tensor::full({1, 1, edge, edge}, 0.5f, device);
  const NoGrad off;
  const Timing t = time_runs(device, [&] { matmul(a, a); });
  c.matrix_gflops = 2e-9 * static_cast<double>(edge * edge * edge) / t.median;
  return c;
}

struct Row {
  std::string op, size;
  Timing warm, cold, with_backward;
  double rate = 0, share = 0;  // GFLOP/s of the warm forward or GB/s of the cold one; of the ceiling
  bool arithmetic = false;
};

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
  // Something larger than any cache goes through it before every cold run.
  const auto flush = [&] { on(device, [&](const auto& d) { fill(d, 1.0f, flood.mutable_view()); }); };
  Row row{c.op, c.variant, time_runs(device, forward), time_runs(device, forward, 5, 0.1, flush),
          time_runs(device, [&] { gradients(c.run(x), leaves, dy); })};
  row.arithmetic = c.flops > 0;
  // Warm, a small map comes from the caches, and its bytes say nothing of the memory.
  row.rate = 1e-9 * (row.arithmetic ? c.flops / row.warm.median : bytes / row.cold.median);
  row.share = row.rate / (row.arithmetic ? ceilings.matrix_gflops : ceilings.copy_gbs);
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
  fmt::print("ceilings of this run: copy {:.1f} GB/s, matrix product {:.0f} GFLOP/s (float32)\n", ceilings.copy_gbs,
             ceilings.matrix_gflops);
  fmt::print("{:<24}{:<34}{:>10}{:>18}{:>10}{:>12}{:>18}{:>9}\n", "op", "size", "warm ms", "p10..p90", "cold ms",
             "+ backward", "warm or cold rate", "ceiling");
  const Tensor flood = Tensor::zeros({1, 1, 1, 64 << 20}, device);
  nlohmann::ordered_json document{{"graphflow", kVersion},         {"device", describe_device(device)},
                                  {"threads", threads()},          {"size", flags.size},
                                  {"copy_gbs", ceilings.copy_gbs}, {"matrix_gflops", ceilings.matrix_gflops}};
  int timed = 0;
  for (const OpCase& c : perf_cases(flags.size == "paper" ? kPaperSizes : kDemoSizes)) {
    if (c.name().find(flags.filter) == std::string::npos) continue;
    ++timed;
    const Row r = time_case(c, device, ceilings, flood);
    fmt::print("{:<24}{:<34}{:>10.3f}{:>18}{:>10.3f}{:>12.3f}{:>10.1f}{:<8}{:>8.0f}%\n", r.op, r.size,
               1e3 * r.warm.median, fmt::format("{:.3f}..{:.3f}", 1e3 * r.warm.low, 1e3 * r.warm.high),
               1e3 * r.cold.median, 1e3 * r.with_backward.median, r.rate, r.arithmetic ? " GFLOP/s" : " GB/s",
               100 * r.share);
    std::fflush(stdout);
    document["ops"].push_back({{"op", r.op},
                               {"size", r.size},
                               {"forward", json_of(r.warm)},
                               {"forward_cold", json_of(r.cold)},
                               {"with_backward", json_of(r.with_backward)},
                               {r.arithmetic ? "gflops" : "gbs", r.rate},
                               {"share_of_ceiling", r.share}});
  }
  if (timed == 0)
    throw Error(ErrorKind::usage,
                {"nothing to time", "--filter", "part of an op's name", flags.filter, "leave it out to see them all"});
  if (!flags.json.empty()) write_file_atomically(flags.json, document.dump(1) + "\n");
  return 0;
}

}  // namespace gf
