"""Writes zoom.safetensors: what scipy.ndimage.zoom says, for tests/data/zoom.cpp.

    pip install numpy scipy==1.17.1   # anywhere outside the checkout
    python tests/golden/make_zoom.py

`HxW_HxW/order`: a picture (see `picture`) of the first size taken to the second. Of 512x512_224x224, which would be large,
some rows and columns: `512x512_224x224/order/rows` and `/columns`, numbers in `kept`. `labels_...`: labels to the size and
back, order 0.
"""

import numpy as np
import scipy
from scipy.ndimage import zoom

from golden_file import write


def picture(h, w):  # exact in float32, and rough enough to have every frequency
    y, x = np.indices((h, w))
    return ((y * 7919 + x * 104729 + y * x * 31 + 5) % 4096 / 4096).astype(np.float32)


def resized(a, h, w, order):
    out = zoom(a, (h / a.shape[0], w / a.shape[1]), order=order)
    assert out.shape == (h, w), (a.shape, out.shape, h, w)
    return out


SIZES = [
    ((7, 5), (13, 11)), ((13, 11), (7, 5)), ((5, 7), (5, 7)), ((1, 6), (4, 3)), ((6, 1), (3, 1)), ((2, 2), (5, 5)),
    ((9, 9), (1, 1)), ((3, 3), (8, 8)), ((4, 2), (2, 9)), ((20, 17), (31, 12)),
]
tensors = {}
for (h, w), (th, tw) in SIZES:
    for order in (0, 1, 3):
        tensors[f"{h}x{w}_{th}x{tw}/{order}"] = resized(picture(h, w), th, tw, order)

KEPT = [0, 1, 100, 221, 222, 223]
for order in (0, 1, 3):
    out = resized(picture(512, 512), 224, 224, order)
    tensors[f"512x512_224x224/{order}/rows"] = out[KEPT]
    tensors[f"512x512_224x224/{order}/columns"] = out[:, KEPT]
tensors["kept"] = np.array(KEPT)

labels = (picture(256, 256) * 9).astype(np.int32)
small = resized(labels, 56, 56, 0)
tensors["labels_56x56"] = small
tensors["labels_256x256/rows"] = resized(small, 256, 256, 0)[::51]

write("zoom.safetensors", tensors, scipy=scipy.__version__)
print("zeros in the last row of 512 -> 224:", int((tensors["512x512_224x224/3/rows"][-1] == 0).sum()))
