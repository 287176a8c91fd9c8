"""Times in PyTorch what `graphflow bench step` times, one task and one variant a process, and prints one JSON document.

    python tests/bench/pytorch_step.py --task supervised --network fanet --width 0.25 --batch 4 --size 128 --classes 9
    python tests/bench/pytorch_step.py --task distill --device cuda --variant channels_last+amp+compile
    python tests/bench/pytorch_step.py --check      the folded teacher and the Graph Flow loss against their references

Tasks: supervised (half cross entropy and half Dice, Adam), distill (the teacher in inference mode with its batch norms
folded, its paraphrasers' encoders, the same supervised terms, logits, vertex and edge terms; with --adversarial also a discriminator's
term and its own WGAN-GP step, create_graph=True), graph_flow (that loss alone
and the gradients of the student's two taps).
A variant joins words by +: nchw or channels_last; tf32 (float32 convolutions and products may use it); amp (bf16); compile
(torch.compile, reduce-overhead) or max_autotune. Adam is PyTorch's fused one.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))

WORDS = ("nchw", "channels_last", "tf32", "amp", "compile", "max_autotune")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--task", choices=["supervised", "distill", "graph_flow"], default="supervised")
    p.add_argument("--network", choices=["fanet", "mobile_unet"], default="mobile_unet")
    p.add_argument("--width", type=float, default=1)
    p.add_argument("--teacher-width", type=float, default=1)
    p.add_argument("--adversarial", action="store_true", help="of task distill: with a discriminator, trained in turns (WGAN-GP)")
    p.add_argument("--batch", type=int, default=4)
    p.add_argument("--size", type=int, default=128)
    p.add_argument("--classes", type=int, default=9)
    p.add_argument("--steps", type=int, default=20, help="timed steps")
    p.add_argument("--warmup", type=int, default=3)
    p.add_argument("--variant", default="channels_last")
    p.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    p.add_argument("--threads", type=int, default=0, help="CPU threads, 0: PyTorch's own choice")
    p.add_argument("--check", action="store_true")
    a = p.parse_args()
    a.words = a.variant.split("+")
    if unknown := [w for w in a.words if w not in WORDS]:
        p.error(f"--variant: {unknown[0]} is none of {', '.join(WORDS)}")
    return a


args = arguments()
if args.threads:
    os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402  (after the number of threads is set)
import torch.nn.functional as F  # noqa: E402
from torch.nn.utils.fusion import fuse_conv_bn_eval  # noqa: E402

from make_adversarial import Discriminator, discriminator_loss  # noqa: E402
from pytorch_graph_flow import graph_flow  # noqa: E402
from reference_models import FANet, MobileUNet, Paraphraser, logits_distillation, soft_dice_loss  # noqa: E402

DEVICE = torch.device(args.device)
MEMORY = torch.contiguous_format if "nchw" in args.words else torch.channels_last


def fold(model):
    """Batch norms of a network in inference mode into the convolutions before them."""
    pairs = [(a, "bn" + a.removeprefix("conv")) for a in ("conv5", "conv3", "conv_in", "conv_out")]
    pairs += [("squeeze", "bn_squeeze"), ("shortcut", "bn_shortcut"), ("conv", "bn")]
    for module in model.eval().modules():
        for conv, bn in pairs:
            if isinstance(getattr(module, conv, None), torch.nn.Conv2d) and isinstance(getattr(module, bn, None), torch.nn.BatchNorm2d):
                setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, bn)))
                setattr(module, bn, torch.nn.Identity())
    return model.requires_grad_(False)


def build(name, width):
    net = FANet(1, args.classes, width, dropout=0.0) if name == "fanet" else MobileUNet(1, args.classes, width)
    return net.to(DEVICE, memory_format=MEMORY)


def compiled(function):
    mode = "max-autotune" if "max_autotune" in args.words else "reduce-overhead" if "compile" in args.words else None
    return torch.compile(function, mode=mode) if mode else function


def initialised(discriminator):
    """PyTorch's own defaults where make_adversarial.py leaves memory as it is."""
    for name, t in [*discriminator.named_parameters(), *discriminator.named_buffers()]:
        if name.endswith(".u"):
            t.data = F.normalize(torch.randn_like(t), dim=0)
        elif name.endswith("gamma"):
            t.data.zero_()
        elif name.startswith("layer"):
            bound = discriminator.get_submodule(name.split(".")[0]).weight[0].numel() ** -0.5
            t.data.uniform_(-bound, bound)
    return discriminator


def supervised_terms(logits, y):
    return 0.5 * F.cross_entropy(logits, y) + 0.5 * soft_dice_loss(logits, y)


def random_map(n, c, h, w):
    return (torch.rand(n, c, h, w, device=DEVICE) * 2 - 1).to(memory_format=MEMORY)


