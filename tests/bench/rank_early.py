"""How much of a method's final score was decided early: for each model of a result file of collect_rows.py its mean test
Dice beside the mean validation Dice at an early step and the labels' share of the gradient at step 1, and the rank
correlations between them.

    python tests/bench/rank_early.py tests/bench/results/hippocampus_short_cpu.json "Mobile U-Net x0.25" 250
"""
import collections
import json
import sys

file, student, early = sys.argv[1:]
models = collections.defaultdict(list)
for r in json.load(open(file))["rows"]:
    if r["role"] == "method" and r["model"].startswith(student + " + ") and "error" not in r:
        first = r["gradient_shares_by_step"]["1"]
        models[r["model"]].append(
            (r["test_dice"], r["validation_dice_pooled_by_step"][early], first["ce"] + first["dice"])
        )
means = {m: [sum(x) / len(x) for x in zip(*v)] for m, v in models.items()}


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    return {i: place for place, i in enumerate(order)}


def spearman(a, b):
    ra, rb, n = ranks(a), ranks(b), len(a)
    return 1 - 6 * sum((ra[i] - rb[i]) ** 2 for i in range(n)) / (n * (n * n - 1))


for m, (test, val, share) in sorted(means.items(), key=lambda kv: -kv[1][0]):
    print(f"{m:45s} seeds {len(models[m])}  test {test:.4f}  validation at {early}: {val:.3f}  labels' share: {share:.3f}")
test, val, share = zip(*means.values())
print(f"{len(means)} models: rank correlation of test with validation at {early} {spearman(test, val):.2f}, "
      f"with the labels' share at step 1 {spearman(test, share):.2f}")
