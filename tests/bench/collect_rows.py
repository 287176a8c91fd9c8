"""Rows of `graphflow experiment` as one small result file: scores, and what share of the gradient each term had.

    python tests/bench/collect_rows.py EXPERIMENT_FOLDER... --what "..." --command "..." --commit HASH --device "..." \
        > tests/bench/results/NAME.json

Runs are looked for beside the rows, as the rows name them.
"""
import argparse
import csv
import datetime
import json
import pathlib
import sys

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folders", nargs="+", type=pathlib.Path)
parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("."), help="what the rows' run folders begin at")
for name in ("what", "command", "commit", "device"):
    parser.add_argument("--" + name, required=True)
a = parser.parse_args()


def shares(run):
    """At the first step, in the middle, at the end: the gradient share of every term."""
    file = a.runs / run / "metrics.csv"
    if not file.exists():
        return None
    with open(file) as f:
        rows = [r for r in csv.DictReader(f) if r.get("share_ce")]
    picked = {0: rows[0], len(rows) // 2: rows[len(rows) // 2], len(rows) - 1: rows[-1]}
    return {
        r["step"]: {k.removeprefix("share_"): round(float(v), 3) for k, v in r.items() if k.startswith("share_") and v}
        for r in picked.values()
    }


def validation(run):
    file = a.runs / run / "metrics.csv"
    if not file.exists():
        return None
    with open(file) as f:
        return {r["step"]: round(float(r["val_dice"]), 3) for r in csv.DictReader(f) if r.get("val_dice")}


rows = []
for folder in a.folders:
    for file in sorted((folder / "rows").glob("*.json")):
        r = json.loads(file.read_text())
        row = {
            "dataset": r["dataset"],
            **({"labelled": r["labelled"]} if "labelled" in r else {}),
            "model": " + ".join(x for x in (r.get("student") or r["teacher"], r.get("method")) if x),
            "role": r["role"],
            "seed": r["seed"],
        }
        if r["status"] != "done":
            row["error"] = r["error"]
        else:
            row |= {
                "parameters": r["parameters"],
                "best_step": r["best_step"],
                "validation_dice": round(r["validation"]["dice"], 4),
                "test_dice": round(r["test"]["dice"], 4),
                "validation_dice_pooled_by_step": validation(r["run"]),
            }
            if r["role"] == "method":
                row["gradient_shares_by_step"] = shares(r["run"])
        if row not in rows:
            rows.append(row)

head = {"date": str(datetime.date.today()), **{k: getattr(a, k) for k in ("what", "command", "commit", "device")}}
text = json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n'
text += ",\n".join("  " + json.dumps(r) for r in sorted(rows, key=lambda r: (r["dataset"], r.get("labelled", 0), r["role"] != "teacher", r["model"], r["seed"])))
sys.stdout.write(text + "\n ]\n}\n")
