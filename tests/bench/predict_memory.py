"""Peak memory of graphflow predict over a 512 x 512 x 300 volume of int16 (noise: its mask is of no interest).

    python tests/bench/predict_memory.py build/release/apps/graphflow MODEL.gfm [--json FILE]

MODEL: a network for one input channel, of as many classes as are asked about. A network of nine classes is made in a few
seconds, e.g. with graphflow train --set train.max_iterations=1 and a class_names list of nine.
"""

import argparse
import array
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

from provenance import write_result

NX, NY, NZ = 512, 512, 300


def write_volume(path):
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, NX, NY, NZ, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<2f", header, 108, 352, 1)
    header[344:348] = b"n+1\0"
    noise = random.Random(1)
    with open(path, "wb") as f:
        f.write(header)
        for _ in range(NZ):
            values = array.array("h", noise.randbytes(2 * NX * NY))
            f.write(values.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphflow")
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        volume, mask = os.path.join(folder, "volume.nii"), os.path.join(folder, "mask.nii.gz")
        write_volume(volume)
        start = time.perf_counter()
        process = subprocess.Popen([a.graphflow, "predict", "-m", a.model, "-i", volume, "-o", mask, "--device", "cpu",
                                    "--threads", str(a.threads)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status != 0:
            sys.exit("graphflow predict failed: run it by hand")
    peak = used.ru_maxrss * 1024
    print(f"peak {peak / 1e6:.0f} MB, {seconds:.1f} s")
    write_result(a.json, {"volume": [NX, NY, NZ], "threads": a.threads, "peak_bytes": peak, "seconds": seconds})
    return 0


sys.exit(main())