def training_step():
    net = build(args.network, args.width).train()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    x = random_map(args.batch, 1, args.size, args.size)
    y = torch.randint(args.classes, (args.batch, args.size, args.size), device=DEVICE)
    if args.task == "distill":
        teacher = fold(build("fanet", args.teacher_width))
        shallow_encoder, deep_encoder = (
            Paraphraser(teacher.tap_channels, net.tap_channels).to(DEVICE, memory_format=MEMORY).requires_grad_(False) for _ in range(2)
        )

    if args.adversarial:
        discriminator = initialised(Discriminator(args.classes)).to(DEVICE, memory_format=MEMORY)
        rival = torch.optim.Adam(discriminator.parameters(), lr=3e-5, betas=(0.9, 0.99), fused=True)

    def objective(x, y):
        shallow, deep, logits = net(x)
        loss = supervised_terms(logits, y)
        if args.task == "supervised":
            return loss, ()
        with torch.no_grad():
            teacher_shallow, teacher_deep, teacher_logits = teacher(x)
            factors = shallow_encoder.encode(teacher_shallow), deep_encoder.encode(teacher_deep)
        with torch.autocast(DEVICE.type, enabled=False):  # the edge term is of the fourth degree
            vertex, edge = graph_flow(shallow.float(), deep.float(), *(f.float() for f in factors), 3)
        loss = loss + logits_distillation(logits, teacher_logits) + 1e-5 * vertex + 1e-9 * edge
        if args.adversarial:
            loss = loss - 0.1 * discriminator(logits).mean()
        return loss, (teacher_logits, logits.detach())

    objective = compiled(objective)

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(DEVICE.type, torch.bfloat16) if "amp" in args.words else contextlib.nullcontext():
            if args.adversarial:
                discriminator.requires_grad_(False)
            loss, seen = objective(x, y)
        loss.backward()
        optimiser.step()
        if args.adversarial:
            discriminator.requires_grad_(True)
            rival.zero_grad(set_to_none=True)
            alpha = torch.rand(args.batch, 1, 1, 1, device=DEVICE)
            discriminator_loss(discriminator, *seen, alpha, "wgan_gp")[0].backward()
            rival.step()
        return loss

    return step


def graph_flow_step():
    net = build(args.network, args.width).eval()
    with torch.no_grad():
        shallow, deep, _ = net(random_map(args.batch, 1, args.size, args.size))
    student = [random_map(*shallow.shape).requires_grad_(), random_map(*deep.shape).requires_grad_()]
    factors = [random_map(*shallow.shape), random_map(*deep.shape)]

    def objective(*maps):
        vertex, edge = graph_flow(*maps, 3)
        return 1e-5 * vertex + 1e-9 * edge

    objective = compiled(objective)

    def step():
        loss = objective(*student, *factors)
        torch.autograd.grad(loss, student)
        return loss

    return step


def check():
    """Exits with a message where folding or the fast Graph Flow loss differ from their references."""
    import make_graph_flow

    torch.manual_seed(1)
    net = FANet(1, 3, 0.1, dropout=0.0).double()
    x = torch.randn(2, 1, 48, 48, dtype=torch.float64)
    net(x)  # running statistics other than 0 and 1
    before = net.eval()(x)
    after = fold(net)(x)
    folding = max((a - b).abs().max().item() / b.abs().max().item() for a, b in zip(after, before))
    maps = [torch.randn(2, 5, 9, 7, dtype=torch.float64) for _ in range(4)]
    slow = make_graph_flow.graph_flow(*(make_graph_flow.patches(m, make_graph_flow.positions(m, 3, "peak", False), 3) for m in maps), "gram", "sum")
    loss = max(abs(a - b).item() / abs(b).item() for a, b in zip(graph_flow(*maps, 3), slow))
    left = sum(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())
    print(f"folded teacher: {folding:.1e} off, {left} batch norms left (those behind no convolution); Graph Flow loss: {loss:.1e} off")
    if not (folding < 1e-10 and loss < 1e-12 and left == 14):
        sys.exit("check failed")


def main():
    if args.check:
        return check()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = "tf32" in args.words
    torch.backends.cudnn.benchmark = True
    wait = torch.cuda.synchronize if DEVICE.type == "cuda" else lambda: None
    step = graph_flow_step() if args.task == "graph_flow" else training_step()
    start = time.perf_counter()
    for _ in range(args.warmup):
        step()
    wait()
    warmup = time.perf_counter() - start
    times = []
    for _ in range(args.steps):
        wait()
        start = time.perf_counter()
        loss = step()
        wait()
        times.append(1e3 * (time.perf_counter() - start))
    times.sort()
    at = lambda share: times[int(share * (len(times) - 1) + 0.5)]
    cuda = DEVICE.type == "cuda"
    print(json.dumps({
        "torch": torch.__version__, "device": torch.cuda.get_device_name(DEVICE) if cuda else platform.machine(),
        "cuda": torch.version.cuda if cuda else None, "cudnn": torch.backends.cudnn.version() if cuda else None,
        "threads": torch.get_num_threads(), "task": args.task, "network": args.network, "width": args.width, "batch": args.batch,
        "size": args.size, "classes": args.classes, "variant": args.variant, "adversarial": args.adversarial, "warmup_s": round(warmup, 2), "steps": args.steps,
        "median_ms": at(0.5), "p10_ms": at(0.1), "p90_ms": at(0.9), "loss": loss.item(),
    }, indent=1))


if __name__ == "__main__":
    main()
