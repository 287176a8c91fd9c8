#include "apps/report/case_gallery.h"

#include <algorithm>
#include <cmath>

namespace gf {

void CaseGallery::add(GalleryCase c, const std::function<void(GalleryCase&)>& draw) {
  if (std::isnan(c.score)) return;
  ++count_;
  const auto place = std::upper_bound(kept_.begin(), kept_.end(), c.score,
                                      [](double score, const GalleryCase& k) { return score < k.score; });
  const bool full = kept_.size() == 2 * each_;
  const auto rank = static_cast<std::size_t>(place - kept_.begin());
  // Among 2k + 1 the middle one is neither of the k worst nor of the k best, and more cases cannot change that.
  if (full && rank == each_) return;
  if (draw) draw(c);
  kept_.insert(place, std::move(c));
  if (full) kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(each_));
}

std::size_t CaseGallery::worst_count() const { return std::min(each_, count_ / 2); }

std::vector<GalleryCase> CaseGallery::worst() const {
  return {kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(worst_count())};
}

std::vector<GalleryCase> CaseGallery::best() const {
  const std::size_t n = std::min(each_, count_ - worst_count());
  return {kept_.rbegin(), kept_.rbegin() + static_cast<std::ptrdiff_t>(n)};
}

}  // namespace gf
