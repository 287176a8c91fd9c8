#include "data/synapse_classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kernels/error.h"

namespace gf {
namespace {

constexpr OrganOrder kOrders[] = {
    {"transunet",
     {"aorta", "gallbladder", "left kidney", "right kidney", "liver", "pancreas", "spleen", "stomach"},
     {8, 4, 3, 2, 6, 11, 1, 7}},
    {"samed",
     {"spleen", "right kidney", "left kidney", "gallbladder", "liver", "stomach", "aorta", "pancreas"},
     {1, 2, 3, 4, 6, 7, 8, 11}},
    {"cascade",
     {"spleen", "right kidney", "left kidney", "gallbladder", "pancreas", "liver", "stomach", "aorta"},
     {1, 2, 3, 4, 11, 6, 7, 8}},
};

constexpr int kBtcvOrgans = 13;
constexpr int kTestCases[] = {1, 2, 3, 4, 8, 22, 25, 29, 32, 35, 36, 38};
struct TrainingCase {
  int number, slices;
};
constexpr TrainingCase kTrainingCases[] = {{5, 117}, {6, 131},  {7, 163},  {9, 149}, {10, 148}, {21, 143},
                                           {23, 96}, {24, 124}, {26, 131}, {27, 88}, {28, 89},  {30, 153},
                                           {31, 93}, {33, 104}, {34, 98},  {37, 99}, {39, 90},  {40, 195}};

std::size_t label_of(const OrganOrder& order, const char* organ) {
  for (std::size_t i = 0; i < kOrgans; ++i)
    if (std::strcmp(order.organs[i], organ) == 0) return i + 1;
  fail("no such organ", organ);
}

}  // namespace

const OrganOrder& find_organ_order(const std::string& name) {
  for (const OrganOrder& o : kOrders)
    if (name == o.name) return o;
  throw Error(ErrorKind::usage, {"no such class order", "\"" + name + "\"", "transunet, samed or cascade", {}, {}});
}

std::vector<std::string> organ_class_names(const OrganOrder& order) {
  std::vector<std::string> names = {"background"};
  names.insert(names.end(), order.organs.begin(), order.organs.end());
  return names;
}

std::vector<std::string> btcv_class_names() {
  return {"background",
          "spleen",
          "right kidney",
          "left kidney",
          "gallbladder",
          "esophagus",
          "liver",
          "stomach",
          "aorta",
          "inferior vena cava",
          "portal and splenic vein",
          "pancreas",
          "right adrenal gland",
          "left adrenal gland"};
}

LabelMap organ_label_map(const OrganOrder& order) {
  LabelMap map;
  for (int number = 1; number <= kBtcvOrgans; ++number) map.entries[number] = 0;
  for (int i = 0; i < kOrgans; ++i) map.entries[order.btcv[static_cast<std::size_t>(i)]] = i + 1;
  return map;
}

std::string organ_list(const OrganOrder& order) {
  std::string s;
  for (std::size_t i = 0; i < kOrgans; ++i) s += fmt::format("{}{} {}", i == 0 ? "" : ", ", i + 1, order.organs[i]);
  return s;
}

bool is_synapse_test_case(int number) { return std::ranges::find(kTestCases, number) != std::end(kTestCases); }
bool is_synapse_training_case(int number) { return published_slices(number) > 0; }

int published_slices(int number) {
  const auto at = std::ranges::find(kTrainingCases, number, &TrainingCase::number);
  return at == std::end(kTrainingCases) ? 0 : at->slices;
}

void OrganSizes::add(const Mask& slice) {
  std::array<std::int64_t, kOrgans + 1> here{};
  for (const std::int32_t v : slice.values)
    if (v >= 1 && v <= kOrgans) ++here[static_cast<std::size_t>(v)];
  for (std::size_t k = 1; k <= kOrgans; ++k) {
    pixels_[k] += here[k];
    slices_[k] += here[k] > 0;
  }
}

std::vector<std::string> OrganSizes::doubts(const OrganOrder& order) const {
  std::vector<std::string> doubts;
  const auto say = [&](std::size_t label, const char* what) {
    const std::string doubt = fmt::format("label {}, in this order the {}, {}", label, order.organs[label - 1], what);
    if (std::ranges::find(doubts, doubt) == doubts.end()) doubts.push_back(doubt);  // one for both kidneys
  };
  const std::size_t liver = label_of(order, "liver"), gallbladder = label_of(order, "gallbladder"),
                    aorta = label_of(order, "aorta");
  const auto largest = static_cast<std::size_t>(std::max_element(pixels_.begin() + 1, pixels_.end()) - pixels_.begin());
  if (pixels_[largest] == 0) return doubts;  // no organ at all: nothing to go by
  if (largest != liver) say(largest, "is the largest; that should be the liver");
  for (const char* side : {"left kidney", "right kidney"}) {
    const std::size_t kidney = label_of(order, side);
    if (pixels_[kidney] == 0) continue;
    if (pixels_[gallbladder] > pixels_[kidney]) say(gallbladder, "is larger than a kidney");
    if (slices_[aorta] < slices_[kidney]) say(aorta, "lies in fewer slices than a kidney");
  }
  return doubts;
}

std::vector<std::string> OrganSizes::plausible_orders() const {
  std::vector<std::string> names;
  for (const OrganOrder& o : kOrders)
    if (doubts(o).empty()) names.push_back(o.name);
  return names;
}

}  // namespace gf
