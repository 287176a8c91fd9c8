"""Writes metrics.json: what medpy, MONAI and DeepMind's surface-distance say of small masks, for tests/data.

    pip install medpy==0.5.2 surface-distance==0.1 monai==1.6.1 scipy==1.17.1 torch   # anywhere outside the checkout
    python tests/golden/make_metrics.py

`pairs`: two masks each, "spheres z y x r ..." or "bits" (hexadecimal, voxel 0 is the highest bit of the first digit),
and their scores; a picture has one number less in `shape` and `spacing`. `sets`: several cases with several classes, one
digit a voxel, and what a protocol reports. `areas`, `lengths`: surface-distance's tables, by the bits of
data/metrics/surface_elements.h. Checks its own numbers against those known of these spheres from other versions.
"""

import json
import math
import os
import types
import warnings

import numpy as np
import scipy.ndimage

# surface-distance 0.1 was written for older libraries.
scipy.ndimage.filters = scipy.ndimage.morphology = scipy.ndimage
np.Inf = np.inf
warnings.filterwarnings("ignore")

import surface_distance  # noqa: E402
import torch  # noqa: E402
from medpy.metric import binary  # noqa: E402
from monai import metrics as monai  # noqa: E402
from surface_distance import lookup_tables, metrics as deepmind  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(95)

# Known of the spheres below, of earlier versions of the same packages: Dice, HD95 pooled, greater, by area, HD, ASSD,
# NSD at 1 and at 2.
KNOWN = {
    "shifted": (0.816161, 3.0, 3.0, 2.828427, 3.0, 1.433429, 0.510484, 0.800999),
    "shifted, mm": (0.816161, 2.4, 2.4, 2.4, 2.4, 1.324369, 0.434456, 0.855492),
    "concentric": (0.736442, 2.236068, 2.236068, 2.236068, 2.449490, 1.890935, 0.152441, 0.924369),
    "concentric, mm": (0.736442, 3.757659, 3.924283, 3.4, 6.0, 2.060471, 0.120028, 0.868526),
    "far blob": (0.991476, 0.0, 26.207382, 26.172505, 31.112698, 0.874930, 0.966943, 0.966943),
    "far blob, mm": (0.991476, 0.0, 20.965906, 20.364675, 24.890159, 0.699944, 0.967449, 0.967449),
    "cut by the edge": (0.889352, 2.0, 2.0, 1.732051, 2.0, 0.594182, 0.877855, 1.0),
    "cut by the edge, mm": (0.889352, 3.206244, 3.492850, 3.104835, 6.0, 0.705067, 0.862727, 0.945136),
}


