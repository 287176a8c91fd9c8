"""Writes what published weights of TransUNet look like, in small, and NumPy files of every kind the reader meets.

    python tests/golden/make_transunet_files.py        needs numpy and scipy; writes into this folder:

transunet_google.npz   as Google's R50+ViT-B_16.npz: its names, shapes and order of axes, with 2 channels in place of 64 (24 in
                       place of 768) and a position embedding of 5x5 tokens behind a class token, compressed
transunet_names.txt    names and shapes of the state dictionary of the PyTorch code, 2 classes, 64x64 pictures, that width
transunet_position.npz the same position embedding for grids of 4x4 and 6x6, by scipy.ndimage.zoom as that code does it
npz_*.npz              stored, zip64, and the refused: Fortran order, big-endian, objects, another file in the archive

Element i of array number p (names sorted), counted in C order, is p + (i % 251) / 256.
"""

import os
import zipfile

import numpy as np
from scipy import ndimage

HERE = os.path.dirname(os.path.abspath(__file__))
B = 2  # channels of the root
C = 12 * B
HEADS, LAYERS, OLD_GRID, CLASSES = 12, 12, 5, 2


def path(name):
    return os.path.join(HERE, name)


def google_shapes():
    s = {"conv_root/kernel": (7, 7, 3, B), "gn_root/scale": (B,), "gn_root/bias": (B,)}
    c_in = B
    for block, units in ((1, 3), (2, 4), (3, 9)):
        c_out = B * 2 ** (block + 1)
        c_mid = c_out // 4
        for unit in range(1, units + 1):
            at = f"block{block}/unit{unit}/"
            s[at + "conv1/kernel"] = (1, 1, c_in, c_mid)
            s[at + "conv2/kernel"] = (3, 3, c_mid, c_mid)
            s[at + "conv3/kernel"] = (1, 1, c_mid, c_out)
            for i, c in ((1, c_mid), (2, c_mid), (3, c_out)):
                s[at + f"gn{i}/scale"] = s[at + f"gn{i}/bias"] = (c,)
            if unit == 1:
                s[at + "conv_proj/kernel"] = (1, 1, c_in, c_out)
                s[at + "gn_proj/scale"] = s[at + "gn_proj/bias"] = (1, 1, 1, c_out)
            c_in = c_out
    s["embedding/kernel"], s["embedding/bias"] = (1, 1, c_in, C), (C,)
    s["cls"], s["head/kernel"], s["head/bias"] = (1, 1, C), (C, 7), (7,)
    s["Transformer/posembed_input/pos_embedding"] = (1, 1 + OLD_GRID**2, C)
    for layer in range(LAYERS):
        at = f"Transformer/encoderblock_{layer}/"
        for norm in ("LayerNorm_0", "LayerNorm_2"):
            s[at + norm + "/scale"] = s[at + norm + "/bias"] = (C,)
        for part in ("query", "key", "value"):
            s[at + f"MultiHeadDotProductAttention_1/{part}/kernel"] = (C, HEADS, C // HEADS)
            s[at + f"MultiHeadDotProductAttention_1/{part}/bias"] = (HEADS, C // HEADS)
        s[at + "MultiHeadDotProductAttention_1/out/kernel"] = (HEADS, C // HEADS, C)
        s[at + "MultiHeadDotProductAttention_1/out/bias"] = (C,)
        s[at + "MlpBlock_3/Dense_0/kernel"], s[at + "MlpBlock_3/Dense_0/bias"] = (C, 4 * C), (4 * C,)
        s[at + "MlpBlock_3/Dense_1/kernel"], s[at + "MlpBlock_3/Dense_1/bias"] = (4 * C, C), (C,)
    s["Transformer/encoder_norm/scale"] = s["Transformer/encoder_norm/bias"] = (C,)
    return s


def pytorch_shapes():
    s = {}
    hybrid = "transformer.embeddings.hybrid_model."

    def add(name, weight, *others):
        s[name + ".weight"] = weight
        for other in others:
            s[f"{name}.{other}"] = (weight[0],)

    add(hybrid + "root.conv", (B, 3, 7, 7))
    add(hybrid + "root.gn", (B,), "bias")
    c_in = B
    for block, units in ((1, 3), (2, 4), (3, 9)):
        c_out = B * 2 ** (block + 1)
        c_mid = c_out // 4
        for unit in range(1, units + 1):
            at = hybrid + f"body.block{block}.unit{unit}."
            add(at + "gn1", (c_mid,), "bias")
            add(at + "conv1", (c_mid, c_in, 1, 1))
            add(at + "gn2", (c_mid,), "bias")
            add(at + "conv2", (c_mid, c_mid, 3, 3))
            add(at + "gn3", (c_out,), "bias")
            add(at + "conv3", (c_out, c_mid, 1, 1))
            if unit == 1:
                add(at + "downsample", (c_out, c_in, 1, 1))
                add(at + "gn_proj", (c_out,), "bias")
            c_in = c_out
    s["transformer.embeddings.position_embeddings"] = (1, 16, C)
    add("transformer.embeddings.patch_embeddings", (C, c_in, 1, 1), "bias")
    for layer in range(LAYERS):
        at = f"transformer.encoder.layer.{layer}."
        for norm in ("attention_norm", "ffn_norm"):
            add(at + norm, (C,), "bias")
        add(at + "ffn.fc1", (4 * C, C), "bias")
        add(at + "ffn.fc2", (C, 4 * C), "bias")
        for part in ("query", "key", "value", "out"):
            add(at + "attn." + part, (C, C), "bias")
    add("transformer.encoder.encoder_norm", (C,), "bias")
    bn = ("bias", "running_mean", "running_var")

    def conv_bn(name, c_out, c_in):
        add(name + ".0", (c_out, c_in, 3, 3))
        add(name + ".1", (c_out,), *bn)

    conv_bn("decoder.conv_more", 8 * B, C)
    # B // 4 is 0 here; a network has one channel at least.
    c, skips, outs = 8 * B, (8 * B, 4 * B, B, 0), (4 * B, 2 * B, B, max(1, B // 4))
    for i, (skip, out) in enumerate(zip(skips, outs)):
        conv_bn(f"decoder.blocks.{i}.conv1", out, c + skip)
        conv_bn(f"decoder.blocks.{i}.conv2", out, out)
        c = out
    add("segmentation_head.0", (CLASSES, c, 3, 3), "bias")
    return s


def values(shapes):
    return {
        name: (place + np.arange(int(np.prod(shape))) % 251 / 256).astype(np.float32).reshape(shape)
        for place, (name, shape) in enumerate(sorted(shapes.items()))
    }


def numpy_files():
    f32 = np.arange(6, dtype=np.float32).reshape(2, 3) / 4
    several = {
        "f32": f32, "f16": f32.astype(np.float16), "f64": f32.astype(np.float64) * 1e300, "i64": np.arange(4),
        "u8": np.arange(3, dtype=np.uint8), "scalar": np.float32(2.5), "none": np.zeros((0, 3), np.float32),
        "folder/name": f32 + 1,
    }
    np.savez(path("npz_stored.npz"), **several)
    limit, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 1  # every size and offset is written as if it were large
    np.savez_compressed(path("npz_zip64.npz"), **several)
    zipfile.ZIP64_LIMIT = limit
    np.savez(path("npz_fortran.npz"), a=np.asfortranarray(f32))
    np.savez(path("npz_big_endian.npz"), a=f32.astype(">f4"))
    np.savez(path("npz_objects.npz"), a=np.array([{"x": 1}], dtype=object))
    with zipfile.ZipFile(path("npz_other.npz"), "w") as z:
        z.writestr("readme.txt", "not an array")


def fix_times(name):
    """Zip entries carry the time they were made: rewritten without, so that the files are reproducible."""
    with zipfile.ZipFile(path(name)) as z:
        entries = [(i.filename, i.compress_type, z.read(i)) for i in z.infolist()]
    large = "zip64" in name
    limit, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 1 if large else zipfile.ZIP64_LIMIT
    with zipfile.ZipFile(path(name), "w") as z:
        for filename, method, data in entries:
            info = zipfile.ZipInfo(filename)
            info.compress_type = method
            with z.open(info, "w", force_zip64=True) as f:
                f.write(data)
    zipfile.ZIP64_LIMIT = limit


def main():
    google = values(google_shapes())
    np.savez_compressed(path("transunet_google.npz"), **google)
    grid = google["Transformer/posembed_input/pos_embedding"][0, 1:].reshape(OLD_GRID, OLD_GRID, C)
    zoomed = {
        f"zoomed_{side}": ndimage.zoom(grid, (side / OLD_GRID, side / OLD_GRID, 1), order=1).reshape(side * side, C)
        for side in (4, 6)
    }
    np.savez(path("transunet_position.npz"), **zoomed)
    with open(path("transunet_names.txt"), "w") as f:
        for name, shape in sorted(pytorch_shapes().items()):
            print(name, *shape, file=f)
    numpy_files()
    for name in sorted(os.listdir(HERE)):
        if name.endswith(".npz"):
            fix_times(name)
            print(name, os.path.getsize(path(name)))


if __name__ == "__main__":
    main()
