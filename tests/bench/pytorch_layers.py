"""Times single convolutions in PyTorch: forward, data gradient and weight gradient, in both memory formats.

    python tests/bench/pytorch_layers.py 4x64x64,64,64,k3 4x64x64,96,96,k3,g96
    python tests/bench/pytorch_layers.py --shapes shapes.json
    python tests/bench/pytorch_layers.py --model fanet        every distinct convolution of FANet x0.25, 4x128x128, with its count

A shape is NxHxW (of the input), input channels, output channels, then in any order k3 or k1x3 (kernel), s2 (stride),
p1 (padding; default k/2, transposed 0), d2 (dilation), g96 (groups), t (transposed), b (bias). A JSON file holds a list
of such strings. Prints one JSON document, milliseconds, minimum over the repeats (and the median); GFLOP/s are computed
from the minimum.
"""

import argparse
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))


def parse(text):
    first, c_in, c_out, *rest = text.replace(" ", "").split(",")
    n, h, w = (int(v) for v in first.split("x"))
    s = {"n": n, "h": h, "w": w, "c_in": int(c_in), "c_out": int(c_out), "kernel": [1, 1], "stride": 1, "padding": None,
         "dilation": 1, "groups": 1, "transposed": False, "bias": False}
    for token in rest:
        m = re.fullmatch(r"([kspdgtb])(\d*)(?:x(\d+))?", token)
        if not m:
            sys.exit(f"{text}: cannot read '{token}'; expected k3, k1x3, s2, p1, d2, g96, t or b")
        letter, a, b = m.groups()
        if letter == "k":
            s["kernel"] = [int(a), int(b or a)]
        elif letter in "tb":
            s["transposed" if letter == "t" else "bias"] = True
        else:
            s[{"s": "stride", "p": "padding", "d": "dilation", "g": "groups"}[letter]] = int(a)
    if s["padding"] is None:
        s["padding"] = [0, 0] if s["transposed"] else [k // 2 * s["dilation"] for k in s["kernel"]]
    else:
        s["padding"] = [s["padding"]] * 2
    return s


def text_of(s):
    k, p = s["kernel"], s["padding"]
    t = f"{s['n']}x{s['h']}x{s['w']},{s['c_in']},{s['c_out']},k{k[0]}" + (f"x{k[1]}" if k[1] != k[0] else "")
    t += f",s{s['stride']}" if s["stride"] != 1 else ""
    t += f",p{p[0]}" if p[0] == p[1] and p[0] != (0 if s["transposed"] else k[0] // 2 * s["dilation"]) else ""
    t += f",d{s['dilation']}" if s["dilation"] != 1 else ""
    t += f",g{s['groups']}" if s["groups"] != 1 else ""
    return t + (",t" if s["transposed"] else "") + (",b" if s["bias"] else "")


def shapes_of_model(torch, name, batch, size, classes):
    from reference_models import FANet, MobileUNet

    model = FANet(1, classes, 0.25, dropout=0.0) if name == "fanet" else MobileUNet(1, classes, 1.0)
    seen = {}

    def hook(m, inputs, output):
        n, c, h, w = inputs[0].shape
        s = {"n": n, "h": h, "w": w, "c_in": c, "c_out": m.out_channels, "kernel": list(m.kernel_size), "stride": m.stride[0],
             "padding": list(m.padding), "dilation": m.dilation[0], "groups": m.groups,
             "transposed": isinstance(m, torch.nn.ConvTranspose2d), "bias": m.bias is not None}
        key = json.dumps(s)
        seen[key] = seen.get(key, 0) + 1

    for m in model.modules():
        if isinstance(m, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            m.register_forward_hook(hook)
    with torch.no_grad():
        model(torch.zeros(batch, 1, *size))
    return [{**json.loads(key), "count": count} for key, count in seen.items()]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("shape", nargs="*")
    p.add_argument("--shapes", help="JSON file with a list of shapes")
    p.add_argument("--model", choices=["fanet", "mobile_unet"])
    p.add_argument("--batch", type=int, default=4)
    p.add_argument("--size", type=int, nargs=2, default=[128, 128])
    p.add_argument("--classes", type=int, default=9)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--repeats", type=int, default=10)
    p.add_argument("--warmup", type=int, default=2)
    p.add_argument("--formats", default="nchw,channels_last")
    args = p.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    texts = list(args.shape) + (json.load(open(args.shapes)) if args.shapes else [])
    shapes = [parse(t) for t in texts]
    if args.model:
        shapes += shapes_of_model(torch, args.model, args.batch, args.size, args.classes)
    if not shapes:
        p.error("no shapes: give some on the command line, with --shapes or with --model")

    def clock(f):
        for _ in range(args.warmup):
            f()
        times = []
        for _ in range(args.repeats):
            t = time.perf_counter()
            f()
            times.append(1e3 * (time.perf_counter() - t))
        times.sort()
        return round(times[0], 3), round(times[len(times) // 2], 3)

    results = []
    for s in shapes:
        row = {"shape": text_of(s), "count": s.get("count", 1)}
        for fmt in args.formats.split(","):
            memory = torch.channels_last if fmt == "channels_last" else torch.contiguous_format
            x = torch.randn(s["n"], s["c_in"], s["h"], s["w"]).to(memory_format=memory)
            out_in = (s["c_in"], s["c_out"] // s["groups"]) if s["transposed"] else (s["c_out"], s["c_in"] // s["groups"])
            weight = torch.randn(*out_in, *s["kernel"]).to(memory_format=memory)
            bias = torch.randn(s["c_out"]) if s["bias"] else None
            conv = [[s["stride"]] * 2, s["padding"], [s["dilation"]] * 2, s["transposed"], [0, 0], s["groups"]]
            with torch.no_grad():
                y = torch.ops.aten.convolution(x, weight, bias, *conv)
                dy = torch.randn_like(y)
                forward = clock(lambda: torch.ops.aten.convolution(x, weight, bias, *conv))
                backward = lambda mask: torch.ops.aten.convolution_backward(dy, x, weight, [s["c_out"]] if s["bias"] else None, *conv, mask)
                data = clock(lambda: backward([True, False, False]))
                weights = clock(lambda: backward([False, True, s["bias"]]))
                both = clock(lambda: backward([True, True, s["bias"]]))
            pixels = s["n"] * (s["h"] * s["w"] if s["transposed"] else y.shape[2] * y.shape[3])
            macs = pixels * s["c_out"] * s["c_in"] // s["groups"] * s["kernel"][0] * s["kernel"][1]
            row["gmac"] = round(macs * 1e-9, 4)
            row[fmt] = {
                "forward": forward[0], "data": data[0], "weight": weights[0], "backward": both[0],
                "total": round(forward[0] + both[0], 3), "median_total": round(forward[1] + both[1], 3),
                "gflops_total": round(6e-6 * macs / (forward[0] + both[0]), 1),
            }
        results.append(row)
    summary = {f: round(sum(r[f]["total"] * r["count"] for r in results), 2) for f in args.formats.split(",")}
    print(json.dumps({"torch": torch.__version__, "threads": args.threads, "cpu_capability": torch.backends.cpu.get_cpu_capability(),
                      "unit": "ms", "sum_total_by_count": summary}, indent=1)[:-2] + ',\n "results": [\n  '
          + ",\n  ".join(json.dumps(r) for r in results) + "\n ]\n}")


if __name__ == "__main__":
    main()
