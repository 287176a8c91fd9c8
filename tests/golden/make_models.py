"""Writes golden values of the networks and the paraphraser.

    python tests/golden/make_models.py            writes NAME_*.safetensors of every network, paraphraser.safetensors
    python tests/golden/make_models.py enet unet  writes those of these networks alone
    python tests/golden/make_models.py --report   also prints how far float32 PyTorch is from the files (tolerance advice)

Computed in float64 from parameters and inputs that are exact in float32; stored as float32. See README.md for the keys.
"""

import copy
import sys

import torch
import torch.nn.functional as F

from golden_file import rounded, write
from reference_models import ENet, ERFNet, FANet, MobileUNet, Paraphraser, TransUNet, UNet, soft_dice_loss

CLASSES = 3
CONFIGS = {  # name: (builder, width, batch, size, seed)
    "fanet": (lambda: FANet(1, CLASSES, 0.05, dropout=0.0), 0.05, 4, (24, 40), 2),
    "mobile_unet": (lambda: MobileUNet(1, CLASSES, 0.11), 0.11, 2, (32, 96), 2),
    "enet": (lambda: ENet(1, CLASSES, 0.2, dropout=0.0), 0.2, 2, (32, 64), 2),
    "erfnet": (lambda: ERFNet(1, CLASSES, 0.12, dropout=0.0), 0.12, 2, (32, 64), 3),
    "unet": (lambda: UNet(1, CLASSES, 0.035), 0.035, 2, (32, 64), 2),
    "transunet": (lambda: TransUNet(1, CLASSES, 0.05, (64, 48), dropout=0.0), 0.05, 2, (64, 48), 2),
}
ADAM_STEPS = 10


def shake(model, generator):
    """Initial values that show mistakes and forgive rounding. No running statistic is at its default, no bias 0, no batch
    norm weight 1. Batch norm's output is mostly positive (about one unit in twenty is cut by a ReLU, and in Mobile U-Net
    some are cut at 6): at PyTorch's initial values so many units sit beside a kink of ReLU, and so many channels of these
    narrow networks vary so little, that two correct float32 implementations disagree by per cents in the gradients."""
    relu6 = isinstance(model, MobileUNet)
    with torch.no_grad():
        for name, t in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            uniform = torch.rand(t.shape, generator=generator, dtype=torch.float64)
            module = name.split(".")[-2] if "." in name else ""
            norm = "bn" in module or "gn" in module
            if name == "position":
                t.copy_(rounded(uniform - 0.5))
            elif module in ("norm", "attention_norm", "mlp_norm") and name.endswith("weight"):
                t.copy_(rounded(0.7 + 0.6 * uniform))
            elif name.endswith("slope"):
                t.copy_(rounded(0.1 + 0.3 * uniform))
            elif name.endswith("running_var"):
                t.copy_(rounded(0.5 + uniform))
            elif norm and name.endswith("weight"):
                t.copy_(rounded(0.3 + 0.4 * uniform))
            elif name.endswith("expand.bn.bias") and name[:-4] + "slope" in model.state_dict():
                # ENet's encoder: sums that are negative at places, or no slope behind a sum would matter
                t.copy_(rounded(1.4 * uniform - 0.8))
            elif norm and name.endswith("bias"):
                high = torch.arange(len(t)) % 5 == 4 if relu6 else torch.zeros(len(t), dtype=torch.bool)
                t.copy_(rounded(0.6 + 0.6 * uniform + 4.3 * high))
            elif name.endswith("running_mean") or name.endswith("bias"):
                t.copy_(rounded(0.4 * uniform - 0.2))
            else:
                t.copy_(rounded(t))


def blobs(batch, size, generator):
    """Smooth random images, and labels that depend on them."""
    h, w = size
    coarse = torch.randn(batch, 1, 5, 6, generator=generator, dtype=torch.float64)
    smooth = F.interpolate(coarse, size=size, mode="bicubic", align_corners=True)
    x = rounded(smooth + 0.1 * torch.randn(batch, 1, h, w, generator=generator, dtype=torch.float64))
    labels = (smooth[:, 0] > -0.4).long() + (smooth[:, 0] > 0.5).long()
    return x, labels


