// graphflow info: this build, a network, or a file.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "apps/build_info.h"
#include "apps/commands.h"
#include "apps/info_layers.h"
#include "apps/info_parts.h"
#include "data/nifti.h"
#include "distill/model_file.h"
#include "engine/autograd.h"
#include "engine/device.h"
#include "engine/io/checkpoint.h"
#include "engine/ops/mac_counter.h"
#include "kernels/error.h"

namespace gf {
namespace {

std::int64_t rounded_up(std::int64_t size, std::int64_t stride) { return (size + stride - 1) / stride * stride; }

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
  print_table_convention(table_parameters(*network), table_work(*network, counter, size.h, size.w));
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
  fmt::print(
      "\nparts of the method: {}\n`graphflow info NAME` describes a network or a part, `graphflow info FILE` a "
      "checkpoint or a NIfTI volume.\n",
      fmt::join(part_names(), " "));
}

}  // namespace

int info_command(const InfoFlags& flags) {
  if (print_part(flags)) return 0;
  const auto& names = network_names();
  if (flags.subject.empty()) {
    print_build();
  } else if (std::find(names.begin(), names.end(), flags.subject) != names.end()) {
    NetworkOptions options{flags.in_channels, flags.classes, flags.width};
    const std::int64_t side = rounded_up(flags.size, make_network(flags.subject, {.width = 0.01})->stride());
    options.image_size = {side, side};
    print_network(flags.subject, options, flags.size);
  } else if (!std::filesystem::exists(flags.subject)) {
    throw Error(ErrorKind::usage,
                {"nothing to describe", flags.subject,
                 fmt::format("a file, or one of {}, {}", fmt::join(names, ", "), fmt::join(part_names(), ", ")),
                 "neither", ""});
  } else if (is_nifti_name(flags.subject)) {
    print_volume(flags.subject);
  } else {
    print_checkpoint(flags.subject, flags.size);
  }
  return 0;
}

}  // namespace gf
