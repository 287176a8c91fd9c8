"""The Graph Flow loss in PyTorch as one would write it for speed: gather instead of the loops of tests/golden/make_graph_flow.py."""

import torch
import torch.nn.functional as F


def salience(f, k):
    """V (n, c, k*k): the patch around each channel's peak, zero outside the map; kernels/salience.h, mode peak."""
    w = f.shape[3]
    top = f.detach().flatten(2).argmax(2)
    offsets = torch.arange(k, device=f.device)
    y, x = (top // w)[..., None] + offsets, (top % w)[..., None] + offsets
    index = (y[..., :, None] * (w + k - 1) + x[..., None, :]).flatten(2)
    return F.pad(f, (k // 2,) * 4).flatten(2).gather(2, index)


def graph_flow(shallow, deep, teacher_shallow, teacher_deep, k):
    """(vertex loss, edge loss) with Gram edges, summed; kernels/variation_graph.h."""
    s, d, ts, td = (salience(f, k) for f in (shallow, deep, teacher_shallow, teacher_deep))
    gram = lambda v: v @ v.transpose(1, 2)
    vertex = (((d - s) - (td - ts)) ** 2).sum()
    edge = (((gram(d) - gram(s)) - (gram(td) - gram(ts))) ** 2).sum()
    return vertex, edge
