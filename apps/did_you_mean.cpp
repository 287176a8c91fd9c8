#include "apps/did_you_mean.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace gf {
namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

constexpr std::size_t kShortList = 12;  // more names than this are no help on one line

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Optimal string alignment: three rows of the usual table, because a swap looks two rows back.
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::string nearest_word(std::string_view typed, std::span<const std::string> candidates) {
  std::size_t best = std::max<std::size_t>(1, typed.size() / 3) + 1;
  std::string word;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(typed, candidate);
    if (distance < best) {
      best = distance;
      word = candidate;
    }
  }
  return word;
}

std::string did_you_mean(std::string_view typed, std::span<const std::string> candidates) {
  const std::string word = nearest_word(typed, candidates);
  if (!word.empty()) return "did you mean '" + word + "'?";
  if (candidates.empty() || candidates.size() > kShortList) return {};
  std::string known = "known: ";
  for (std::size_t i = 0; i < candidates.size(); ++i) known += (i ? ", " : "") + candidates[i];
  return known;
}

}  // namespace gf
