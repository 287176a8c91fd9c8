#pragma once
// A comparison for terminals and READMEs, for papers, for other programs, and for a browser.
#include <string>

#include "apps/compare/comparison.h"

namespace gf {

// Columns aligned, so that it can be read as it is.
std::string markdown_of(const Comparison& comparison);

// A `table` environment a table, for \input into a paper; needs the package booktabs. Warnings and notes are comments.
std::string latex_of(const Comparison& comparison);

// One self-contained page (report/html_page.h): curves against the labelled share, and per group plots and tables.
std::string html_of(const Comparison& comparison);

// A row a group and model: names, seeds, size and speed, then of every metric M: M_mean, M_std, M_seeds, and over the
// student alone M_gain, M_p, M_p_holm, M_pairs, M_zeros, M_test (exact, normal, none), M_gap (formed, no_gap,
// needs_seeds, incomplete), M_gap_closed. Numbers in full, empty where unknown.
std::string csv_of(const Comparison& comparison);

// A row a trained model and case: split, dataset, labelled, student, teacher, role, model, seed, case, every metric.
std::string cases_csv_of(const Comparison& comparison);

}  // namespace gf
