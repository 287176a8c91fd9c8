#pragma once
// The nearest known word to one that was typed wrong; shared by the configuration and the command line.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace gf {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`, letter case aside.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `typed`, or "" where none is near enough to be what was meant (a third of the letters may
// differ). Of equally near candidates the first one is taken.
std::string nearest_word(std::string_view typed, std::span<const std::string> candidates);

// The remedy part of an error: "did you mean 'X'?", or "known: a, b, c" where nothing is near and the list is short.
std::string did_you_mean(std::string_view typed, std::span<const std::string> candidates);

}  // namespace gf
