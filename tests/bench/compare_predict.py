"""Races the forward pass of a trained network against onnxruntime, alternating in one run, and times the first mask.

    cmake --build build/release --target graphflow
    ../venv/bin/pip install onnxruntime
    ../venv/bin/python tests/bench/compare_predict.py build/release/apps/graphflow runs/student/checkpoints/best.gfm IMAGE

Both run the same network (graphflow export makes the ONNX file) on one picture of --size with the same number of threads, each
in a process of its own; of --rounds rounds the smallest median counts. The first mask: `graphflow predict` from its start
to the end of the process, the smallest of the rounds. Run it on a quiet machine.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from provenance import write_result

ONNXRUNTIME = """
import sys, time, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = int(sys.argv[2]), 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
node = session.get_inputs()[0]
x = numpy.random.default_rng(1).random([d if isinstance(d, int) else 1 for d in node.shape], dtype=numpy.float32)
times = []
for i in range(int(sys.argv[3]) + 4):
    start = time.perf_counter()
    session.run(None, {node.name: x})
    times.append(time.perf_counter() - start)
print(1e3 * sorted(times[4:])[len(times[4:]) // 2])
"""


def run(command, threads):
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphflow")
    parser.add_argument("model")
    parser.add_argument("image", help="a picture that the model was made for: its mask is the first mask")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--json")
    a = parser.parse_args()
    import onnxruntime

    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        onnx, out = os.path.join(folder, "net.onnx"), os.path.join(folder, "bench.json")
        run([a.graphflow, "export", "-m", a.model, "-o", onnx, "--size", f"{a.size}x{a.size}"], 1)
        with open(os.path.join(folder, "net.json")) as f:
            about = json.load(f)
        network, classes = about["network"], about["output"]["shape"][1]
        if about["input"]["shape"][1] != 1:
            sys.exit("the model has several input channels, graphflow bench has one: take a model of gray pictures")
        for threads in a.threads:
            best = {}
            for _ in range(a.rounds):
                run([a.graphflow, "bench", "step", "--task", "predict", "--network", network["arch"], "--width", str(network["width"]),
                     "--batch", "1", "--size", str(a.size), "--classes", str(classes), "--threads", str(threads), "--steps",
                     str(a.steps), "--json", out, "--device", "cpu"], threads)
                with open(out) as f:
                    ours = json.load(f)["median_ms"]
                theirs = float(run([sys.executable, "-c", ONNXRUNTIME, onnx, str(threads), str(a.steps)], threads))
                best = {"graphflow": min(ours, best.get("graphflow", ours)), "onnxruntime": min(theirs, best.get("onnxruntime", theirs))}
            first = []
            for i in range(a.rounds):
                mask = os.path.join(folder, f"mask{threads}_{i}" + re.search(r"(\.nii(\.gz)?|\.png)?$", a.image).group())
                start = time.perf_counter()
                run([a.graphflow, "predict", "-m", a.model, "-o", mask, "--device", "cpu", "--threads", str(threads), "-i", a.image], threads)
                first.append(time.perf_counter() - start)
            rows[f"{threads} threads"] = {**best, "ratio": best["onnxruntime"] / best["graphflow"], "first_mask_s": min(first)}
            print(f"{threads} threads: graphflow {best['graphflow']:.2f} ms, onnxruntime {best['onnxruntime']:.2f} ms: "
                  f"{rows[f'{threads} threads']['ratio']:.2f}x; first mask {min(first):.3f} s")
    write_result(a.json, {"network": network, "size": a.size, "onnxruntime": onnxruntime.__version__, "rounds": a.rounds,
                          "steps": a.steps, "unit": "ms, smallest of the rounds' medians", "results": rows})
    return 0


sys.exit(main())
