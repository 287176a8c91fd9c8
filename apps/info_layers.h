#pragma once
// What `graphflow info` prints of a network and of a part of the method alike: its layers, and how much that is.
#include <cstdint>
#include <string>

#include "engine/nn/module.h"
#include "engine/ops/mac_counter.h"

namespace gf {

std::string thousands(std::int64_t v);

// What a table holds besides convolutions, by name.
struct LayerTableNames {
  const char* products = "products of attention";
  const char* rest = "norms, slopes and positions";
};

// The convolutions in the order they ran while `counter` looked on, each with the parameters of its module (weight and
// bias).
void print_layers(const Module& module, const MacCounter& counter, const LayerTableNames& names = {});

// The same as the paper's table counts it.
void print_table_convention(std::int64_t parameters, std::int64_t work);

}  // namespace gf