def loss_of(logits, labels):
    ce, dice = F.cross_entropy(logits, labels), soft_dice_loss(logits, labels)
    return 0.5 * ce + 0.5 * dice, ce, dice


def parameters_of(model):
    return {n: t.clone() for n, t in model.state_dict().items() if not n.endswith("num_batches_tracked")}


def run(model, x, labels):
    out = {}
    model = copy.deepcopy(model).train()
    start = copy.deepcopy(model)
    shallow, deep, logits = model(x)
    loss, ce, dice = loss_of(logits, labels)
    loss.backward()
    out.update({"tap_shallow": shallow, "tap_deep": deep, "logits": logits, "loss": loss, "cross_entropy": ce, "dice": dice})
    out.update({f"grad/{n}": p.grad for n, p in model.named_parameters()})
    out.update({f"running/{n}": b for n, b in model.named_buffers() if not n.endswith("num_batches_tracked")})
    with torch.no_grad():
        out["eval_logits"] = copy.deepcopy(model).eval()(x)[2]

    model = start
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    losses = []
    for _ in range(ADAM_STEPS):
        optimiser.zero_grad()
        loss = loss_of(model(x)[2], labels)[0]
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    out["adam_losses"] = torch.stack(losses)
    return {k: v.detach().clone() for k, v in out.items()}


def report(name, expected, actual):
    """Prints max |delta| / max |reference| per kind of value."""
    kinds = {}
    scale = max(v.abs().max().item() for k, v in expected.items() if k.startswith("grad/"))
    for k, v in expected.items():
        difference = (actual[k].double() - v).abs().max().item()
        kind = k.split("/")[0]
        reference = v.abs().max().item()
        if kind == "grad" and reference < 1e-9 * scale:
            kind, reference = "grad that is exactly zero, relative to the largest gradient", scale
        kinds.setdefault(kind, []).append((difference / reference, k))
    for kind, errors in kinds.items():
        worst, key = max(errors)
        print(f"  {name} {kind}: {worst:.1e}" + (f" ({len(errors)} tensors, worst {key})" if len(errors) > 1 else ""))


def make_network(name, reports):
    build, width, batch, size, seed = CONFIGS[name]
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = build().double()
    shake(model, generator)
    x, labels = blobs(batch, size, generator)
    expected = run(model, x, labels)
    info = {"width": width, "classes": CLASSES, "input_channels": 1, "model": name}
    write(f"{name}_parameters.safetensors", parameters_of(model), **info)
    write(f"{name}_expected.safetensors", {"input": x, "labels": labels, **expected}, **info, torch=torch.__version__.split("+")[0])
    if reports:
        report(name + " float32", expected, run(model.float(), x.float(), labels))
        report(name + " float32 channels_last", expected,
               run(model.float().to(memory_format=torch.channels_last), x.float().to(memory_format=torch.channels_last), labels))


def make_paraphraser(reports):
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(1)
    model = Paraphraser(channels=12, factors=5).double()
    shake(model, generator)
    x = rounded(torch.randn(2, 12, 7, 9, generator=generator, dtype=torch.float64))

    def values(model, x):
        model = copy.deepcopy(model)
        factors = model.encode(x)
        reconstruction = model.decode(factors)
        loss = F.mse_loss(reconstruction, x)
        loss.backward()
        return {"factors": factors.detach(), "reconstruction": reconstruction.detach(), "loss": loss.detach(),
                **{f"grad/{n}": p.grad for n, p in model.named_parameters()}}

    expected = values(model, x)
    parameters = {f"parameters/{n}": t for n, t in parameters_of(model).items()}
    write("paraphraser.safetensors", {**parameters, "input": x, **expected}, channels=12, factors=5)
    if reports:
        report("paraphraser float32", expected, values(model.float(), x.float()))


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = [a for a in sys.argv[1:] if not a.startswith("--")]
    for network in wanted or CONFIGS:
        make_network(network, "--report" in sys.argv)
    if not wanted:
        make_paraphraser("--report" in sys.argv)
