// graphflow info: this build, a network, or a file.
#include <algorithm>
#include <filesystem>

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

void print_network(const std::string& name, const NetworkOptions& options) {
  const auto network = make_network(name, options);
  network->eval();
  network->freeze();
  fmt::print("{}: width {}, {} input channel(s), {} classes\n", name, options.width, options.in_channels,
             options.classes);
  const std::int64_t used = network->parameter_count();
  fmt::print("parameters: {} used", thousands(used));
  if (const std::int64_t unused = network->unused_released_parameters(); unused > 0)
    fmt::print(" ({} with the released code's unused auxiliary head and scalars)", thousands(used + unused));
  fmt::print("\nstride: {} (height and width are padded to a multiple)\n", network->stride());
  std::int64_t size = 64;
  size = (size + network->stride() - 1) / network->stride() * network->stride();
  const NoGrad off;
  Random unused;
  const MacCounter counter;
  const NetworkOutput out = network->forward(Tensor::zeros({1, size, size, options.in_channels}), unused);
  fmt::print("multiply-accumulates of one {0}x{0} picture: {1}\n", size, thousands(counter.count()));
  const TapPair taps = network->default_taps();
  fmt::print("taps at {0}x{0} (distilled: {1}, {2}):\n", size, taps.shallow, taps.deep);
  for (const Tap& t : out.taps)
    fmt::print("  {:<10} {} channels, {}x{}\n", t.name, t.map.shape().c, t.map.shape().h, t.map.shape().w);
}

void print_checkpoint(const std::string& file) {
  const CheckpointState state = read_checkpoint_state(file);
  const auto kind = state.entries.find("kind");
  fmt::print("{}: {} checkpoint, step {}\n", file, kind == state.entries.end() ? "weights" : kind->second, state.step);
  for (const auto& [key, value] : state.entries)
    if (key != "config" && key != "kind") fmt::print("  {} = {}\n", key, value);
  if (kind != state.entries.end() && kind->second == "network") {
    const NetworkDescription d = NetworkDescription::from_entries(state.entries, file);
    print_network(d.arch, d.options);
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
    print_network(flags.subject, {flags.in_channels, flags.classes, flags.width});
  } else if (!std::filesystem::exists(flags.subject)) {
    std::string list;
    for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
    throw Error(ErrorKind::usage, {"nothing to describe", flags.subject, "a file, or one of " + list, "neither", ""});
  } else if (is_nifti_name(flags.subject)) {
    print_volume(flags.subject);
  } else {
    print_checkpoint(flags.subject);
  }
  return 0;
}

}  // namespace gf
