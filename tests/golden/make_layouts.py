"""Writes layout_*: small files as other programs write them, for tests/data/layouts_*.cpp, and what they must read as.

    pip install numpy==2.4.6 h5py==3.16.0 tifffile==2026.3.3 imagecodecs pillow==13.0.0 nibabel==5.4.2
    python tests/golden/make_layouts.py

layout_*.tif              pictures and masks by tifffile and Pillow; values by the formulas below
layout_resize.npz         quarter-size pictures and masks by Pillow
layout_btcv_*.nii.gz      a BTCV-like volume and its label by nibabel
layout_synapse.npz        what preprocessing as TransUNet's makes of it, by NumPy
layout_stack.h5, layout_slice*.npz   files by h5py and numpy, as TransUNet ships them
"""

import os
import struct

import h5py
import nibabel
import numpy as np
import tifffile
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(HERE, "layout_" + name)


# Pictures: pixel (y, x), channel c holds (7 y + 13 x + 50 c) % modulus.
def ramp(h, w, c=None, modulus=256):
    y, x = np.mgrid[:h, :w]
    v = 7 * y + 13 * x
    return (v if c is None else v[..., None] + 50 * np.arange(c)) % modulus


def tiffs():
    tifffile.imwrite(path("gray8_lzw.tif"), ramp(20, 30).astype(np.uint8), compression="lzw")
    tifffile.imwrite(path("gray16_be.tif"), ramp(20, 30, modulus=65536).astype(np.uint16) * 40, byteorder=">", rowsperstrip=7)
    tifffile.imwrite(path("rgb_tiles.tif"), ramp(40, 50, 3).astype(np.uint8), photometric="rgb", tile=(16, 16), compression="deflate")
    tifffile.imwrite(path("rgb_planes.tif"), np.moveaxis(ramp(20, 30, 3), 2, 0).astype(np.uint8), photometric="rgb", planarconfig="separate")
    tifffile.imwrite(path("float.tif"), (ramp(20, 30) / 8 - 3).astype(np.float32))
    tifffile.imwrite(path("white_is_zero.tif"), ramp(20, 30).astype(np.uint8), photometric="miniswhite")
    tifffile.imwrite(path("pages.tif"), np.zeros((2, 8, 8), np.uint8), photometric="minisblack")
    tifffile.imwrite(path("signed.tif"), np.zeros((8, 8), np.int16))
    palette = Image.fromarray(ramp(20, 30, modulus=5).astype(np.uint8), mode="P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7])
    palette.save(path("palette.tif"))
    Image.fromarray(ramp(20, 30, modulus=3) == 1).save(path("bits.tif"), compression="group4")
    four_bits("four_bits.tif", ramp(5, 7, modulus=16))
    equal = np.repeat((ramp(20, 30, modulus=2) * 255).astype(np.uint8)[..., None], 3, axis=2)
    tifffile.imwrite(path("rgb_mask.tif"), equal, photometric="rgb", compression="packbits")
    Image.fromarray(ramp(20, 30, 3).astype(np.uint8)).save(path("jpeg.tif"), compression="jpeg", quality=95)


def four_bits(name, values):
    """Two pixels a byte: byte by byte, because neither writer packs four bits."""
    h, w = values.shape
    padded = np.pad(values, ((0, 0), (0, w % 2)))
    data = (padded[:, ::2] * 16 + padded[:, 1::2]).astype(np.uint8).tobytes()
    tags = [(256, w), (257, h), (258, 4), (259, 1), (262, 1), (273, 8), (277, 1), (278, h), (279, len(data))]
    directory = 8 + len(data) + len(data) % 2
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    with open(path(name), "wb") as f:
        f.write(struct.pack("<2sHI", b"II", 42, directory) + data.ljust(directory - 8, b"\0"))
        f.write(struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0))


def resize():
    picture = ((ramp(40, 64, 3, 251) * 5 + np.arange(64)[None, :, None] ** 2) % 256).astype(np.uint8)
    small = np.asarray(Image.fromarray(picture).resize((16, 10), Image.BILINEAR))
    luma = np.asarray(Image.fromarray(small).convert("L"))
    mask = (picture[..., 0] > 128).astype(np.uint8)
    nearest = np.asarray(Image.fromarray(mask).resize((16, 10), Image.NEAREST))
    np.savez_compressed(path("resize.npz"), picture=picture.astype(np.float32), small=small.astype(np.float32),
                        luma=luma.astype(np.float32), mask=mask.astype(np.float32), nearest=nearest.astype(np.float32))


BTCV_TO_TRANSUNET = {8: 1, 4: 2, 3: 3, 2: 4, 6: 5, 11: 6, 1: 7, 7: 8}


def synapse():
    rng = np.random.default_rng(3)
    shape = (6, 5, 4)  # x, y, z
    image = rng.integers(-1024, 1200, shape).astype(np.int16)
    label = rng.integers(0, 14, shape).astype(np.uint8)
    affine = np.array([[-0.75, 0, 0, 100], [0, 0.75, 0, -80], [0, 0, 3, 12], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.Nifti1Image(image, affine), path("btcv_img.nii.gz"))
    nibabel.save(nibabel.Nifti1Image(label, affine), path("btcv_label.nii.gz"))
    organs = np.zeros_like(label)
    for number, organ in BTCV_TO_TRANSUNET.items():
        organs[label == number] = organ
    scaled = (np.clip(image.astype(np.float32), -125, 275) + 125) / 400
    stack, labels = scaled.transpose(2, 0, 1), organs.transpose(2, 0, 1)
    np.savez_compressed(path("synapse.npz"), image=stack.astype(np.float32), label=labels.astype(np.float32))
    with h5py.File(path("stack.h5"), "w") as f:
        f.create_dataset("image", data=stack.astype(np.float32), compression="gzip")
        f.create_dataset("label", data=labels.astype(np.uint8))
    np.savez(path("slice.npz"), image=stack[1].astype(np.float32), label=labels[1].astype(np.float32))
    np.savez_compressed(path("slice_ints.npz"), image=stack[1].astype(np.float64), label=labels[1].astype(np.int64))


def hostile():
    with h5py.File(path("huge.h5"), "w") as f:  # promises 4 TB and holds nothing
        f.create_dataset("image", shape=(32000, 32000, 1000), dtype="f4", chunks=(1, 100, 100))
        f.create_dataset("label", shape=(32000, 32000, 1000), dtype="u1", chunks=(1, 100, 100))
    with h5py.File(path("linked.h5"), "w") as f:
        f["image"] = h5py.ExternalLink("layout_stack.h5", "/image")
        f["label"] = h5py.SoftLink("/image")
    with h5py.File(path("other_keys.h5"), "w") as f:
        f["raw"] = np.zeros((2, 3, 3), np.float32)
        f["words"] = np.array([b"a"])
    np.savez_compressed(path("bomb.npz"), image=np.zeros((1, 1 << 24), np.uint8), label=np.zeros((1, 1), np.uint8))


if __name__ == "__main__":
    tiffs()
    resize()
    synapse()
    hostile()
