#!/usr/bin/env python3
"""Every convolution of one training step, ours against PyTorch's two memory formats, side by side in one run.

    OMP_NUM_THREADS=2 python bench_convolution.py path/to/bench_convolution [fanet|mobile_unet] [--rounds N]

Layers come from the networks' tables (FANet at width 0.25, Mobile U-Net at width 1, batch 4, 128x128, 1 input channel,
9 classes). Each figure is the shortest of several runs, taken in rounds that alternate between the programs, so that a
busy machine hurts all of them alike. Columns are milliseconds: forward, input gradient, weight gradient.
"""
import argparse
import collections
import subprocess
import time

import torch

Layer = collections.namedtuple("Layer", "n h w cin cout kh kw stride ph pw groups transposed bias wide first")
BATCH = 4


class Net:
    def __init__(self):
        self.layers = []

    def conv(self, c_in, c_out, k, size, stride=1, groups=1, bias=0, transposed=0, pad=None, wide=0, first=0):
        kh, kw = k if isinstance(k, tuple) else (k, k)
        h, w = size if isinstance(size, tuple) else (size, size)
        ph, pw = (kh // 2, kw // 2) if pad is None else (pad, pad)
        self.layers.append(Layer(BATCH, h, w, c_in, c_out, kh, kw, stride, ph, pw, groups, transposed, bias, wide, first))

    # FANet
    def sk_block(self, i, o, s, proj, first=0):
        self.conv(i, o, 1, s, first=first)
        self.conv(o, o, 5, s, bias=1)
        self.conv(o, o, 3, s, bias=1)
        self.conv(o, o // 2, 1, 1, bias=1)
        self.conv(o // 2, o, 1, 1, bias=1)
        self.conv(o // 2, o, 1, 1, bias=1)
        self.conv(o, o, 1, s)
        if proj:
            self.conv(i, o, 1, s, first=first)

    def double_conv(self, i, o, s, first=0):
        self.sk_block(i, o, s, True, first)
        self.sk_block(o, o, s, False)

    def strip_pooling(self, c, s, p, second=False):
        branch = c // 2 if second else c
        self.conv(c, c, 1, s)
        self.conv(c, c, 1, s)
        self.conv(c, c, 3, s)
        self.conv(c, branch, 3, p[0])
        self.conv(c, branch, 3, p[1])
        self.conv(c, c, (1, 3), (1, s))
        self.conv(c, c, (3, 1), (s, 1))
        self.conv(2 * c if second else c, c, 3, s)
        self.conv(c, c, 3, s)
        if not second:
            self.conv(2 * c, c, 1, s)

    def fanet(self):
        c = 16
        self.double_conv(1, c, 128, first=1)
        self.double_conv(c, 2 * c, 64)
        self.double_conv(2 * c, 4 * c, 32)
        self.double_conv(4 * c, 8 * c, 16)
        for c_in, s, pools in ((8 * c, 16, (3, 6)), (4 * c, 32, (12, 18)), (2 * c, 64, None)):
            self.conv(c_in, c_in // 2, 2, s, stride=2, transposed=1, bias=1, pad=0, wide=1)
            self.double_conv(c_in, c_in // 2, 2 * s)
            if pools:
                self.strip_pooling(c_in // 2, 2 * s, pools)
        self.strip_pooling(c, 128, (3, 6), second=True)
        self.conv(c, 9, 1, 128, bias=1)
        return self

    # Mobile U-Net
    def inverted_residual(self, i, o, s, stride, t):
        hidden = i * t
        if t != 1:
            self.conv(i, hidden, 1, s)
        self.conv(hidden, hidden, 3, s, stride=stride, groups=hidden)
        self.conv(hidden, o, 1, s // stride)

    def mobile_unet(self):
        self.conv(1, 32, 3, 128, stride=2, first=1)
        self.inverted_residual(32, 16, 64, 1, 1)
        c, s = 16, 64
        for t, o, count, stride in ((6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
            for i in range(count):
                self.inverted_residual(c, o, s, stride if i == 0 else 1, t)
                s //= stride if i == 0 else 1
                c = o
        self.conv(320, 1280, 1, s)
        for c_in, o in ((1280, 96), (96, 32), (32, 24), (24, 16)):
            self.conv(c_in, o, 4, s, stride=2, transposed=1, bias=1, pad=1, wide=1)
            s *= 2
            self.inverted_residual(2 * o, o, s, 1, 6)
        self.conv(16, 3, 1, s, bias=1)
        self.conv(3, 9, 1, s, bias=1)
        return self


class Ours:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, layer, repeats):
        fields = list(layer[:-1]) + [repeats]
        self.process.stdin.write(" ".join(map(str, fields)) + "\n")
        self.process.stdin.flush()
        return [float(v) for v in self.process.stdout.readline().split()]


def shortest(repeats, call):
    best, begin = float("inf"), time.perf_counter()
    for i in range(repeats + 1):
        start = time.perf_counter()
        if i > 1 and start - begin > 0.1:  # as in bench_convolution.cpp
            break
        call()
        if i:
            best = min(best, time.perf_counter() - start)
    return best * 1e3


class Torch:
    def __init__(self, memory_format):
        self.format = memory_format

    @torch.no_grad()
    def __call__(self, layer, repeats):
        l = layer
        w_shape = (l.cin, l.cout, l.kh, l.kw) if l.transposed else (l.cout, l.cin // l.groups, l.kh, l.kw)
        x = torch.randn(l.n, l.cin, l.h, l.w).to(memory_format=self.format)
        w = torch.randn(w_shape).to(memory_format=self.format)
        b = torch.randn(l.cout) if l.bias else None
        tail = ([l.stride] * 2, [l.ph, l.pw], [1, 1], bool(l.transposed), [0, 0], l.groups)
        forward = lambda: torch.ops.aten.convolution(x, w, b, *tail)
        dy = torch.randn_like(forward())
        bias_size = [l.cout] if l.bias else None
        backward = lambda *mask: torch.ops.aten.convolution_backward(dy, x, w, bias_size, *tail, list(mask))
        return [
            shortest(repeats, forward),
            shortest(repeats, lambda: backward(True, False, False)),
            shortest(repeats, lambda: backward(False, True, bool(l.bias))),
        ]


def describe(l):
    kind = "tconv" if l.transposed else "depthwise" if l.groups > 1 else "conv"
    return f"{kind} {l.kh}x{l.kw} s{l.stride} {l.cin}->{l.cout} @{l.h}x{l.w}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", help="the built program bench_convolution")
    parser.add_argument("nets", nargs="*", default=["fanet", "mobile_unet"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--match", default="", help="only layers whose description contains this")
    arguments = parser.parse_args()
    contenders = [Ours(arguments.bench), Torch(torch.contiguous_format), Torch(torch.channels_last)]
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads; ms: forward, input grad, weight grad")
    for name in arguments.nets:
        counts = collections.Counter(l for l in getattr(Net(), name)().layers if arguments.match in describe(l))
        best = {l: [[float("inf")] * 3 for _ in contenders] for l in counts}
        for _ in range(arguments.rounds):
            for l in counts:
                for kept, contender in zip(best[l], contenders):
                    times = contender(l, arguments.repeats)
                    kept[:] = [min(a, b) for a, b in zip(kept, times)]
        totals = [[0.0] * 3 for _ in contenders]
        print(f"\n{name:34} count  {'ours':>26}  {'PyTorch NCHW':>26}  {'PyTorch channels last':>26}   ours/best")
        for l, count in counts.items():
            rows = best[l]
            if l.first:  # nothing asks for the gradient of the image
                for r in rows:
                    r[1] = 0.0
            for t, r in zip(totals, rows):
                t[:] = [a + b * count for a, b in zip(t, r)]
            ratio = sum(rows[0]) / min(sum(rows[1]), sum(rows[2]))
            cells = "  ".join(" ".join(f"{v:8.3f}" for v in r) for r in rows)
            print(f"{describe(l):34} x{count:<4}  {cells}  {ratio:6.2f}")
        print(f"{'sum':34}        " + "  ".join(" ".join(f"{v:8.2f}" for v in t) for t in totals))
        print(f"{'step':34}        " + "  ".join(f"{sum(t):26.2f}" for t in totals))


if __name__ == "__main__":
    main()
