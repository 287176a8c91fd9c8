"""Writes what onnxruntime computes from our exported networks.

    cmake --build build/release --target export_onnx && build/release/tests/export_onnx FOLDER
    python tests/golden/make_onnx.py FOLDER       writes onnx.safetensors

Each file goes through onnx.checker (full_check: shapes too) and is run twice, with batches of two and of one: the batch
is free. NAME/logits are those of the first two inputs of NAME_expected.safetensors.
NAME/crc32 and NAME/bytes tell which file it was; tests/onnx compares them with what it exports itself.
"""

import os
import struct
import sys
import json
import zlib

import numpy as np
import onnx
import onnxruntime

from golden_file import HERE, write

NAMES = ["fanet", "mobile_unet", "enet", "erfnet", "unet"]


def stored(name, key):
    with open(os.path.join(HERE, f"{name}_expected.safetensors"), "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        entry = json.loads(f.read(length))[key]
        f.seek(8 + length + entry["data_offsets"][0])
        return np.frombuffer(f.read(entry["data_offsets"][1] - entry["data_offsets"][0]), np.float32).reshape(entry["shape"])


def main(folder):
    tensors = {}
    for name in NAMES:
        path = os.path.join(folder, f"{name}.onnx")
        with open(path, "rb") as f:
            data = f.read()
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert [o.version for o in model.opset_import] == [17]
        x = stored(name, "input")[:2]
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        logits = session.run(["logits"], {"image": x})[0]
        one = session.run(["logits"], {"image": x[1:]})[0]
        scale = np.abs(logits).max()
        print(f"{name}: {len(model.graph.node)} nodes, batches of two and of one differ by {np.abs(one - logits[1:]).max() / scale:.1e}")
        tensors |= {f"{name}/logits": logits,
                    f"{name}/crc32": np.array(zlib.crc32(data) & 0xFFFFFFFF, np.uint32).view(np.int32),
                    f"{name}/bytes": np.array(len(data), np.int32)}
    write("onnx.safetensors", tensors, onnxruntime=onnxruntime.__version__, onnx=onnx.__version__,
          about="tests/golden/make_onnx.py: exported networks run by onnxruntime, NCHW")


main(sys.argv[1])