def spheres(numbers, shape):
    z, y, x = np.indices(shape)
    mask = np.zeros(shape, bool)
    for cz, cy, cx, r in np.reshape(numbers, (-1, 4)):
        mask |= (z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= r * r
    return mask


def blobs(shape, share):  # smooth enough to have insides, rough enough to have every neighbourhood
    noise = scipy.ndimage.gaussian_filter(random.normal(size=shape), 0.7)
    return noise > np.quantile(noise, 1 - share)


def bits(mask):
    return "bits " + np.packbits(mask.ravel()).tobytes().hex()


def one_hot(labels, classes):
    labels = torch.as_tensor(np.asarray(labels, np.int64))
    return torch.nn.functional.one_hot(labels, classes).movedim(-1, 0)[None].double()


def greater(a, b, spacing):  # MONAI's rule on medpy's distances, in float64
    between = vars(binary)["__surface_distances"]
    return max(np.percentile(between(a, b, spacing), 95), np.percentile(between(b, a, spacing), 95))


def scores(prediction, truth, spacing):
    d = deepmind.compute_surface_distances(truth, prediction, spacing)
    hot = [one_hot(m, 2) for m in (prediction, truth)]

    def of_monai(function, **options):
        return float(function(*hot, spacing=[float(s) for s in spacing], **options).squeeze())

    out = {
        "dice": binary.dc(prediction, truth),
        "iou": binary.jc(prediction, truth),
        "precision": binary.precision(prediction, truth),
        "recall": binary.recall(prediction, truth),
        "specificity": binary.specificity(prediction, truth),
        "accuracy": float(np.mean(prediction == truth)),
        "hd": binary.hd(prediction, truth, spacing),
        "hd95_pooled": binary.hd95(prediction, truth, spacing),
        "hd95_greater": greater(prediction, truth, spacing),
        "hd95_area": deepmind.compute_robust_hausdorff(d, 95),
        "assd": binary.assd(prediction, truth, spacing),
    }
    for tolerance in (1, 2):
        out[f"nsd_{tolerance}"] = deepmind.compute_surface_dice_at_tolerance(d, tolerance)
        out[f"border_nsd_{tolerance}"] = of_monai(
            monai.compute_surface_dice, class_thresholds=[tolerance], include_background=False
        )
    # MONAI computes in float32.
    assert abs(of_monai(monai.compute_hausdorff_distance, percentile=95) - out["hd95_greater"]) < 1e-4
    assert abs(of_monai(monai.compute_hausdorff_distance) - out["hd"]) < 1e-4
    assert abs(of_monai(monai.compute_average_surface_distance, symmetric=True) - out["assd"]) < 1e-4
    return {k: float(v) for k, v in out.items()}


def make_pairs():
    pairs = []
    grid = (40, 64, 64)
    for name, p, t in (
        ("shifted", [20, 30, 30, 12], [20, 33, 30, 12]),
        ("concentric", [20, 30, 30, 12], [20, 30, 30, 10]),
        ("far blob", [20, 30, 30, 12, 20, 58, 58, 3], [20, 30, 30, 12]),
        ("cut by the edge", [2, 30, 30, 10], [4, 30, 30, 10]),
    ):
        for suffix, spacing in (("", (1, 1, 1)), (", mm", (3, 0.8, 0.8))):
            s = scores(spheres(p, grid), spheres(t, grid), spacing)
            columns = ("dice", "hd95_pooled", "hd95_greater", "hd95_area", "hd", "assd", "nsd_1", "nsd_2")
            for column, known in zip(columns, KNOWN[name + suffix]):
                assert abs(s[column] - known) < 1e-5, (name + suffix, column, s[column], known)
            words = ["spheres " + " ".join(map(str, m)) for m in (p, t)]
            pairs.append((name + suffix, grid, spacing, *words, s))
    for i, (shape, spacing) in enumerate(
        [((9, 11, 13), (1, 1, 1)), ((9, 11, 13), (2.5, 0.7, 0.9)), ((12, 5, 16), (1, 3, 0.5)), ((1, 9, 8), (4, 1, 1.5))]
        + [((21, 26), (1, 1)), ((24, 17), (0.6, 1.7)), ((30, 30), (1, 1))]
    ):
        p, t = blobs(shape, 0.3 + 0.04 * i), blobs(shape, 0.35)
        p = np.where(random.random(shape) < 0.8, t, p)  # mostly alike, rough where not
        pairs.append((f"rough {i}", shape, spacing, bits(p), bits(t), scores(p, t, spacing)))
    keys = ("name", "shape", "spacing", "prediction", "truth", "scores")
    return [dict(zip(keys, pair)) for pair in pairs]


CLASSES = 4


def make_cases():
    """Classes: 1 ordinary; 2 missed, a false alarm and in neither; 3 in no case at all."""
    shape = (5, 9, 10)
    cases = []
    for i in range(4):
        truth = np.zeros(shape, int)
        truth[1:4, 2:7, 1 : 5 + i] = 1
        prediction = np.roll(truth, (i % 2, 1, -(i // 2)), (0, 1, 2))
        two = np.zeros(shape, bool)
        two[2:5, 5:9, 6:9] = True
        if i in (0, 1):
            truth[two] = 2
        if i == 0:
            prediction[np.roll(two, 1, 1)] = 2
        if i == 2:
            prediction[two] = 2
        cases.append((prediction, truth))
    return cases


def empty_aware(cases, both, missed, false_alarm, dice, hd95):
    """[metric][case][class 1..]: a rule a row, (Dice, HD95)."""
    out = np.full((2, len(cases), CLASSES - 1), np.nan)
    for i, (p, t) in enumerate(cases):
        for k in range(1, CLASSES):
            a, b = p == k, t == k
            if a.any() and b.any():
                pair = dice(a, b), hd95(a, b)
            else:
                pair = false_alarm if a.any() else missed if b.any() else both
            out[:, i, k - 1] = pair
    return out


def report(values, mean):
    out = {str(k + 1): float(v) for k, v in enumerate(values)}
    out["mean"] = float(mean)
    return {k: None if math.isnan(v) else "inf" if math.isinf(v) else v for k, v in out.items()}


def of_transunet(cases):
    v = empty_aware(cases, (0, 0), (0, 0), (1, 0), binary.dc, binary.hd95)
    return {m: report(v[i].mean(0), v[i].mean(0).mean()) for i, m in enumerate(("dice", "hd95"))}


def of_nnunet(cases):  # per class numpy.nanmean over cases, then numpy.mean over classes
    nan = float("nan")
    v = empty_aware(cases, (nan, nan), (0, nan), (0, nan), binary.dc, lambda a, b: nan)
    w = empty_aware(cases, (nan, nan), (0, nan), (0, nan), binary.jc, lambda a, b: nan)
    out = {}
    for name, x in (("dice", v[0]), ("iou", w[0])):
        means = np.nanmean(x, 0)
        out[name] = report(means, means.mean())
    return out


def of_monai(cases):
    out = {}
    made = {
        "dice": lambda r: monai.DiceMetric(include_background=False, reduction=r),
        "iou": lambda r: monai.MeanIoU(include_background=False, reduction=r),
        "hd95": lambda r: monai.HausdorffDistanceMetric(percentile=95, reduction=r),
        "hd": lambda r: monai.HausdorffDistanceMetric(reduction=r),
        "assd": lambda r: monai.SurfaceDistanceMetric(symmetric=True, reduction=r),
        "nsd": lambda r: monai.SurfaceDiceMetric([1.0] * (CLASSES - 1), reduction=r),
    }
    for name, make in made.items():
        result = {}
        for reduction in ("mean_batch", "mean"):
            metric = make(reduction)
            for p, t in cases:
                metric(one_hot(p, CLASSES).float(), one_hot(t, CLASSES).float())
            result[reduction] = metric.aggregate()
        # A class without any case is 0 there; here it has no score.
        per_class = [float(v) if k < CLASSES - 2 else math.nan for k, v in enumerate(result["mean_batch"])]
        out[name] = report(per_class, float(result["mean"]))
    return out


def of_standard(cases):
    nan = float("nan")
    v = empty_aware(cases, (nan, nan), (0, nan), (0, nan), binary.dc, lambda a, b: greater(a, b, SPACING))
    out = {}
    for i, m in enumerate(("dice", "hd95")):
        means = np.nanmean(v[i], 0)
        out[m] = report(means, np.nanmean(means))
    return out


SPACING = (2.0, 0.5, 0.75)


def make_sets():
    cases = make_cases()
    text = [{"prediction": "".join(map(str, p.ravel())), "truth": "".join(map(str, t.ravel()))} for p, t in cases]
    reports = {
        "transunet": of_transunet(cases),
        "nnunet": of_nnunet(cases),
        "monai": of_monai(cases),
        "standard": of_standard(cases),
    }
    return {"shape": cases[0][0].shape, "spacing": SPACING, "classes": CLASSES, "nsd_tolerance": 1, "cases": text,
            "reports": reports}


def disc(size, cy, cx, r):
    y, x = np.indices((size, size))
    return ((y - cy) ** 2 + (x - cx) ** 2 <= r * r).astype(int)


def make_gastric():
    """Tiles of 256 x 256 by discs (y, x, radius), rows and columns 96..159 or 95..158 of them, one confusion matrix."""
    tiles = [((128, 120, 40), (131, 124, 40)), ((90, 90, 30), (95, 96, 28)), ((160, 158, 20), (150, 150, 60))]
    out = {"tiles": tiles, "expected": {}}
    for name, begin in (("centre", 96), ("centre_authors", 95)):
        counts = np.zeros((2, 2), int)  # [truth][prediction]
        for p, t in tiles:
            p, t = (disc(256, *d)[begin : begin + 64, begin : begin + 64].ravel() for d in (p, t))
            np.add.at(counts, (t, p), 1)
        (tn, fp), (fn, tp) = counts.tolist()
        out["expected"][name] = {
            "accuracy": (tp + tn) / counts.sum(),
            "iou": (tp / (tp + fp + fn) + tn / (tn + fp + fn)) / 2,
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
            "specificity": tn / (tn + fp),
            "f1": 2 * tp / (2 * tp + fp + fn),
        }
    return out


def make_areas():
    def table(kernel, values, corners):
        out = []
        for code in range(2**corners):
            cube = np.array([code >> i & 1 for i in range(corners)]).reshape(kernel.shape)
            out.append(round(float(values[int((cube * kernel).sum())]), 9))
        return out

    spacing = (2.5, 0.7, 0.9)
    areas = lookup_tables.create_table_neighbour_code_to_surface_area(spacing)
    lengths = lookup_tables.create_table_neighbour_code_to_contour_length(spacing[1:])
    return {
        "spacing": spacing,
        "areas": table(lookup_tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL, areas, 8),
        "lengths": table(lookup_tables.ENCODE_NEIGHBOURHOOD_2D_KERNEL, lengths, 4),
    }


assert isinstance(surface_distance, types.ModuleType)
golden = {"pairs": make_pairs(), "sets": make_sets(), "gastric": make_gastric(), "elements": make_areas()}
with open(os.path.join(HERE, "metrics.json"), "w") as f:
    f.write("{\n")
    for i, (key, value) in enumerate(golden.items()):
        if isinstance(value, list):
            text = "[\n" + ",\n".join(json.dumps(v) for v in value) + "\n]"
        else:
            text = json.dumps(value)
        f.write(f'"{key}": {text}' + (",\n" if i + 1 < len(golden) else "\n"))
    f.write("}\n")
