"""Times one training step (forward, backward, Adam) of both networks in PyTorch, eager, in both memory formats.

    python tests/bench/pytorch_step.py --threads 2 --steps 10 > step.json

Prints one JSON document: milliseconds per step (min, median, and the split of the median) for every network and memory
format, interleaved round by round so that a busy machine slows all of them alike. The rival to beat is the faster format.
"""

import argparse
import json
import os
import platform
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=10, help="timed steps of each configuration")
    p.add_argument("--warmup", type=int, default=2)
    p.add_argument("--batch", type=int, default=4)
    p.add_argument("--size", type=int, nargs=2, default=[128, 128], metavar=("H", "W"))
    p.add_argument("--channels", type=int, default=1)
    p.add_argument("--classes", type=int, default=9)
    p.add_argument("--models", default="fanet,mobile_unet")
    p.add_argument("--formats", default="nchw,channels_last")
    p.add_argument("--fanet-width", type=float, default=0.25)
    p.add_argument("--mobile-width", type=float, default=1.0)
    p.add_argument("--loss", choices=["ce", "ce_dice"], default="ce_dice", help="cross entropy, or half of it and half of soft Dice")
    p.add_argument("--adam", choices=["default", "fused"], default="default", help="PyTorch's default on the CPU, or its fused kernel")
    p.add_argument("--load-wait", type=float, default=0, help="wait up to this many seconds for a load below 0.5 before timing")
    return p.parse_args()


def main():
    args = arguments()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch
    from reference_models import FANet, MobileUNet, soft_dice_loss

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    deadline = time.time() + args.load_wait
    while os.getloadavg()[0] > 0.5 and time.time() < deadline:
        time.sleep(1)

    class Run:
        def __init__(self, name, fmt):
            self.name, self.fmt, self.times = name, fmt, []
            if name == "fanet":
                self.model = FANet(args.channels, args.classes, args.fanet_width, dropout=0.0)
            else:
                self.model = MobileUNet(args.channels, args.classes, args.mobile_width)
            memory = torch.channels_last if fmt == "channels_last" else torch.contiguous_format
            self.model = self.model.to(memory_format=memory).train()
            self.optimiser = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=True if args.adam == "fused" else None)
            self.x = torch.randn(args.batch, args.channels, *args.size).to(memory_format=memory)
            self.y = torch.randint(args.classes, (args.batch, *args.size))

        def step(self):
            t0 = time.perf_counter()
            self.optimiser.zero_grad(set_to_none=True)
            logits = self.model(self.x)[2]
            loss = torch.nn.functional.cross_entropy(logits, self.y)
            if args.loss == "ce_dice":
                loss = 0.5 * loss + 0.5 * soft_dice_loss(logits, self.y)
            t1 = time.perf_counter()
            loss.backward()
            t2 = time.perf_counter()
            self.optimiser.step()
            t3 = time.perf_counter()
            return [1e3 * (t3 - t0), 1e3 * (t1 - t0), 1e3 * (t2 - t1), 1e3 * (t3 - t2)]

    runs = [Run(m, f) for m in args.models.split(",") for f in args.formats.split(",")]
    for run in runs:
        for _ in range(args.warmup):
            run.step()
    for _ in range(args.steps):
        for run in runs:
            run.times.append(run.step())

    results = []
    for run in runs:
        by_total = sorted(run.times)
        total, forward, backward, adam = by_total[len(by_total) // 2]
        results.append({
            "model": run.name, "format": run.fmt, "min_ms": round(by_total[0][0], 2), "median_ms": round(total, 2),
            "forward_ms": round(forward, 2), "backward_ms": round(backward, 2), "adam_ms": round(adam, 2),
            "parameters": sum(p.numel() for p in run.model.parameters()),
        })
    print(json.dumps({
        "torch": torch.__version__, "threads": args.threads, "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(), "load": round(os.getloadavg()[0], 2), "batch": args.batch, "size": args.size,
        "channels": args.channels, "classes": args.classes, "loss": args.loss, "adam": args.adam, "steps": args.steps,
        "results": results,
    }, indent=1))


if __name__ == "__main__":
    main()
