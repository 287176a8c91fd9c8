"""Times HD95 of one 512 x 512 x 150 volume with nine classes in graphflow and in medpy, in turns, and checks that both
give the same distances.

    cmake --build build/release --target bench_metrics
    python3 -m venv ../metrics-venv && ../metrics-venv/bin/pip install medpy    # anywhere outside the checkout
    ../metrics-venv/bin/python tests/bench/compare_metrics.py --rounds 3 --json tests/bench/results/metrics_cpu.json

Truth and prediction are ellipsoids the size and place of abdominal organs, the prediction shifted, scaled, with a rough
surface, and two classes with a small false island far away. medpy gets the boolean masks of each class in memory, as
TransUNet's evaluation calls it; a second line gives it both masks cut to their common box, which is not how it is used
but shows what of the difference is the box. graphflow's times begin with the class maps in memory. Wall and processor
time: on a busy machine the second says what each costs. Prints JSON.
"""

import argparse
import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import medpy
import numpy as np
import scipy
from medpy.metric import binary
from provenance import write_result

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHAPE = (150, 512, 512)
ORGANS = {  # centre and half axes (z, y, x) in voxels
    "aorta": ((75, 280, 262), (72, 14, 14)),
    "gallbladder": ((35, 170, 230), (14, 18, 18)),
    "left kidney": ((60, 310, 360), (30, 32, 28)),
    "right kidney": ((55, 310, 165), (30, 32, 28)),
    "liver": ((95, 240, 170), (45, 95, 105)),
    "pancreas": ((70, 245, 290), (12, 22, 55)),
    "spleen": ((100, 300, 390), (28, 45, 35)),
    "stomach": ((100, 210, 330), (30, 50, 60)),
}


def volumes():
    random = np.random.default_rng(512)
    truth, prediction = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]

    def fill(volume, label, centre, axes, rough=0.0):
        r = sum(((g - c) / a) ** 2 for g, c, a in zip((z, y, x), centre, axes))
        if rough:
            r += rough * (np.sin(z / 5) * np.cos(y / 7) + np.sin(x / 6 + y / 9))
        volume[r <= 1] = label

    for label, (centre, axes) in enumerate(ORGANS.values(), 1):
        fill(truth, label, centre, axes)
        shift = random.integers(-3, 4, 3)
        fill(prediction, label, np.add(centre, shift), np.multiply(axes, random.uniform(0.92, 1.06)), rough=0.08)
    fill(prediction, 2, (20, 60, 60), (3, 6, 6))
    fill(prediction, 7, (130, 440, 100), (2, 5, 5))
    return truth, prediction


def write_nifti(path, volume):
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *volume.shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)  # uint8
    struct.pack_into("<8f", header, 76, 1, 0.75, 0.75, 3, 1, 1, 1, 1)
    struct.pack_into("<2f", header, 108, 352, 1)
    header[123] = 2  # millimetres
    header[344:348] = b"n+1\0"
    with open(path, "wb") as f:
        f.write(header)
        f.write(volume.tobytes())


def medpy_round(truth, prediction, cut):
    wall, cpu, distances = 0.0, 0.0, []
    for label in range(1, len(ORGANS) + 1):
        p, t = prediction == label, truth == label
        if cut:
            where = np.nonzero(p | t)
            box = tuple(slice(w.min(), w.max() + 1) for w in where)
            p, t = (np.pad(m[box], 1) for m in (p, t))  # both edges of the image are background here
        start, cpu_start = time.perf_counter(), time.process_time()
        distances.append(float(binary.hd95(p, t)))
        wall += time.perf_counter() - start
        cpu += time.process_time() - cpu_start
    name = "medpy_in_box" if cut else "medpy"
    return {name + "_ms": 1000 * wall, name + "_cpu_ms": 1000 * cpu}, distances


def output_of(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", default=os.path.join(ROOT, "build", "release", "tests", "bench_metrics"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--json", help="also write the result here")
    a = p.parse_args()

    truth, prediction = volumes()
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name + ".nii") for name in ("truth", "prediction")]
        for file, volume in zip(files, (truth, prediction)):
            write_nifti(file, volume)
        for i in range(a.rounds):
            load = os.getloadavg()[0]
            ours = json.loads(output_of(a.program, *files, "3"))
            whole, distances = medpy_round(truth, prediction, cut=False)
            box, same = medpy_round(truth, prediction, cut=True)
            apart = max(map(lambda u, v, w: max(abs(u - v), abs(u - w)), distances, ours["hd95"], same))
            assert apart < 1e-5, (distances, ours["hd95"], same)
            rounds.append({"load_before": round(load, 2), "apart": apart, **whole, **box, **ours})
            print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)

    def median(key):
        return statistics.median(v for r in rounds for v in (r[key] if isinstance(r[key], list) else [r[key]]))

    names = ("hd95", "hd95_one_thread", "everything", "medpy", "medpy_in_box")
    keys = [name + unit for name in names for unit in ("_ms", "_cpu_ms")]
    result = {
        "what": "HD95 (pooled, voxels) of the eight foreground classes of a 512 x 512 x 150 volume",
        "versions": {"python": platform.python_version(), "medpy": medpy.__version__, "scipy": scipy.__version__},
        "median_ms": {k: round(median(k), 1) for k in keys},
        "medpy_over_graphflow": round(median("medpy_ms") / median("hd95_ms"), 2),
        "medpy_over_graphflow_one_thread": round(median("medpy_ms") / median("hd95_one_thread_ms"), 2),
        "medpy_over_graphflow_processor_time": round(median("medpy_cpu_ms") / median("hd95_cpu_ms"), 2),
        "medpy_in_box_over_graphflow": round(median("medpy_in_box_ms") / median("hd95_ms"), 2),
        "medpy_in_box_over_graphflow_processor_time": round(median("medpy_in_box_cpu_ms") / median("hd95_cpu_ms"), 2),
        "largest_difference_voxels": max(r["apart"] for r in rounds),
        "rounds": rounds,
    }
    print(json.dumps(result, indent=1))
    write_result(a.json, result)


if __name__ == "__main__":
    main()
