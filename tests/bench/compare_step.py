"""Races one training step of graphflow against PyTorch, alternating in one run, and prints a table and JSON.

    cmake --build build/release --target graphflow
    ../torch-venv/bin/python tests/bench/compare_step.py build/release/apps/graphflow --rounds 3

Batch 4, 128x128, 1 channel, 9 classes, half cross entropy and half Dice, Adam; both with the same number of threads.
The rival is the faster of PyTorch's two memory formats. Run it on a quiet machine: with other work on the cores the numbers mean nothing.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("graphflow", help="the built program")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--json", help="also write the result here")
    a = p.parse_args()
    env = dict(os.environ, OMP_NUM_THREADS=str(a.threads))
    nets = {"fanet": "0.25", "mobile_unet": "1"}
    best = {}
    for _ in range(a.rounds):
        for net, width in nets.items():
            with tempfile.NamedTemporaryFile(suffix=".json") as out:
                subprocess.run([a.graphflow, "bench", "step", "--network", net, "--width", width, "--steps", str(a.steps), "--threads",
                                str(a.threads), "--json", out.name], env=env, capture_output=True, check=True)
                best.setdefault((net, "graphflow"), []).append(json.load(open(out.name))["median_ms"])
        # One network and format a process: alternating networks in one process would cost PyTorch's allocator its reuse.
        for net in nets:
            for memory in ("nchw", "channels_last"):
                out = subprocess.run([sys.executable, os.path.join(HERE, "pytorch_step.py"), "--threads", str(a.threads), "--steps", str(a.steps),
                                      "--adam", "fused", "--models", net, "--formats", memory],
                                     env=env, capture_output=True, text=True, check=True).stdout
                document = json.loads(out)
                for row in document["results"]:
                    best.setdefault((row["model"], "PyTorch " + row["format"]), []).append(row["median_ms"])
    rows = {}
    for (net, what), medians in best.items():
        rows.setdefault(net, {})[what] = min(medians)
    print(f"{'network':<14}" + "".join(f"{w:>24}" for w in next(iter(rows.values()))) + f"{'faster by':>12}")
    for net, row in rows.items():
        rival = min(v for w, v in row.items() if w != "graphflow")
        row["ratio"] = rival / row["graphflow"]
        print(f"{net:<14}" + "".join(f"{v:>21.1f} ms" for w, v in row.items() if w != "ratio") + f"{row['ratio']:>11.2f}x")
    document = {"date": datetime.date.today().isoformat(), "torch": document.get("torch"), "threads": a.threads, "rounds": a.rounds,
                "unit": "ms, best of the rounds' medians", "steps": rows}
    if a.json:
        with open(a.json, "w") as f:
            json.dump(document, f, indent=1)


main()
