// graphflow info: this build, a network, or a file.
#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "apps/build_info.h"
#include "apps/commands.h"
#include "data/nifti.h"
#include "distill/model_file.h"
#include "engine/autograd.h"
#include "engine/device.h"
#include "engine/io/checkpoint.h"
#include "engine/ops/mac_counter.h"
#include "kernels/error.h"

namespace gf {
namespace {

std::string thousands(std::int64_t v) {
  std::string s = std::to_string(v);
  for (std::ptrdiff_t i = static_cast<std::ptrdiff_t>(s.size()) - 3; i > 0; i -= 3)
    s.insert(static_cast<std::size_t>(i), ",");
  return s;
}

std::int64_t rounded_up(std::int64_t size, std::int64_t stride) { return (size + stride - 1) / stride * stride; }

// "3x3 /2 dilation 4", "2x2 transposed x2", "3x3 depthwise"
std::string kernel_text(const MacCounter::Layer& l) {
  std::string s = fmt::format("{}x{}", l.kernel.h, l.kernel.w);
  if (l.transposed) s += " transposed";
  if (l.shape.groups > 1) s += l.shape.groups == l.in.c ? " depthwise" : fmt::format(" {} groups", l.shape.groups);
  if (l.shape.stride_h > 1) s += fmt::format(" {}{}", l.transposed ? 'x' : '/', l.shape.stride_h);
  if (l.shape.dilation_h > 1) s += fmt::format(" dilation {}", l.shape.dilation_h);
  return s;
}

// The convolutions in the order they ran, each with the parameters of its module (weight and bias).
void print_layers(const Network& network, const MacCounter& counter) {
  std::map<const void*, std::string> names;  // of the module that a weight belongs to
  std::map<std::string, std::int64_t> parameters;
  for (const NamedTensor& p : network.parameters()) {
    const std::string module = p.name.substr(0, p.name.rfind('.'));
    names[p.tensor.view().data] = module;
    parameters[module] += p.tensor.count();
  }
  std::int64_t rest = network.parameter_count();
  constexpr auto kRow = "  {:<32} {:<20} {:>12} {:>9} {:>12} {:>16}\n";
  fmt::print(kRow, "layer", "kernel", "channels", "output", "parameters", "MACs");
  for (const MacCounter::Layer& l : counter.layers()) {
    const std::string& name = names.at(l.weight);
    fmt::print(kRow, name, kernel_text(l), fmt::format("{} -> {}", l.in.c, l.out.c),
               fmt::format("{}x{}", l.out.h, l.out.w), thousands(parameters[name]), thousands(l.macs));
    rest -= parameters[name];
  }
  if (counter.matrix_products() > 0)
    fmt::print(kRow, "products of attention", "", "", "", "", thousands(counter.matrix_products()));
  fmt::print(kRow, "norms, slopes and positions", "", "", "", thousands(rest), "");
}

// With a picture of its own size where it has one, else of `wanted` pixels a side.
void print_network(const std::string& name, const NetworkOptions& options, std::int64_t wanted) {
  const auto network = make_network(name, options);
  network->eval();
  const std::int64_t stride = network->stride(), side = rounded_up(wanted, stride);
  const bool one_size = network->image_size() != ImageSize{};
  const ImageSize size = one_size ? network->image_size() : ImageSize{side, side};
  const NoGrad off;
  Random unused;
  const MacCounter counter;
  const NetworkOutput out = network->forward(Tensor::zeros({1, size.h, size.w, options.in_channels}), unused);
  fmt::print("{}: width {}, {} input channel(s), {} classes; one {}x{} picture\n", name, options.width,
             options.in_channels, options.classes, size.h, size.w);
  print_layers(*network, counter);
  const std::int64_t used = network->parameter_count();
  fmt::print("parameters: {} used", thousands(used));
  if (const std::int64_t idle = network->unused_released_parameters(); idle > 0)
    fmt::print(" ({} with the released code's unused head or scalars)", thousands(used + idle));
  fmt::print("\nmultiply-accumulates: {}\n", thousands(counter.count()));
  fmt::print("as the paper's table counts: {:.3f} M parameters, {:.3f} G\n",
             static_cast<double>(table_parameters(*network)) / 1e6,
             static_cast<double>(table_work(*network, counter, size.h, size.w)) / 1e9);
  if (one_size)
    fmt::print("pictures: {}x{} only (model.image_size; smaller ones are padded)\n", size.h, size.w);
  else
    fmt::print("stride: {} (height and width are padded to a multiple)\n", stride);
  const std::vector<TapPair> pairs = network->tap_pairs();
  fmt::print("taps (distilled: {}, {}", pairs[0].shallow, pairs[0].deep);
  for (std::size_t i = 1; i < pairs.size(); ++i)
    fmt::print("{} {}, {}", i == 1 ? "; with more layers" : ";", pairs[i].shallow, pairs[i].deep);
  fmt::print("):\n");
  for (const Tap& t : out.taps)
    fmt::print("  {:<10} {} channels, {}x{}\n", t.name, t.map.shape().c, t.map.shape().h, t.map.shape().w);
}

void print_checkpoint(const std::string& file, std::int64_t size) {
  const CheckpointState state = read_checkpoint_state(file);
  const auto kind = state.entries.find("kind");
  fmt::print("{}: {} checkpoint, step {}\n", file, kind == state.entries.end() ? "weights" : kind->second, state.step);
  for (const auto& [key, value] : state.entries)
    if (key != "config" && key != "kind") fmt::print("  {} = {}\n", key, value);
  if (kind != state.entries.end() && kind->second == "network") {
    const NetworkDescription d = NetworkDescription::from_entries(state.entries, file);
    print_network(d.arch, d.options, size);
  }
}

void print_volume(const std::string& file) {
  const NiftiHeader h = read_nifti_header(file);
  fmt::print(
      "{}: NIfTI {}x{}x{}, {} channel(s), {}, spacing {:.4g} x {:.4g} x {:.4g} mm, sform code {}, qform code {}\n",
      file, h.nx, h.ny, h.nz, h.channels, h.datatype, h.spacing_mm[0], h.spacing_mm[1], h.spacing_mm[2], h.sform_code,
      h.qform_code);
}

void print_build() {
  fmt::print("graphflow {}\nbackends of this build: {}\ndevices:\n", kVersion, kBackends);
  for (const DeviceStatus& d : list_devices()) fmt::print("  {:<6} {}\n", d.name, d.text);
  fmt::print("networks:");
  for (const std::string& n : network_names()) fmt::print(" {}", n);
  fmt::print("\n`graphflow info NAME` describes a network, `graphflow info FILE` a checkpoint or a NIfTI volume.\n");
}

}  // namespace

int info_command(const InfoFlags& flags) {
  const auto& names = network_names();
  if (flags.subject.empty()) {
    print_build();
  } else if (std::find(names.begin(), names.end(), flags.subject) != names.end()) {
    NetworkOptions options{flags.in_channels, flags.classes, flags.width};
    const std::int64_t side = rounded_up(flags.size, make_network(flags.subject, {.width = 0.01})->stride());
    options.image_size = {side, side};
    print_network(flags.subject, options, flags.size);
  } else if (!std::filesystem::exists(flags.subject)) {
    std::string list;
    for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
    throw Error(ErrorKind::usage, {"nothing to describe", flags.subject, "a file, or one of " + list, "neither", ""});
  } else if (is_nifti_name(flags.subject)) {
    print_volume(flags.subject);
  } else {
    print_checkpoint(flags.subject, flags.size);
  }
  return 0;
}

}  // namespace gf
