"""Races the loader against PyTorch's DataLoader with albumentations, same transforms, 2 workers each, in one run.

    cmake --build build/release --target graphflow
    ../venv/bin/pip install torch albumentations opencv-python-headless
    ../venv/bin/python tests/bench/compare_loader.py build/release/apps/graphflow NUCLEI_FOLDER

NUCLEI_FOLDER holds images/ and masks/ (PNG); their 256 x 256 middles are what is loaded, eight times over. Flips, rotation by up
to 15 degrees, zoom by up to 10 %, gain, offset and gamma by up to 10 %, minmax. Two comparisons, pictures a second, the best
of --rounds: files decoded and augmented, and pictures in memory augmented (graphflow keeps decoded cases after its first
epoch; DataLoader's data set is given them decoded). Run it on a quiet machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import albumentations
import cv2
import numpy
import torch
from provenance import write_result

SIDE, COPIES, BATCH, WORKERS = 256, 8, 8, 2
cv2.setNumThreads(0)


class Pictures(torch.utils.data.Dataset):
    def __init__(self, folder, in_memory):
        self.names = sorted(os.listdir(os.path.join(folder, "images")))
        self.folder = folder
        self.kept = [self.read(n) for n in self.names] if in_memory else None
        self.transform = albumentations.Compose([
            albumentations.HorizontalFlip(p=0.5), albumentations.VerticalFlip(p=0.5),
            albumentations.Affine(rotate=(-15, 15), scale=(0.9, 1.1), interpolation=cv2.INTER_LINEAR, mask_interpolation=cv2.INTER_NEAREST, p=1),
            albumentations.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1, p=1),
            albumentations.RandomGamma(gamma_limit=(90, 110), p=1)])

    def read(self, name):
        image = cv2.cvtColor(cv2.imread(os.path.join(self.folder, "images", name)), cv2.COLOR_BGR2RGB)
        return image, cv2.imread(os.path.join(self.folder, "masks", name), cv2.IMREAD_UNCHANGED)

    def __len__(self):
        return len(self.names)

    def __getitem__(self, i):
        image, mask = self.kept[i] if self.kept else self.read(self.names[i])
        out = self.transform(image=image, mask=mask)
        x = out["image"].astype(numpy.float32)
        low, high = x.min((0, 1)), x.max((0, 1))
        x = (x - low) / numpy.maximum(high - low, 1)
        return torch.from_numpy(x.transpose(2, 0, 1).copy()), torch.from_numpy((out["mask"] > 0).astype(numpy.int64))


def theirs(folder, in_memory, epochs=3):
    loader = torch.utils.data.DataLoader(Pictures(folder, in_memory), batch_size=BATCH, shuffle=True, num_workers=WORKERS,
                                         persistent_workers=True, drop_last=True)
    for _ in loader:  # workers have started
        pass
    start, pictures = time.perf_counter(), 0
    for _ in range(epochs):
        for x, _ in loader:
            pictures += len(x)
    return pictures / (time.perf_counter() - start)


def ours(graphflow, folder, config, out):
    subprocess.run([graphflow, "bench", "loader", "-c", config, "--workers", str(WORKERS), "--json", out], check=True,
                   capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    with open(out) as f:
        r = json.load(f)
    return r["first_epoch_pictures_per_s"], r["later_epochs_pictures_per_s"]


def copy_middles(source, folder):
    for part in ("images", "masks"):
        os.makedirs(os.path.join(folder, part))
        for name in sorted(os.listdir(os.path.join(source, part))):
            if not name.endswith(".png"):
                continue
            x = cv2.imread(os.path.join(source, part, name), cv2.IMREAD_UNCHANGED)
            y, left = (x.shape[0] - SIDE) // 2, (x.shape[1] - SIDE) // 2
            if y < 0 or left < 0:
                sys.exit(f"{name} is smaller than {SIDE} x {SIDE}")
            for i in range(COPIES):
                cv2.imwrite(os.path.join(folder, part, f"{i}_{name}"), x[y:y + SIDE, left:left + SIDE])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphflow")
    parser.add_argument("data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    a = parser.parse_args()
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        copy_middles(a.data, os.path.join(folder, "data"))
        data, config = os.path.join(folder, "data"), os.path.join(folder, "loader.toml")
        cases = [os.path.splitext(n)[0] for n in sorted(os.listdir(os.path.join(data, "images")))]
        with open(os.path.join(folder, "split.csv"), "w") as f:
            f.write("case,patient,split\n" + "".join(f"{c},{c},train\n" for c in cases))
        with open(config, "w") as f:
            f.write(f'[data]\nlayout = "images_masks"\nroot = "{data}"\nchannels = 3\nclass_names = ["background", "nucleus"]\n'
                    'label_map = { 255 = 1 }\nnormalisation = "minmax"\n'
                    f'split_file = "{folder}/split.csv"\n'
                    "augment = { hflip = true, vflip = true, rotation_deg = 15, zoom = 0.1, intensity = 0.1 }\n"
                    f'[model]\narch = "mobile_unet"\n[train]\nbatch_size = {BATCH}\n')
        for _ in range(a.rounds):
            decoded, kept = ours(a.graphflow, data, config, os.path.join(folder, "out.json"))
            for name, value in [("graphflow, decoding", decoded), ("graphflow, in memory", kept),
                                ("DataLoader, decoding", theirs(data, False)), ("DataLoader, in memory", theirs(data, True))]:
                best[name] = max(value, best.get(name, 0))
    ratios = {k: best[f"graphflow, {k}"] / best[f"DataLoader, {k}"] for k in ("decoding", "in memory")}
    for name, value in best.items():
        print(f"{name:<24}{value:8.0f} pictures/s")
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f}x")
    write_result(a.json, {"torch": torch.__version__, "albumentations": albumentations.__version__, "opencv": cv2.__version__,
                          "workers": WORKERS, "batch": BATCH, "unit": f"pictures of {SIDE} x {SIDE} a second, best of {a.rounds} rounds",
                          "pictures_per_s": best, "ratios": ratios})
    return 0


if __name__ == "__main__":
    sys.exit(main())
