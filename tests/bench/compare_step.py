"""Races steps of graphflow against PyTorch, alternating in one run, and prints one table with ratios and JSON.

    cmake --build build/release --target graphflow
    ../torch-venv/bin/python tests/bench/compare_step.py build/release/apps/graphflow                    the README's table
    ../torch-venv/bin/python tests/bench/compare_step.py graphflow --device cuda --size paper --json step_cuda.json

Sizes: demo (batch 4, 128x128, 9 classes), paper (batch 8, 256x256, student alone 224x224, 2 classes), tiny (does it run).
Cases: supervised steps, the whole distillation step, the same with WGAN-GP (and at its size without), the Graph Flow loss
alone (forward and backward). Every case and
variant is a process of its own; the best of the rounds' medians counts. graphflow's variants of the same precision
(float32, tf32, bf16) are held against the best of PyTorch's. A variant that does not end within --limit seconds, or fails,
is named and left out. Run it on a quiet machine: with other work on the cores the numbers mean nothing.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile

from provenance import write_result

HERE = os.path.dirname(os.path.abspath(__file__))

CASES = {
    "demo": {
        "fanet": "--task supervised --network fanet --width 0.25 --batch 4 --size 128 --classes 9",
        "mobile_unet": "--task supervised --network mobile_unet --batch 4 --size 128 --classes 9",
        "distill": "--task distill --teacher-width 0.25 --batch 4 --size 128 --classes 9",
        "graph_flow": "--task graph_flow --batch 4 --size 128",
        "distill_96": "--task distill --teacher-width 0.25 --batch 4 --size 96 --classes 2",
        "adversarial": "--task distill --adversarial --teacher-width 0.25 --batch 4 --size 96 --classes 2",
    },
    "paper": {
        "mobile_unet": "--task supervised --network mobile_unet --batch 8 --size 224 --classes 2",
        "distill": "--task distill --batch 8 --size 256 --classes 2",
        "graph_flow": "--task graph_flow --batch 8 --size 256",
    },
    "tiny": {
        "mobile_unet": "--task supervised --network mobile_unet --width 0.1 --batch 2 --size 32",
        "distill": "--task distill --width 0.1 --teacher-width 0.05 --batch 2 --size 32",
        "graph_flow": "--task graph_flow --batch 2 --size 32",
        "adversarial": "--task distill --adversarial --width 0.1 --teacher-width 0.05 --batch 2 --size 64",
    },
}
PYTORCH = {
    "cpu": ["nchw", "channels_last"],
    "cuda": ["nchw", "channels_last", "channels_last+tf32", "channels_last+amp", "channels_last+compile", "channels_last+tf32+compile",
             "channels_last+amp+compile", "channels_last+amp+max_autotune"],
}
# graphflow's: (name, precision, switches). A step is a captured graph unless that is turned off.
OURS = {
    "cpu": [("graphflow", "float32", "")],
    "cuda": [("graphflow", "float32", "--step-graph on"), ("graphflow, no graph", "float32", "--step-graph off"),
             ("graphflow tf32", "tf32", "--tf32 --step-graph on"), ("graphflow bf16", "bf16", "--amp bf16 --step-graph on"),
             ("graphflow bf16, no graph", "bf16", "--amp bf16 --step-graph off"),
             ("graphflow bf16, teacher folded", "bf16", "--amp bf16 --step-graph on --fold-bf16")],
}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("graphflow", help="the built program")
    p.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N, of both; graphflow's may be simt")
    p.add_argument("--size", choices=list(CASES), default="demo")
    p.add_argument("--cases", help="some of the size's cases, by comma")
    p.add_argument("--variants", help="PyTorch's, by comma (pytorch_step.py lists the words); default: by device")
    p.add_argument("--ours", help="graphflow's, by comma, as the table names them; default: by device")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--limit", type=float, default=300, help="seconds for one variant of one case")
    p.add_argument("--total", type=float, default=0, help="after so many seconds what is left is left out; 0: no end")
    p.add_argument("--json", help="also write the result here")
    return p.parse_args()


def precision(variant):
    return "bf16" if "amp" in variant else "tf32" if "tf32" in variant else "float32"


class Race:
    def __init__(self, a):
        self.a = a
        self.env = dict(os.environ, OMP_NUM_THREADS=str(a.threads))
        self.start = datetime.datetime.now()
        self.best, self.left_out, self.about = {}, {}, {}
        kind = "cuda" if a.device.startswith("cuda") else "cpu"
        self.ours = [o for o in OURS[kind] if not a.ours or o[0] in a.ours.split(",")]
        self.rivals = a.variants.split(",") if a.variants else PYTORCH[kind]

    def run(self, case, name, command, read):
        """One process; its milliseconds join the case's."""
        if (case, name) in self.left_out:
            return
        passed = (datetime.datetime.now() - self.start).total_seconds()
        if self.a.total and passed > self.a.total:
            if (case, name) not in self.best:
                self.left_out[case, name] = f"not begun within {self.a.total:.0f} s"
            return
        limit = min(self.a.limit, self.a.total - passed) if self.a.total else self.a.limit
        try:
            done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=limit)
            if done.returncode != 0:
                raise RuntimeError((done.stderr.strip() or "no message").splitlines()[-1])
            document = read(done)
            self.best[case, name] = min(document["median_ms"], self.best.get((case, name), float("inf")))
            for key in ("torch", "cuda", "cudnn", "graphflow", "device"):
                if document.get(key) is not None:
                    self.about[("graphflow's " if key == "device" and "graphflow" in document else "") + key] = document[key]
        except subprocess.TimeoutExpired:
            self.left_out[case, name] = f"over {limit:.0f} s"
        except (RuntimeError, ValueError, KeyError) as e:
            self.left_out[case, name] = str(e)[:200]

    def round(self, cases):
        a, common = self.a, ["--steps", str(self.a.steps), "--threads", str(self.a.threads)]
        rival_device = "cpu" if a.device.startswith("simt") else a.device
        for case, options in cases.items():
            for name, _, switches in self.ours:
                with tempfile.NamedTemporaryFile(suffix=".json") as out:
                    self.run(case, name, [a.graphflow, "bench", "step", "--device", a.device, *options.split(), *switches.split(), *common,
                                          "--json", out.name], lambda _: json.load(open(out.name)))
            for variant in self.rivals:
                self.run(case, "PyTorch " + variant, [sys.executable, os.path.join(HERE, "pytorch_step.py"), "--device", rival_device,
                                                      "--variant", variant, *options.split(), *common], lambda done: json.loads(done.stdout))

    def rows(self, cases):
        result = {}
        for case in cases:
            times = {name: ms for (c, name), ms in self.best.items() if c == case}
            ratios = {}
            for name, p, _ in self.ours:
                rivals = {n: ms for n, ms in times.items() if n.startswith("PyTorch") and precision(n) == p}
                if name in times and rivals:
                    best = min(rivals, key=rivals.get)
                    ratios[name] = {"precision": p, "best_rival": best, "ratio": rivals[best] / times[name]}
            result[case] = {"ms": times, "ratios": ratios}
        return result


