#pragma once
// The worst and the best of many cases, kept while they are scored one after the other: memory for a few pictures,
// however many cases there are.
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace gf {

struct GalleryCase {
  std::size_t index = 0;  // among the cases given
  std::string name;
  double score = 0;
  std::string place, image_uri;  // "slice 12" and the picture of it; may be empty
};

class CaseGallery {
 public:
  explicit CaseGallery(std::size_t each = 3) : each_(each) {}

  // A score that is NaN (no class in either mask) is passed over. `draw` fills in place and picture; it is called only
  // where the case is among the worst or best so far.
  void add(GalleryCase c, const std::function<void(GalleryCase&)>& draw = {});

  // At most `each`, the worst first and the best first; of few cases no case twice, the best have the odd one. Equal
  // scores: the case given first counts as the worse.
  std::vector<GalleryCase> worst() const;
  std::vector<GalleryCase> best() const;
  // Of all cases with a score.
  std::size_t count() const { return count_; }

 private:
  std::size_t worst_count() const;

  std::size_t each_, count_ = 0;
  std::vector<GalleryCase> kept_;  // by rising score
};

}  // namespace gf
