"""Writes wilcoxon.csv: signed-rank tests that SciPy made, for tests/data/wilcoxon.cpp.

    pip install scipy==1.17.1 && python tests/golden/make_wilcoxon.py

A row a test: its name, sum of positive ranks, two-sided p, and the differences, blank-separated. SciPy chooses the
method itself, but for the continuity correction, which is off.
"""

import csv
import os

import numpy as np
from scipy.stats import wilcoxon

HERE = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(1945)


def distinct(n, shift):
    return np.round(random.normal(shift, 1, n), 6)


def coarse(n, shift):  # ties, and zeros
    return np.round(random.normal(shift, 1, n) * 2) / 4


CASES = {
    "one_pair": distinct(1, 1),
    "five_all_positive": np.arange(1, 6) / 8,
    "six_all_negative": -np.arange(1, 7) / 8,
    "nine": distinct(9, 0.5),
    "fifty": distinct(50, 0.2),
    "fifty_far": distinct(50, 3),
    "fifty_one": distinct(51, 0.2),
    "two_hundred": distinct(200, -0.1),
    "ties_without_zeros": np.array([1, 1, -1, 2, 2, 2, -3, 3, 4, 5]) / 4,
    "zeros_without_ties": np.array([0, 0, 1, -2, 3, 4, 5, 6]) / 4,
    "thirteen_coarse": coarse(13, 0.6),
    "fourteen_coarse": coarse(14, 0.6),
    "twelve_of_thirteen_zero": np.array([0.0] * 12 + [1]),
    "forty_coarse": coarse(40, -0.3),
    "hundred_coarse": coarse(100, 0.2),
    "hundred_equal": np.full(100, 0.5),
}

with open(os.path.join(HERE, "wilcoxon.csv"), "w", newline="") as f:
    out = csv.writer(f, lineterminator="\n")
    out.writerow(["name", "plus", "p", "differences"])
    for name, d in CASES.items():
        p = wilcoxon(d, correction=False, method="auto").pvalue
        plus = wilcoxon(d, alternative="greater", method="asymptotic").statistic  # of a one-sided test: that sum
        out.writerow([name, repr(float(plus)), repr(float(p)), " ".join(repr(float(v)) for v in d)])
