#include "engine/ops/label_check.h"

#include "kernels/error.h"

namespace gf {
namespace {

thread_local LabelCounts* collector = nullptr;

}  // namespace

LabelCounts::LabelCounts() : previous_(collector) { collector = this; }
LabelCounts::~LabelCounts() { collector = previous_; }

void refuse_bad_labels(std::int32_t bad, const Shape& label, std::int64_t classes) {
  if (bad == 0) return;
  bad_data("labels out of range", "label tensor " + label.str(), "0.." + std::to_string(classes - 1),
           std::to_string(bad) + " pixels outside", "set data.label_map, data.ignore_index or model.num_classes");
}

void check_labels(const LabelCount& c) {
  if (collector) return collector->list_.push_back(c);
  refuse_bad_labels(*c.count.to(cpu_device()).data<std::int32_t>(), c.label, c.classes);
}

}  // namespace gf
