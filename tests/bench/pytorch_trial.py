"""Trains the demo's configurations in PyTorch, to compare Dice and time with graphflow's.

    python tests/bench/pytorch_trial.py --network fanet --steps 400            the teacher, x0.25, no dropout
    python tests/bench/pytorch_trial.py --network mobile_unet --steps 400      the student alone
    python tests/bench/pytorch_trial.py --distill --steps 400 --teacher-file teacher.pt
                                                  paraphrasers, then the student with Graph Flow and logits distillation
                                                  (without --teacher-file a teacher is trained first, --teacher-steps)
    ... --run FOLDER --steps N                    start from the weights and see the batches that tests/bench/export_run.cpp
                                                  wrote: graphflow's run, step for step

Data: brain set of Debian's mricron-data, as graphflow's layout `brain` reads it: sagittal slices, intensities between the
0.5th and 99.5th percentile of the volume scaled to 0..1, 2x2 box mean (labels: upper left voxel of the box), padded to
128x96 around the middle. Left half trains, 28-32, 48-52 and 68-72 validate, right half tests. Batch 4, half cross entropy
and half soft Dice, Adam, poly 0.9, rotation to 15 degrees, zoom to 1.1 either way, gain, offset and gamma to 0.1.
Dice is pooled over the test slices per class, on the halved grid and, boxes blown up again, on the file's grid.
Prints one JSON document; progress goes to stderr. --format picks the memory format (channels_last is the faster one).
"""

import argparse
import json
import math
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))

CLASSES = 9
NAMES = ["background", "frontal", "insula", "limbic", "occipital", "parietal", "deep gray", "temporal", "cerebellum"]
VALIDATION = [*range(28, 33), *range(48, 53), *range(68, 73)]
GAP = [27, 33, 47, 53, 67, 73]
TRAIN = [i for i in range(17, 86) if i not in VALIDATION + GAP]
TEST = list(range(95, 163))


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--network", choices=["fanet", "mobile_unet"], default="fanet", help="trained alone")
    p.add_argument("--student", action="store_true", help="the same as --network mobile_unet")
    p.add_argument("--width", type=float, help="default 0.25 for fanet, 1 for mobile_unet")
    p.add_argument("--dropout", type=float, default=0.0, help="fanet's")
    p.add_argument("--steps", type=int, default=400)
    p.add_argument("--batch", type=int, default=4)
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--weight-decay", type=float, default=0.0)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--format", choices=["nchw", "channels_last"], default="channels_last")
    p.add_argument("--double", action="store_true", help="weights, batches and arithmetic in float64")
    p.add_argument("--no-augment", action="store_true")
    p.add_argument("--data", default="/usr/share/mricron/templates")
    p.add_argument("--save", help="write the trained network here (a PyTorch state dict)")
    p.add_argument("--eval-every", type=int, default=0, help="validation Dice every so many steps")
    p.add_argument("--log-every", type=int, default=50)
    p.add_argument("--distill", action="store_true")
    p.add_argument("--run", help="folder of export_run: initial weights and batches")
    p.add_argument("--teacher-file", help="a PyTorch state dict, or graphflow's checkpoint (.gfm)")
    p.add_argument("--paraphraser-file", help="graphflow's checkpoint of the paraphrasers")
    p.add_argument("--teacher-steps", type=int, default=400)
    p.add_argument("--paraphraser-steps", type=int, default=100)
    p.add_argument("--paraphraser-lr", type=float, default=1e-3)
    p.add_argument("--vertex-weight", type=float, default=1e-5)
    p.add_argument("--edge-weight", type=float, default=1e-9)
    p.add_argument("--kd-weight", type=float, default=1.0)
    p.add_argument("--kd-tau", type=float, default=1.0)
    p.add_argument("--patch", type=int, default=3)
    args = p.parse_args()
    if args.student:
        args.network = "mobile_unet"
    return args


args = arguments()
os.environ["OMP_NUM_THREADS"] = str(args.threads)
import nibabel
import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from pytorch_graph_flow import graph_flow
from reference_models import FANet, MobileUNet, Paraphraser, logits_distillation, soft_dice_loss

