#!/usr/bin/env python3
"""Compares two run folders of graphflow that started from the same weights and saw the same batches.

    compare_runs.py RUN OTHER                        losses of the first 20 steps within 1e-3, mean of 151-200 within 2 %
    compare_runs.py RUN OTHER --first 5 --mean 4 6   the same of a short run
    compare_runs.py RUN OTHER --same-bits            every weight of checkpoints/final.gfm and every logged loss

Prints one JSON document; exit code 1 where the runs differ by more.
"""

import argparse
import csv
import json
import math
import os
import struct
import sys

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("run")
p.add_argument("other")
p.add_argument("--column", default="loss")
p.add_argument("--first", type=int, default=20, metavar="N")
p.add_argument("--within", type=float, default=1e-3, help="relative, of each of the first steps")
p.add_argument("--mean", type=int, nargs=2, default=[151, 200], metavar=("FROM", "TO"))
p.add_argument("--mean-within", type=float, default=0.02)
p.add_argument("--same-bits", action="store_true")


def losses(folder, column):
    path = os.path.join(folder, "metrics.csv")
    with open(path) as f:
        rows = list(csv.DictReader(f))
    if not rows or column not in rows[0]:
        sys.exit(f"{path}: no column {column}; it has {', '.join(rows[0]) if rows else 'no rows'}")
    return {int(r["step"]): float(r[column]) for r in rows if r[column]}


def tensors(folder):
    """Name to bytes of a safetensors file."""
    with open(os.path.join(folder, "checkpoints", "final.gfm"), "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    return {name: data[slice(*t["data_offsets"])] for name, t in header.items() if name != "__metadata__"}


def relative(a, b):
    return abs(a - b) / max(abs(b), 1e-30) if math.isfinite(a) and math.isfinite(b) else math.inf


def same_bits(a):
    x, y = tensors(a.run), tensors(a.other)
    differ = sorted(n for n in x.keys() | y.keys() if x.get(n) != y.get(n))
    curves = losses(a.run, a.column) == losses(a.other, a.column)
    return {"tensors": len(x), "tensors_that_differ": differ[:10], "count_that_differ": len(differ), "same_losses": curves,
            "ok": bool(x) and not differ and curves}


def close(a):
    x, y = losses(a.run, a.column), losses(a.other, a.column)
    steps = [s for s in sorted(x) if s in y][: a.first]
    worst = max(((relative(x[s], y[s]), s) for s in steps), default=(math.inf, 0))
    part = [s for s in x if s in y and a.mean[0] <= s <= a.mean[1]]
    means = [sum(z[s] for s in part) / len(part) if part else math.nan for z in (x, y)]
    off = relative(*means)
    return {"steps_compared": len(steps), "worst_relative": worst[0], "worst_step": worst[1], "allowed": a.within,
            "mean_steps": a.mean, "steps_in_mean": len(part), "means": means, "means_apart": off, "means_allowed": a.mean_within,
            "ok": len(steps) == a.first and worst[0] <= a.within and len(part) == a.mean[1] - a.mean[0] + 1 and off <= a.mean_within}


a = p.parse_args()
result = {"run": a.run, "other": a.other, **(same_bits(a) if a.same_bits else close(a))}
print(json.dumps(result, indent=1))
sys.exit(0 if result["ok"] else 1)
