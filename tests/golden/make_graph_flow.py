"""Writes graph_flow.safetensors (salience, variation graph and their gradients) and losses.safetensors.

    python tests/golden/make_graph_flow.py

The formulas are those at the head of kernels/salience.h, kernels/variation_graph.h and kernels/losses.h, written here a
second time with indexing and autograd in float64. Maps and logits are exact in float32. See README.md for the keys.
"""

import numpy as np
import torch
import torch.nn.functional as F

from golden_file import rounded, write
from reference_models import logits_distillation, soft_dice_loss

# ------------------------------------------------------------------------------------------------------- Graph Flow


def positions(maps, k, mode, absolute):
    """Linear index y*w + x of each channel's peak, or of the centre of its best k x k window (zero outside the map)."""
    score = maps.detach().abs() if absolute else maps.detach()
    if mode == "window":
        c = maps.shape[1]
        score = F.conv2d(score, torch.full((c, 1, k, k), 1.0 / k**2, dtype=score.dtype), padding=k // 2, groups=c)
    flat = score.flatten(2)
    if mode == "window" or absolute:  # which of two nearly equal scores wins would depend on rounding
        best = flat.topk(2).values
        assert ((best[..., 0] - best[..., 1]) > 1e-4).all()
    return torch.from_numpy(np.argmax(flat.numpy(), axis=2))  # numpy: the first index on ties


def patches(maps, where, k):
    n, c, h, w = maps.shape
    padded = F.pad(maps, (k // 2,) * 4)
    rows = []
    for b in range(n):
        for ch in range(c):
            y, x = divmod(where[b, ch].item(), w)
            rows.append(padded[b, ch, y : y + k, x : x + k].reshape(-1))
    return torch.stack(rows).reshape(n, c, k * k)


def edges(v, kind):
    if kind == "distance":
        return ((v[:, :, None] - v[:, None]) ** 2).sum(-1)
    return v @ v.transpose(1, 2)


def graph_flow(shallow, deep, teacher_shallow, teacher_deep, kind, reduction):
    """The four arguments are salience matrices V (n, c, k*k). Returns (vertex loss, edge loss)."""
    dv, dv_t = deep - shallow, teacher_deep - teacher_shallow
    if kind == "variation":
        de, de_t = edges(dv, kind), edges(dv_t, kind)
    else:
        de, de_t = edges(deep, kind) - edges(shallow, kind), edges(teacher_deep, kind) - edges(teacher_shallow, kind)
    vertex, edge = (dv - dv_t) ** 2, (de - de_t) ** 2
    return (vertex.sum(), edge.sum()) if reduction == "sum" else (vertex.mean(), edge.mean())


def maps(generator, h, w, scale):
    """Noise, with peaks in a corner, at a border and, in channel 2, twice the same peak value (the first index wins)."""
    f = torch.randn(2, 6, h, w, generator=generator, dtype=torch.float64) * scale
    top = f.abs().amax() + 1
    f[0, 0, 0, 0] = top
    f[0, 1, h - 1, w - 1] = top
    f[1, 0, 0, w // 2] = top
    f[1, 1, h // 2, w - 1] = top
    f[:, 2, 2, 1] = f[:, 2, 3, 2] = top
    f[0, 3] = -f[0, 3].abs() - 0.1  # a channel without a positive value
    return rounded(f)


SALIENCE = {"peak": ("peak", False), "window": ("window", False), "absolute": ("peak", True)}
WEIGHTS = {"sum": (0.5, 0.01), "mean": (0.5, 0.25)}  # of the vertex and the edge loss in the total that is differentiated


def make_graph_flow():
    g = torch.Generator().manual_seed(7)
    sides = {
        "student_shallow": maps(g, 9, 7, 1.0), "student_deep": maps(g, 9, 7, 1.5),
        "teacher_shallow": maps(g, 9, 7, 2.0), "teacher_deep": maps(g, 9, 7, 0.7),
    }
    out = {f"maps/{k}": v for k, v in sides.items()}
    for salience, (mode, absolute) in SALIENCE.items():
        for k in (3, 5):
            # the tie in channel 2 stays for `peak` only: elsewhere rounding, not the rule, would decide
            used = {}
            for side, f in sides.items():
                f = f.clone()
                if salience != "peak":
                    f[:, 2, 3, 2] = 0.25
                used[side] = f.requires_grad_(side.startswith("student"))
            v = {}
            for side, f in used.items():
                where = positions(f, k, mode, absolute)
                v[side] = patches(f, where, k)
                out[f"{salience}_k{k}/positions/{side}"] = where
                out[f"{salience}_k{k}/patches/{side}"] = v[side]
            matrices = [v[s] for s in ("student_shallow", "student_deep", "teacher_shallow", "teacher_deep")]
            for kind in ("gram", "variation", "distance"):
                for reduction in ("sum", "mean"):
                    if reduction == "mean" and (salience, k) != ("peak", 3):
                        continue
                    vertex, edge = graph_flow(*matrices, kind, reduction)
                    weights = WEIGHTS[reduction]
                    total = weights[0] * vertex + weights[1] * edge
                    grads = torch.autograd.grad(total, [used["student_shallow"], used["student_deep"]], retain_graph=True)
                    key = f"{salience}_k{k}/{kind}_{reduction}"
                    out.update({f"{key}/vertex_loss": vertex, f"{key}/edge_loss": edge, f"{key}/weights": torch.tensor(weights).double(),
                                f"{key}/grad_student_shallow": grads[0], f"{key}/grad_student_deep": grads[1]})
    write("graph_flow.safetensors", out, layout="NCHW",
          note="weights: vertex and edge weight of the differentiated total; maps of window and absolute cases have 0.25 at [:,2,3,2]")


# ------------------------------------------------------------------------------------------------------------ losses


def make_losses():
    g = torch.Generator().manual_seed(11)
    n, c, h, w, ignore = 2, 4, 5, 7, 255
    randn = lambda *s: torch.randn(*s, generator=g, dtype=torch.float64)
    z = rounded(2 * randn(n, c, h, w))
    large = rounded(60 * randn(n, c, h, w))
    teacher = rounded(3 * randn(n, c, h, w))
    labels = torch.randint(c, (n, h, w), generator=g)
    holes = torch.where(torch.rand(n, h, w, generator=g) < 0.3, ignore, labels)
    absent = torch.where(labels == 2, 1, labels)  # class 2 does not occur
    weights = rounded(torch.tensor([0.25, 1.0, 2.5, 0.7], dtype=torch.float64))
    out = {"logits": z, "large_logits": large, "teacher_logits": teacher, "labels": labels, "labels_ignore": holes,
           "labels_absent": absent, "class_weights": weights}

    def case(name, f, x):
        x = x.clone().requires_grad_()
        loss = f(x)
        out[f"{name}/loss"], out[f"{name}/grad"] = loss, torch.autograd.grad(loss, x)[0]

    case("cross_entropy", lambda x: F.cross_entropy(x, labels), z)
    case("cross_entropy_large", lambda x: F.cross_entropy(x, labels), large)
    case("cross_entropy_weights", lambda x: F.cross_entropy(x, labels, weight=weights), z)
    case("cross_entropy_ignore", lambda x: F.cross_entropy(x, holes, ignore_index=ignore), z)
    case("cross_entropy_weights_ignore", lambda x: F.cross_entropy(x, holes, weight=weights, ignore_index=ignore), z)
    case("dice", lambda x: soft_dice_loss(x, labels), z)
    case("dice_ignore", lambda x: soft_dice_loss(x, holes, ignore), z)
    case("dice_absent", lambda x: soft_dice_loss(x, absent), z)
    case("dice_smooth_1", lambda x: soft_dice_loss(x, labels, smooth=1.0), z)
    case("half_cross_entropy_half_dice", lambda x: 0.5 * F.cross_entropy(x, labels) + 0.5 * soft_dice_loss(x, labels), z)
    for tau in (1, 4):
        case(f"kd_tau{tau}", lambda x: logits_distillation(x, teacher, tau), z)
        case(f"kd_tau{tau}_scaled", lambda x: logits_distillation(x, teacher, tau, tau**2), z)
        case(f"kd_tau{tau}_scaled_pixel_mean", lambda x: logits_distillation(x, teacher, tau, c * tau**2), z)
    case("kd_large", lambda x: logits_distillation(x, teacher), large)
    case("mse", lambda x: F.mse_loss(x, teacher), z)
    write("losses.safetensors", out, layout="NCHW", ignore_index=ignore)


if __name__ == "__main__":
    torch.set_num_threads(1)
    make_graph_flow()
    make_losses()
