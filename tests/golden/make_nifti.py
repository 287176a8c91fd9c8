"""Writes nifti_*.nii.gz and nifti_expected.csv: volumes from another program for tests/data/nifti_golden.cpp.

    pip install nibabel==5.4.2 && python tests/golden/make_nifti.py

Voxel (x, y, z, t) of every file holds x + 10 y + 100 z + 1000 t; the scaled file reads as half of it less 3. The table holds the header that
nibabel reads back: affine row by row, voxel sizes, codes.
"""

import csv
import os

import nibabel
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def voxels(*shape):
    axes = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    return sum(a * w for a, w in zip(axes, (1, 10, 100, 1000)))


def oblique():
    a, b = 0.3, -0.2
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag([-0.9, 1.1, 2.5])
    affine[:3, 3] = [12.5, -30, 7]
    return affine


def save(name, data, dtype, byte_order="<", sform=1, qform=1, slope=1, inter=0):
    header = nibabel.Nifti1Header(endianness=byte_order)
    header.set_data_dtype(dtype)
    image = nibabel.Nifti1Image(data, oblique(), header)
    image.set_sform(oblique() if sform else None, sform)
    image.set_qform(oblique() if qform else None, qform)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_slope_inter(slope, inter)  # set by hand: nibabel then stores the data as they are
    path = os.path.join(HERE, name)
    nibabel.save(image, path)
    back = nibabel.load(path)
    assert np.array_equal(back.get_fdata(), data * slope + inter), name
    numbers = [*back.affine[:3].ravel(), *back.header.get_zooms()[:3]]
    return [name, *(f"{v:.6f}" for v in numbers), sform, qform]


rows = [
    save("nifti_big_i16_4d.nii.gz", voxels(4, 3, 2, 2), np.int16, byte_order=">", sform=2, qform=1),
    save("nifti_qform_f64.nii.gz", voxels(3, 4, 2), np.float64, sform=0, qform=1),
    save("nifti_sform_scaled_i16.nii.gz", voxels(5, 2, 3), np.int16, sform=4, qform=0, slope=0.5, inter=-3),
    save("nifti_small_u8.nii.gz", voxels(3, 3, 2), np.uint8, sform=1, qform=1),
]
columns = ["file"] + [f"a{r}{c}" for r in range(3) for c in range(4)] + ["sx", "sy", "sz", "sform", "qform"]
with open(os.path.join(HERE, "nifti_expected.csv"), "w", newline="") as f:
    csv.writer(f, lineterminator="\n").writerows([columns, *rows])
