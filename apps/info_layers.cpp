#include "apps/info_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "kernels/error.h"

namespace gf {
namespace {

// "3x3 /2 dilation 4", "2x2 transposed x2", "3x3 depthwise"
std::string kernel_text(const MacCounter::Layer& l) {
  std::string s = fmt::format("{}x{}", l.kernel.h, l.kernel.w);
  if (l.transposed) s += " transposed";
  if (l.shape.groups > 1) s += l.shape.groups == l.in.c ? " depthwise" : fmt::format(" {} groups", l.shape.groups);
  if (l.shape.stride_h > 1) s += fmt::format(" {}{}", l.transposed ? 'x' : '/', l.shape.stride_h);
  if (l.shape.dilation_h > 1) s += fmt::format(" dilation {}", l.shape.dilation_h);
  return s;
}

// Of the parameter that the layer ran with.
const std::string& name_of_weight(const std::vector<NamedTensor>& parameters, const MacCounter::Layer& layer) {
  const auto at = std::find_if(parameters.begin(), parameters.end(),
                               [&](const NamedTensor& p) { return p.tensor.view().data == layer.weight; });
  if (at == parameters.end()) fail("a layer without a parameter", "weight " + layer.kernel.str());
  return at->name;
}

std::string module_of(const std::string& parameter) { return parameter.substr(0, parameter.rfind('.')); }

}  // namespace

std::string thousands(std::int64_t v) {
  std::string s = std::to_string(v);
  for (std::ptrdiff_t i = static_cast<std::ptrdiff_t>(s.size()) - 3; i > 0; i -= 3)
    s.insert(static_cast<std::size_t>(i), ",");
  return s;
}

void print_layers(const Module& module, const MacCounter& counter, const LayerTableNames& names) {
  const std::vector<NamedTensor> all = module.parameters();
  std::map<std::string, std::int64_t> parameters;  // of a module
  for (const NamedTensor& p : all) parameters[module_of(p.name)] += p.tensor.count();
  std::int64_t rest = module.parameter_count();
  constexpr auto kRow = "  {:<32} {:<20} {:>12} {:>9} {:>12} {:>16}\n";
  fmt::print(kRow, "layer", "kernel", "channels", "output", "parameters", "MACs");
  for (const MacCounter::Layer& l : counter.layers()) {
    const std::string name = module_of(name_of_weight(all, l));
    fmt::print(kRow, name, kernel_text(l), fmt::format("{} -> {}", l.in.c, l.out.c),
               fmt::format("{}x{}", l.out.h, l.out.w), thousands(parameters[name]), thousands(l.macs));
    rest -= parameters[name];
  }
  if (counter.matrix_products() > 0)
    fmt::print(kRow, names.products, "", "", "", "", thousands(counter.matrix_products()));
  if (rest > 0) fmt::print(kRow, names.rest, "", "", "", thousands(rest), "");
}

void print_table_convention(std::int64_t parameters, std::int64_t work) {
  fmt::print("as the paper's table counts: {:.3f} M parameters, {:.3f} G\n", static_cast<double>(parameters) / 1e6,
             static_cast<double>(work) / 1e9);
}

}  // namespace gf