MEMORY = torch.channels_last if args.format == "channels_last" else torch.contiguous_format


def log(*text):
    print(*text, file=sys.stderr, flush=True)


# -------------------------------------------------------------------------------------------------------------- data


def load_brain(folder):
    image = np.asarray(nibabel.load(os.path.join(folder, "ch2.nii.gz")).dataobj, np.float32)
    regions = np.asarray(nibabel.load(os.path.join(folder, "aal.nii.gz")).dataobj).astype(np.int64)
    table = np.zeros(256, np.int64)
    for line in open(os.path.join(folder, "aal.nii.txt")):
        if line.split():
            index, _, code = line.split()
            table[int(index)] = int(code) // 1000 - 1
    low, high = np.percentile(image, [0.5, 99.5])
    return ((np.clip(image, low, high) - low) / (high - low)).astype(np.float32), table[regions]


def shrink_image(slices):
    """2x2 box mean of (n, h, w); boxes at the far edge are smaller where the size is odd."""
    return F.avg_pool2d(torch.from_numpy(slices)[:, None], 2, ceil_mode=True, count_include_pad=False)


def pad(t, value, size=(128, 96)):
    h, w = t.shape[-2:]
    dh, dw = size[0] - h, size[1] - w
    return F.pad(t, (dw // 2, dw - dw // 2, dh // 2, dh - dh // 2), value=value)


def crop(t, size):
    h, w = t.shape[-2:]
    y, x = (h - size[0]) // 2, (w - size[1]) // 2
    return t[..., y : y + size[0], x : x + size[1]]


class Brain:
    def __init__(self, folder):
        image, self.labels = load_brain(folder)
        self.full = self.labels.shape[1:]
        self.x = pad(shrink_image(image), float(image.min()))
        small = torch.from_numpy(self.labels)[:, ::2, ::2]
        self.small = tuple(small.shape[1:])
        self.y = pad(small, 0)

    def dice(self, predict, slices):
        """Pooled Dice per class on the halved grid and on the file's."""
        half, full = np.zeros((CLASSES, CLASSES), np.int64), np.zeros((CLASSES, CLASSES), np.int64)
        for i in range(0, len(slices), 4):
            batch = slices[i : i + 4]
            labels = crop(predict(self.x[batch]), self.small).numpy()
            boxes = labels.repeat(2, 1).repeat(2, 2)[:, : self.full[0], : self.full[1]]
            half += confusion(crop(self.y[batch], self.small).numpy(), labels)
            full += confusion(self.labels[batch], boxes)
        return dice_of(half), dice_of(full)

    def mirror_reference(self):
        return dice_of(confusion(self.labels[TEST], self.labels[[181 - i for i in TEST]]))


def confusion(truth, prediction):
    return np.bincount(truth.ravel() * CLASSES + prediction.ravel(), minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def dice_of(m):
    return [round(float(2 * m[c, c] / max(1, m[c].sum() + m[:, c].sum())), 4) for c in range(1, CLASSES)]


def augment(x, y, g):
    """Rotation and zoom about the middle (bilinear, nearest; outside 0), then g * t^e + o on intensities scaled to 0..1."""
    n, _, h, w = x.shape
    u = lambda low, high: low + (high - low) * torch.rand(n, generator=g)
    angle, zoom = u(-15, 15) * math.pi / 180, torch.exp(u(-math.log(1.1), math.log(1.1)))
    c, s = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    ay, ax = torch.meshgrid(torch.arange(h) - (h - 1) / 2, torch.arange(w) - (w - 1) / 2, indexing="ij")
    v = c[:, None, None] * ay - s[:, None, None] * ax
    q = s[:, None, None] * ay + c[:, None, None] * ax
    grid = torch.stack([q / ((w - 1) / 2), v / ((h - 1) / 2)], -1)
    x = F.grid_sample(x, grid, mode="bilinear", align_corners=True)
    y = F.grid_sample(y[:, None].float(), grid, mode="nearest", align_corners=True)[:, 0].long()
    low, high = x.amin((1, 2, 3), True), x.amax((1, 2, 3), True)
    col = lambda t: t[:, None, None, None]
    t = ((x - low) / (high - low).clamp_min(1e-6)) ** col(torch.exp(u(-math.log(1.1), math.log(1.1))))
    return low + (high - low) * (col(u(0.9, 1.1)) * t + col(u(-0.1, 0.1))), y


def load_weights(module, file, prefix=""):
    """graphflow's safetensors files: everything but PyTorch's batch counters, which change nothing, must be there."""
    tensors = {k[len(prefix):]: v for k, v in load_file(file).items() if k.startswith(prefix)}
    missing, unexpected = module.load_state_dict(tensors, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        sys.exit(f"{file}: missing {missing[:4]}, unexpected {list(unexpected)[:4]}")


def exported_batches(steps):
    with safe_open(os.path.join(args.run, "batches.safetensors"), "pt") as f:
        images, labels = f.get_slice("image"), f.get_slice("label")
        if images.get_shape()[0] < steps:
            sys.exit(f"{args.run}: {images.get_shape()[0]} batches, {steps} steps asked for")
        for i in range(steps):
            x = images[i : i + 1][0].permute(0, 3, 1, 2).to(torch.get_default_dtype())
            yield x.contiguous(memory_format=MEMORY), labels[i : i + 1][0].long()


def batches(brain, steps, seed):
    if args.run:
        yield from exported_batches(steps)
        return
    g = torch.Generator().manual_seed(seed)
    order = []
    for _ in range(steps):
        if len(order) < args.batch:
            order = torch.randperm(len(TRAIN), generator=g).tolist()
        picked, order = [TRAIN[i] for i in order[: args.batch]], order[args.batch :]
        x, y = brain.x[picked], brain.y[picked]
        if not args.no_augment:
            x, y = augment(x, y, g)
        yield x.to(torch.get_default_dtype()).contiguous(memory_format=MEMORY), y


# ---------------------------------------------------------------------------------------------------------- training


def build(network, width):
    model = FANet(1, CLASSES, width or 0.25, args.dropout) if network == "fanet" else MobileUNet(1, CLASSES, width or 1.0)
    if args.run and network == ("mobile_unet" if args.distill else args.network):
        load_weights(model, os.path.join(args.run, "weights.safetensors"))
    return model.to(memory_format=MEMORY)


def predictor(model):
    def predict(x):
        was = model.training
        model.eval()
        with torch.no_grad():
            labels = model(x.to(torch.get_default_dtype()).contiguous(memory_format=MEMORY))[2].argmax(1)
        model.train(was)
        return labels

    return predict


def train(name, brain, parameters, loss_of, steps, lr, seed, model=None):
    """loss_of(x, y) returns the scalar and a dict of reported terms."""
    optimiser = torch.optim.Adam(parameters, lr=lr, weight_decay=args.weight_decay)
    history, seconds, t0 = [], 0.0, time.perf_counter()
    for step, (x, y) in enumerate(batches(brain, steps, seed)):
        t = time.perf_counter()
        for group in optimiser.param_groups:
            group["lr"] = lr * (1 - step / steps) ** 0.9
        loss, terms = loss_of(x, y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seconds += time.perf_counter() - t
        if step % args.log_every == 0 or step == steps - 1:
            row = {"step": step, **{k: float(f"{v.detach().item():.7g}") for k, v in terms.items()}}
            if model is not None and args.eval_every and step % args.eval_every == 0:
                row["validation_dice"] = round(float(np.mean(brain.dice(predictor(model), VALIDATION)[0])), 4)
            history.append(row)
            log(name, row)
    wall = time.perf_counter() - t0
    return {"steps": steps, "seconds": round(wall, 1), "ms_per_step": round(1e3 * seconds / steps, 1), "history": history}


def supervised(logits, y):
    ce, dice = F.cross_entropy(logits, y), soft_dice_loss(logits, y)
    return 0.5 * ce + 0.5 * dice, {"ce": ce, "dice": dice}


def train_alone(name, brain, network, width, steps):
    model = build(network, width).train()

    def loss_of(x, y):
        loss, terms = supervised(model(x)[2], y)
        return loss, {"loss": loss, **terms}

    return model, train(name, brain, model.parameters(), loss_of, steps, args.lr, args.seed, model)


def score(brain, model):
    half, full = brain.dice(predictor(model), TEST)
    validation, _ = brain.dice(predictor(model), VALIDATION)
    return {"test_dice": round(float(np.mean(half)), 4), "test_dice_per_class": half,
            "test_dice_full_grid": round(float(np.mean(full)), 4), "test_dice_full_grid_per_class": full,
            "validation_dice": round(float(np.mean(validation)), 4),
            "parameters": sum(p.numel() for p in model.parameters())}


# ------------------------------------------------------------------------------------------------------ distillation


def distill(brain, report):
    if args.teacher_file:
        teacher = build("fanet", None)
        if args.teacher_file.endswith(".gfm"):
            load_weights(teacher, args.teacher_file, "model.")
        else:
            teacher.load_state_dict(torch.load(args.teacher_file))
        report["teacher"] = {}
    else:
        teacher, report["teacher"] = train_alone("teacher", brain, "fanet", None, args.teacher_steps)
    teacher.eval().requires_grad_(False)
    report["teacher"].update(score(brain, teacher))

    student = build("mobile_unet", args.width).train()
    pair = [Paraphraser(teacher.tap_channels, student.tap_channels).to(memory_format=MEMORY) for _ in range(2)]

    def reconstruction(x, y):
        with torch.no_grad():
            taps = teacher(x)[:2]
        losses = [F.mse_loss(p(t), t) for p, t in zip(pair, taps)]
        return losses[0] + losses[1], {"shallow": losses[0], "deep": losses[1]}

    if args.paraphraser_file:
        for part, p in zip(("shallow", "deep"), pair):
            load_weights(p, args.paraphraser_file, f"model.{part}.")
    else:
        parameters = [q for p in pair for q in p.parameters()]
        report["paraphrasers"] = train("paraphrasers", brain, parameters, reconstruction, args.paraphraser_steps, args.paraphraser_lr, args.seed + 1)
    for p in pair:
        p.eval().requires_grad_(False)

    def loss_of(x, y):
        with torch.no_grad():
            t_shallow, t_deep, t_logits = teacher(x)
            factors = pair[0].encode(t_shallow), pair[1].encode(t_deep)
        shallow, deep, logits = student(x)
        loss, terms = supervised(logits, y)
        vertex, edge = graph_flow(shallow, deep, *factors, args.patch)
        kd = logits_distillation(logits, t_logits, args.kd_tau, args.kd_tau**2)
        weighted = {"vertex": args.vertex_weight * vertex, "edge": args.edge_weight * edge, "kd": args.kd_weight * kd}
        total = loss + sum(weighted.values())
        return total, {"loss": total, **terms, **weighted}

    report["distilled"] = train("distilled", brain, student.parameters(), loss_of, args.steps, args.lr, args.seed, student)
    report["distilled"].update(score(brain, student))
    return student


def main():
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    if args.double:
        torch.set_default_dtype(torch.float64)
    brain = Brain(args.data)
    report = {"torch": torch.__version__, "arguments": {k: v for k, v in vars(args).items() if k not in ("data", "save", "run", "teacher_file", "paraphraser_file")},
              "slices": {"train": len(TRAIN), "validation": len(VALIDATION), "test": len(TEST)}, "classes": NAMES[1:]}
    mirror = brain.mirror_reference()
    report["mirrored_labels"] = {"test_dice_full_grid": round(float(np.mean(mirror)), 4), "per_class": mirror}
    if args.distill:
        model = distill(brain, report)
    else:
        model, result = train_alone(args.network, brain, args.network, args.width, args.steps)
        report[args.network] = {**result, **score(brain, model)}
    if args.save:
        torch.save(model.state_dict(), args.save)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
