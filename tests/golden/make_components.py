"""Writes components.safetensors: connected components and filled holes as SciPy finds them.

    python tests/golden/make_components.py        needs scipy

NAME/mask is 0 or 1; NAME/faces and NAME/corners are scipy.ndimage.label of it with the structure of that connectivity,
NAME/filled is scipy.ndimage.binary_fill_holes. "2d" is (1, h, w), "3d" (depth, h, w).
"""

import numpy as np
import scipy
from scipy import ndimage

from golden_file import write


def blobs(generator, shape, threshold):
    return (ndimage.gaussian_filter(generator.standard_normal(shape), 1.2) > threshold).astype(np.int32)


def main():
    generator = np.random.default_rng(5)
    # Shapes with sides of 1, noise (many components, many corners that touch), smooth blobs, everything and nothing.
    masks = {
        "2d noise": (generator.random((29, 37)) < 0.45).astype(np.int32),
        "2d blobs": blobs(generator, (40, 33), 0.02),
        "2d row": (generator.random((1, 40)) < 0.6).astype(np.int32),
        "2d column": (generator.random((40, 1)) < 0.6).astype(np.int32),
        "2d full": np.ones((5, 6), np.int32),
        "2d empty": np.zeros((5, 6), np.int32),
        "3d noise": (generator.random((9, 11, 13)) < 0.25).astype(np.int32),
        "3d dense": (generator.random((8, 12, 10)) < 0.75).astype(np.int32),
        "3d blobs": blobs(generator, (14, 17, 19), 0.03),
        "3d thin": (generator.random((12, 1, 15)) < 0.5).astype(np.int32),
    }
    tensors = {}
    for name, mask in masks.items():
        as_slices = lambda a: (a if a.ndim == 3 else a[None]).astype(np.int32)
        tensors[f"{name}/mask"] = as_slices(mask)
        for key, connectivity in (("faces", 1), ("corners", mask.ndim)):
            labels, _ = ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, connectivity))
            tensors[f"{name}/{key}"] = as_slices(labels)
        tensors[f"{name}/filled"] = as_slices(ndimage.binary_fill_holes(mask))
    write("components.safetensors", tensors, scipy=scipy.__version__, numpy=np.__version__)


main()