def main():
    a = arguments()
    cases = CASES[a.size]
    if a.cases:
        cases = {c: cases[c] for c in a.cases.split(",")}
    race = Race(a)
    for _ in range(a.rounds):
        race.round(cases)
    rows = race.rows(cases)
    print(f"{'case':<14}{'variant':<40}{'ms':>10}{'faster than the best of PyTorch by':>38}")
    for case, row in rows.items():
        for name, ms in row["ms"].items():
            r = row["ratios"].get(name)
            print(f"{case:<14}{name:<40}{ms:>10.2f}" + (f"{r['ratio']:>9.2f}x  ({r['precision']}: {r['best_rival'].removeprefix('PyTorch ')})" if r else ""))
    for (case, name), why in race.left_out.items():
        print(f"{case:<14}{name:<40} left out: {why}")
    # What the adversarial term costs: the step with it over the step without, at one size.
    both = [rows.get(case, {}).get("ms", {}) for case in ("adversarial", "distill_96")]
    cost = {name: both[0][name] / both[1][name] for name in both[0] if name in both[1]}
    for name, ratio in cost.items():
        print(f"adversarial over distill_96, {name}: {ratio:.2f}x")
    document = {**race.about, "threads": a.threads, "rounds": a.rounds, "unit": "ms, best of the rounds' medians", "cases": rows, "adversarial_over_plain": cost,
                "left_out": {f"{case}: {name}": why for (case, name), why in race.left_out.items()}}
    write_result(a.json, document)
    return 1 if any(name.startswith("graphflow") for _, name in race.left_out) else 0


sys.exit(main())
