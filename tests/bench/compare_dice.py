"""Trains the demo's configurations in graphflow and in PyTorch from the same initial weights and the same batches, and
prints the test Dice of both, seed by seed, as JSON.

    cmake --build build/release --target graphflow export_run
    ../torch-venv/bin/python tests/bench/compare_dice.py --seeds 1 2 3 --work /tmp/dice --json tests/bench/results/brain_dice_cpu.json

Each seed is graphflow's train.seed: it sets weights and batches, which export_run writes for pytorch_trial.py. The
student with Graph Flow learns from graphflow's teacher and paraphrasers of the first seed in both engines. Both score
the last step's weights, pooled over the test slices on the file's grid. Ended trials are kept in --work and not run
again. About twelve minutes a seed and all three configurations on two cores.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys

from provenance import write_result

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CONFIGURATIONS = {  # name: (configuration file, network, steps)
    "fanet": ("brain_teacher.toml", "fanet", 400),
    "mobile_unet": ("brain_student.toml", "mobile_unet", 800),
    "mobile_unet + Graph Flow": ("brain_graph_flow.toml", "mobile_unet", 800),
}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    p.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    p.add_argument("--only", choices=list(CONFIGURATIONS), nargs="+", default=list(CONFIGURATIONS))
    p.add_argument("--work", required=True, help="folder for runs, weights and batches")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--json", help="also write the result here")
    return p.parse_args()


def call(*words):
    print("$", *words, file=sys.stderr, flush=True)
    subprocess.run(words, check=True, stdout=sys.stderr)


class Trials:
    def __init__(self, a):
        self.a = a
        self.program = os.path.join(a.build, "apps", "graphflow")
        self.threads = ["--threads", str(a.threads)]

    def folder(self, *parts):
        return os.path.join(self.a.work, *map(str, parts))

    def train(self, name, seed):
        """graphflow's run folder of this configuration and seed."""
        file, _, steps = CONFIGURATIONS[name]
        folder = self.folder("graphflow", name.replace(" ", "_"), seed)
        if os.path.exists(os.path.join(folder, "checkpoints", "final.gfm")):
            return folder
        common = ["-c", os.path.join(ROOT, "apps", "configs", file), "--set", f"train.seed={seed}",
                  "--set", f"train.max_iterations={steps}", "--overwrite", "--quiet", *self.threads]
        if "Graph Flow" in name:
            teacher = self.teacher()
            call(self.program, "distill", *common, "-o", folder, "--teacher", teacher, "--paraphrasers", self.paraphrasers())
        else:
            call(self.program, "train", *common, "-o", folder)
        return folder

    def teacher(self):
        return os.path.join(self.train("fanet", self.a.seeds[0]), "checkpoints", "best.gfm")

    def paraphrasers(self):
        folder = self.folder("graphflow", "paraphrasers")
        file = os.path.join(folder, "paraphraser", "checkpoints", "best.gfm")
        if not os.path.exists(file):
            call(self.program, "paraphrase", "-c", os.path.join(ROOT, "apps", "configs", "brain_graph_flow.toml"), "-o", folder,
                 "--teacher", self.teacher(), "--overwrite", "--quiet", *self.threads)
        return file

    def graphflow(self, name, seed):
        """Dice per class of the last step's weights on the test slices."""
        run, out = self.train(name, seed), self.folder("scores", name.replace(" ", "_"), seed)
        file = os.path.join(out, "per_class.csv")
        if not os.path.exists(file):
            call(self.program, "evaluate", "-m", os.path.join(run, "checkpoints", "final.gfm"), "-o", out, *self.threads)
        with open(file) as f:
            return [float(row["dice_pooled"]) for row in csv.DictReader(f)]

    def pytorch(self, name, seed):
        file, network, steps = CONFIGURATIONS[name]
        out = self.folder("pytorch", name.replace(" ", "_"), f"{seed}.json")
        if not os.path.exists(out):
            os.makedirs(os.path.dirname(out), exist_ok=True)
            exported = self.folder("exported")
            call(os.path.join(self.a.build, "tests", "export_run"), os.path.join(ROOT, "apps", "configs", file), exported,
                 f"train.seed={seed}", f"train.max_iterations={steps}")
            words = [sys.executable, os.path.join(HERE, "pytorch_trial.py"), "--run", exported, "--steps", str(steps),
                     *self.threads]
            if "Graph Flow" in name:
                words += ["--distill", "--teacher-file", self.teacher(), "--paraphraser-file", self.paraphrasers()]
            else:
                words += ["--network", network]
            print("$", *words, file=sys.stderr, flush=True)
            text = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
            with open(out, "w") as f:
                f.write(text)
        with open(out) as f:
            document = json.load(f)
        return document["distilled" if "Graph Flow" in name else network], document["torch"]


def main():
    a = arguments()
    trials = Trials(a)
    rounded = lambda values: [round(v, 4) for v in values]
    result = {}
    for name in a.only:
        rows = []
        for seed in a.seeds:
            ours = trials.graphflow(name, seed)
            theirs, torch = trials.pytorch(name, seed)
            row = {"seed": seed, "graphflow": round(statistics.mean(ours), 4), "pytorch": theirs["test_dice_full_grid"],
                   "graphflow_per_class": rounded(ours), "pytorch_per_class": theirs["test_dice_full_grid_per_class"]}
            print(name, row, file=sys.stderr, flush=True)
            rows.append(row)
        means = {engine: round(statistics.mean(row[engine] for row in rows), 4) for engine in ("graphflow", "pytorch")}
        result[name] = {"steps": CONFIGURATIONS[name][2], "mean": means,
                        "difference": round(means["graphflow"] - means["pytorch"], 4), "seeds": rows}
    document = {"torch": torch, "threads": a.threads,
                "what": "test Dice, mean of eight regions; same initial weights and batches in both engines", "results": result}
    print(json.dumps(document, indent=1))
    write_result(a.json, document)


main()
