"""Writing golden files: one place that fixes dtypes, ordering and metadata, so that the files are reproducible."""

import os
import struct
import json

import numpy as np

try:
    import torch
except ImportError:  # the scripts that need none run without it
    torch = None

HERE = os.path.dirname(os.path.abspath(__file__))


def array(t):
    """float64 -> float32, any integer or bool -> int32, everything contiguous; scalars become one element."""
    a = t.detach().cpu().numpy() if torch and isinstance(t, torch.Tensor) else np.asarray(t)
    a = a.astype(np.float32 if a.dtype.kind == "f" else np.int32)
    return np.ascontiguousarray(a.reshape(1) if a.ndim == 0 else a)


def write(name, tensors, **metadata):
    """Writes HERE/name as safetensors: keys sorted, metadata sorted, header padded to 8 bytes."""
    header, offset, chunks = {}, 0, []
    header["__metadata__"] = {k: str(v) for k, v in sorted(metadata.items())}
    for key in sorted(tensors):
        a = array(tensors[key])
        if a.dtype == np.float32 and not np.isfinite(a).all():
            raise ValueError(f"{name}: {key} holds a value that is not finite")
        header[key] = {"dtype": {"f": "F32", "i": "I32"}[a.dtype.kind], "shape": list(a.shape), "data_offsets": [offset, offset + a.nbytes]}
        chunks.append(a.tobytes())
        offset += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = os.path.join(HERE, name)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))
    print(f"{name}: {len(tensors)} tensors, {os.path.getsize(path) / 1024:.0f} KB")


def rounded(t):
    """A float64 tensor whose values are exactly representable in float32: what the engine reads is what was used here."""
    return t.float().double()
