#pragma once
// A module's state as plain numbers, to hold two runs against each other to the bit.
#include <cstring>
#include <vector>

#include "engine/nn/module.h"

namespace gf::test {

// Parameters, then buffers.
inline std::vector<float> weights_of(const Module& m) {
  std::vector<float> all;
  for (const auto& list : {m.parameters(), m.buffers()})
    for (const NamedTensor& t : list) {
      const std::vector<float> v = t.tensor.to_vector();
      all.insert(all.end(), v.begin(), v.end());
    }
  return all;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace gf::test
