#pragma once
// The organs of BTCV ("Beyond the Cranial Vault", abdomen) and the three orders in which repositories number the eight
// of them that Synapse scores are given for. Files do not say which order they are in; scores by organ are wrong where
// it is guessed wrong.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/label_map.h"
#include "data/picture.h"

namespace gf {

constexpr int kOrgans = 8;

struct OrganOrder {
  const char* name;
  std::array<const char*, kOrgans> organs;  // of labels 1 .. 8
  std::array<int, kOrgans> btcv;            // their numbers in BTCV
};

// transunet (TransUNet's table), samed (SAMed), cascade (CASCADE, EMCAD). Usage error for another name.
const OrganOrder& find_organ_order(const std::string& name);
std::vector<std::string> organ_class_names(const OrganOrder& order);  // with background in front
std::vector<std::string> btcv_class_names();                          // background and the 13 organs
// BTCV's numbers to the order's labels, the five other organs to background.
LabelMap organ_label_map(const OrganOrder& order);
std::string organ_list(const OrganOrder& order);  // "1 aorta, 2 gallbladder, ..."

// Whether a case is one of the published 12 test cases, or of the 18 training cases.
bool is_synapse_test_case(int number);
bool is_synapse_training_case(int number);
// Slices of training case `number` in the published list, 2211 in all; 0 for other cases.
int published_slices(int number);
constexpr int kPublishedSlices = 2211;

// How large each label 1 .. 8 is in a volume, and in how many slices it lies.
class OrganSizes {
 public:
  void add(const Mask& slice);  // other values than 1 .. 8 are ignored
  // What speaks against the order: the liver is by far the largest organ, the gallbladder smaller than a kidney, and
  // the aorta runs through more slices than a kidney.
  std::vector<std::string> doubts(const OrganOrder& order) const;
  // Orders that nothing speaks against.
  std::vector<std::string> plausible_orders() const;

 private:
  std::array<std::int64_t, kOrgans + 1> pixels_{}, slices_{};
};

}  // namespace gf
