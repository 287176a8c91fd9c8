"""Writes confidence.csv: 95 % confidence intervals of means that SciPy made, for tests/data/confidence.cpp.

    pip install scipy==1.17.1 && python tests/golden/make_confidence.py

A row a sample: its name, the quantile t(0.975, n - 1), both ends of the interval, and the values, blank-separated.
"""

import csv
import os

import numpy as np
from scipy.stats import t, ttest_1samp

HERE = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(1908)


def dice(n):
    return np.round(random.beta(8, 2, n), 6)


CASES = {
    "two": np.array([0.25, 0.75]),
    "three": dice(3),
    "four_equal": np.full(4, 0.5),
    "five": dice(5),
    "eight": dice(8),
    "nine_mm": np.round(random.gamma(2, 4, 9), 6),
    "thirty": dice(30),
    "thirty_one": dice(31),
    "hundred_fifty": dice(150),
}

with open(os.path.join(HERE, "confidence.csv"), "w", newline="") as f:
    out = csv.writer(f, lineterminator="\n")
    out.writerow(["name", "t", "low", "high", "values"])
    for name, v in CASES.items():
        if np.ptp(v) == 0:
            low = high = v[0]  # SciPy gives nan where nothing varies
        else:
            low, high = ttest_1samp(v, 0).confidence_interval(0.95)
        row = [float(t.ppf(0.975, len(v) - 1)), float(low), float(high)]
        out.writerow([name, *map(repr, row), " ".join(repr(float(x)) for x in v)])
