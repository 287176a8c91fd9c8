#pragma once
// One case while it is read through: what the readers of volumes, pictures and slices have in common.
#include <exception>
#include <span>

#include "data/verify/case_facts.h"
#include "kernels/error.h"

namespace gf {

class Examination {
 public:
  Examination(const Listing& listing, const Case& c) : listing_(listing), case_(c) {}

  const Case& examined() const { return case_; }
  const Dataset& dataset() const { return listing_.dataset; }
  const Preprocessing& preprocessing() const { return listing_.dataset.preprocessing; }
  CaseFacts& facts() { return facts_; }

  void error(Check check, std::string message) { find(Severity::error, check, std::move(message)); }
  void warn(Check check, std::string message) { find(Severity::warning, check, std::move(message)); }

  // False, and a finding, where `step` throws.
  template <class Step>
  bool survives(Check check, const Step& step) {
    try {
      step();
      return true;
    } catch (const Error& e) {
      error(check, e.what());
    } catch (const std::exception& e) {
      error(check, case_.images[0] + ": " + e.what());
    }
    return false;
  }

  // `read` takes a NonFinite. What does not read with NaN refused and reads with NaN let in has NaN; the rest of the
  // case can be looked at then.
  template <class Read>
  bool reads(const Read& read) {
    try {
      read(NonFinite::refuse);
      return true;
    } catch (const Error& e) {
      bool finite = true;
      try {
        read(NonFinite::zero);
      } catch (const Error&) {
        finite = false;
      }
      error(finite ? Check::not_finite : Check::unreadable, e.what());
      return finite;
    }
  }

  // The image is read; size and channels stand in the facts.
  void finish_image(std::span<const float> values);

  // The next slice of a volume, its channels interleaved; or one that cannot be read.
  void add_slice(Extent size, std::int64_t channels, std::span<const float> pixels);
  void add_unread_slice() { facts_.slices.push_back(0); }

  // Stored labels to class ids in place; false, and a finding, where a value has no class. `file` is named.
  bool to_classes(std::vector<std::int32_t>& values, const std::string& file);
  void count_labels(std::span<const std::int32_t> stored);
  void count_classes(std::span<const std::int32_t> ids);  // ignored pixels are left out
  // A label of one file: all three. Says where it is without foreground.
  void take_labels(std::vector<std::int32_t>& values, const std::string& file);
  // `label`: the file, or what else to call it.
  void note_empty(const std::string& label);

 private:
  void find(Severity severity, Check check, std::string message) {
    facts_.findings.push_back({severity, check, case_.id, std::move(message)});
  }

  const Listing& listing_;
  const Case& case_;
  CaseFacts facts_;
};

void examine_volume(Examination& x);   // NIfTI
void examine_picture(Examination& x);  // one file, or one a channel
void examine_slices(Examination& x);   // .npz, .h5

}  // namespace gf
