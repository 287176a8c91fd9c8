"""Writes baselines.safetensors: terms and gradients of the distillation methods in distill/baselines.

    python tests/golden/make_baselines.py

Each method is written from its paper's or its usual code's formula with PyTorch's own functions, in float64. Every
gradient is checked by central differences along a random direction here as well (but skd's, whose norms are constants).
See README.md for the keys.
"""

import math

import torch
import torch.nn.functional as F

from golden_file import rounded, write

IGNORED = 255
# What the engine's dropout leaves of 2 x 80 and 2 x 20 pixels with seed 4 (tests/distill/baselines.cpp): an input here.
MASKS = {
    80: "0001101011000010000000000010001010000011000100000010111010100001010010010001100010000011000011000100000000010000000011001000010001100100000100000001000110000010",
    20: "0001101011000010000000000010001010000011",
}


def pooled_alike(a, b):
    size = [min(a.shape[i], b.shape[i]) for i in (2, 3)]
    return F.adaptive_avg_pool2d(a, size), F.adaptive_avg_pool2d(b, size)


def labels_at(x, like):
    return F.interpolate(x["labels"][:, None].double(), like.shape[2:], mode="nearest")[:, 0].long()


def kl_per_pixel(zs, zt, tau):
    """tau^2 KL(teacher || student) of every pixel, (n, h, w)."""
    return tau**2 * F.kl_div(F.log_softmax(zs / tau, 1), F.softmax(zt / tau, 1), reduction="none").sum(1)


def kd(x, p):
    return [kl_per_pixel(x["student_logits"], x["teacher_logits"], 1).mean() / x["student_logits"].shape[1]]


def kd_zoo(x, p):
    return [kl_per_pixel(x["student_logits"], x["teacher_logits"], 4).mean()]


def both_taps(x, loss, teacher="teacher"):
    return sum(loss(x[f"student_{side}"], x[f"{teacher}_{side}"], side) for side in ("shallow", "deep"))


def at(x, p):
    def attention(f):
        a = f.abs().sum(1)
        return a / (torch.linalg.vector_norm(a, dim=(1, 2), keepdim=True) + 1e-6)

    def loss(s, t, side):
        s, t = pooled_alike(s, t)
        return F.mse_loss(attention(s), attention(t))

    return [both_taps(x, loss)]


def fsp(x, p):
    def matrix(a, b):
        a, b = pooled_alike(a, b)
        return torch.einsum("bihw,bjhw->bij", a, b) / (a.shape[2] * a.shape[3])

    return [F.mse_loss(matrix(x["student_shallow"], x["student_deep"]), matrix(x["factors_shallow"], x["factors_deep"]))]


def ft(x, p):
    def loss(s, t, side):
        for i in range(3):
            s = F.leaky_relu(F.conv2d(s, p[f"{side}.conv{i}.weight"], p[f"{side}.conv{i}.bias"], padding=1), 0.1)
        s, t = pooled_alike(s, t)
        return F.l1_loss(F.normalize(s.flatten(1)), F.normalize(t.flatten(1)))

    return [both_taps(x, loss, "factors")]


def vid(x, p):
    def loss(s, t, side):
        s, t = pooled_alike(s, t)
        for i in range(3):
            s = F.conv2d(s, p[f"{side}.conv{i}.weight"])
            s = F.relu(s) if i < 2 else s
        var = F.softplus(p[f"{side}.alpha"])[None, :, None, None] + 1e-6
        return (0.5 * ((s - t) ** 2 / var + var.log())).mean()

    return [both_taps(x, loss)]


def skd(x, p):
    zs, zt = x["student_logits"], x["teacher_logits"]
    pixel = -(F.softmax(zt, 1) * F.log_softmax(zs, 1)).sum() / (zs.shape[2] * zs.shape[3])

    def similarity(f):
        f = F.adaptive_max_pool2d(f, 2)
        f = (f / ((f**2).sum(1, keepdim=True).sqrt() + 1e-8).detach()).flatten(2)
        return torch.einsum("icm,icn->imn", f, f)

    a, b = similarity(x["student_shallow"]), similarity(x["teacher_shallow"])
    return [pixel, ((a - b) ** 2).sum() / 4**2 / a.shape[0]]


def ifvd(x, p):
    s, t = pooled_alike(x["student_deep"], x["teacher_deep"])
    labels = labels_at(x, s)

    def variation(f):
        centre = f.clone()
        for c in range(x["student_logits"].shape[1]):
            mask = (labels == c).double()[:, None]
            mean = (mask * f).sum((2, 3), keepdim=True) / (mask.sum((2, 3), keepdim=True) + 1e-6)
            centre = mask * mean + (1 - mask) * centre
        return F.cosine_similarity(f, centre, 1)

    return [F.mse_loss(variation(s), variation(t))]


def emkd(x, p):
    def importance(s, t, side):
        if s.shape[2:] != t.shape[2:]:
            s = F.interpolate(s, t.shape[2:], mode="bilinear")
        a, b = (F.normalize(f.pow(4).mean(1).flatten(1)) for f in (s, t))
        return ((a - b) ** 2).sum(1).mean()

    def contrast(f):
        labels = labels_at(x, f)
        means = []
        for c in range(x["student_logits"].shape[1]):
            mask = (labels == c).double()[:, None]
            means.append((f * mask).sum((2, 3)) / (mask.sum((2, 3)) + 1e-6))
        pairs = [(i, j) for i in range(len(means)) for j in range(i)]
        return torch.stack([F.cosine_similarity(means[i], means[j], 1) for i, j in pairs])

    def region(s, t, side):
        return ((contrast(s) - contrast(t)) ** 2).mean()

    return [kl_per_pixel(x["student_logits"], x["teacher_logits"], 4).mean(), both_taps(x, importance), both_taps(x, region)]


def cocod(x, p):
    def correlation(a, b):
        return torch.einsum("bcm,bcn->bmn", F.normalize(a, dim=1).flatten(2), F.normalize(b, dim=1).flatten(2))

    s1, t1 = pooled_alike(x["student_shallow"], x["teacher_shallow"])
    s2, t2 = pooled_alike(x["student_deep"], x["teacher_deep"])
    return [F.mse_loss(correlation(s1, s2), correlation(t1, t2))]


def cwd(x, p):
    s, t = (x[k].flatten(2) / 4 for k in ("student_logits", "teacher_logits"))
    n, c, _ = s.shape
    return [16 * F.kl_div(F.log_softmax(s, 2), F.softmax(t, 2), reduction="sum") / (c * n)]


def dkd(x, p):
    classes = x["student_logits"].shape[1]
    rows = [x[k].permute(0, 2, 3, 1).reshape(-1, classes) / 4 for k in ("student_logits", "teacher_logits")]
    labels = x["labels"].reshape(-1)
    s, t = (r[labels != IGNORED] for r in rows)
    labels = labels[labels != IGNORED]
    mask = F.one_hot(labels, classes).bool()

    def binary(z):
        q = F.softmax(z, 1)
        return torch.stack([(q * mask).sum(1), (q * ~mask).sum(1)], 1)

    tckd = 16 * F.kl_div(binary(s).log(), binary(t), reduction="sum") / len(labels)
    s, t = (z[~mask].reshape(len(labels), classes - 1) for z in (s, t))
    nckd = 16 * F.kl_div(F.log_softmax(s, 1), F.softmax(t, 1), reduction="sum") / len(labels)
    return [tckd, nckd]


def dist(x, p):
    classes = x["student_logits"].shape[1]
    s, t = (x[k].permute(0, 2, 3, 1).reshape(-1, classes).softmax(1) for k in ("student_logits", "teacher_logits"))

    def relation(a, b):
        return 1 - F.cosine_similarity(a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True), 1).mean()

    return [relation(s, t), relation(s.T, t.T)]


def cirkd(x, p):
    s, t = (F.normalize(f, dim=1).flatten(2) for f in pooled_alike(x["student_deep"], x["teacher_deep"]))
    n, total = s.shape[0], 0
    for i in range(n):
        for j in range(n):
            total = total + F.kl_div(F.log_softmax(s[i].T @ s[j], 1), F.softmax(t[i].T @ t[j], 1), reduction="batchmean")
    return [total / n**2]


def mgd(x, p):
    s, t = pooled_alike(x["student_deep"], x["teacher_deep"])
    n, _, h, w = s.shape
    mask = torch.tensor([float(v) for v in MASKS[h * w]], dtype=torch.float64).view(n, 1, h, w)
    s = F.conv2d(s, p["align.weight"], p["align.bias"]) * mask
    s = F.relu(F.conv2d(s, p["conv0.weight"], p["conv0.bias"], padding=1))
    s = F.conv2d(s, p["conv1.weight"], p["conv1.bias"], padding=1)
    return [F.mse_loss(s, t, reduction="sum") / n]


def logit_std(x, p):
    def standard(z):
        return (z - z.mean(1, keepdim=True)) / (1e-7 + z.std(1, keepdim=True))

    return [kl_per_pixel(standard(x["student_logits"]), standard(x["teacher_logits"]), 2).mean()]


# Method: its terms with their default weights.
METHODS = {
    kd: {"kd": 1}, kd_zoo: {"kd": 0.1}, at: {"at": 1000}, fsp: {"fsp": 1}, ft: {"ft": 200}, vid: {"vid": 1},
    skd: {"pixel": 10, "pair": 1}, ifvd: {"ifvd": 200}, emkd: {"pmd": 0.1, "imd": 0.9, "rad": 0.9}, cocod: {"cocod": 1},
    cwd: {"cwd": 3}, dkd: {"tckd": 1, "nckd": 8}, dist: {"inter": 1, "intra": 1}, cirkd: {"cirkd": 1}, mgd: {"mgd": 2e-5},
    logit_std: {"logit_std": 9},
}
STUDENT, TEACHER = 6, 8  # channels of the taps


def parameters(method, randn):
    def convolution(name, i, o, k, bias=True):
        return {f"{name}.weight": randn(o, i, k, k) / math.sqrt(i * k * k)} | ({f"{name}.bias": 0.3 * randn(o)} if bias else {})

    p = {}
    for side in ("shallow", "deep"):
        if method is ft:
            for i in range(3):
                p |= convolution(f"{side}.conv{i}", STUDENT, STUDENT, 3)
        if method is vid:
            for i in range(3):
                p |= convolution(f"{side}.conv{i}", TEACHER if i else STUDENT, TEACHER, 1, bias=False)
            p[f"{side}.alpha"] = 2 + randn(TEACHER)
    if method is mgd:
        p |= convolution("align", STUDENT, TEACHER, 1) | convolution("conv0", TEACHER, TEACHER, 3) | convolution("conv1", TEACHER, TEACHER, 3)
    return {k: rounded(v) for k, v in p.items()}


def make(group, classes, student_sizes, out, seed, picture, chosen):
    g = torch.Generator().manual_seed(seed)
    randn = lambda *s: torch.randn(*s, generator=g, dtype=torch.float64)
    teacher = (8, 10)
    x = {"student_shallow": randn(2, STUDENT, *student_sizes[0]), "student_deep": randn(2, STUDENT, *student_sizes[1]) + 0.3,
         "teacher_shallow": 2 * randn(2, TEACHER, *teacher), "teacher_deep": randn(2, TEACHER, *teacher) + 0.5,
         "factors_shallow": randn(2, STUDENT, *teacher), "factors_deep": randn(2, STUDENT, *teacher) + 0.4,
         "student_logits": 2 * randn(2, classes, *picture), "teacher_logits": 3 * randn(2, classes, *picture)}
    x = {k: rounded(v) for k, v in x.items()}
    # Blobs, so that every class has pixels at every size; an eighth of the labels is ignored.
    labels = F.interpolate(randn(2, classes, 4, 5), picture, mode="bilinear").argmax(1)
    x["labels"] = torch.where(torch.rand(2, *picture, generator=g) < 0.125, IGNORED, labels)
    out.update({f"{group}/{k}": v for k, v in x.items()})
    for method in chosen:
        weights = METHODS[method]
        key = f"{group}/{method.__name__}"
        p = parameters(method, randn)
        wrt = {k: x[k].clone().requires_grad_() for k in ("student_shallow", "student_deep", "student_logits")}
        trained = {k: v.clone().requires_grad_() for k, v in p.items()}
        terms = method(x | wrt, trained)
        total = sum(w * t for w, t in zip(weights.values(), terms, strict=True))
        leaves = [*wrt.values(), *trained.values()]
        grads = torch.autograd.grad(total, leaves, allow_unused=True)
        for name, term in zip(weights, terms):
            out[f"{key}/term/{name}"] = term
        out.update({f"{key}/grad/{k}": v for k, v in zip(wrt, grads) if v is not None})
        out.update({f"{key}/parameters/{k}": v for k, v in p.items()})
        out.update({f"{key}/grad_parameters/{k}": v for k, v in zip(trained, grads[len(wrt):])})
        if method is not skd:
            check(method, weights, x, wrt, trained, grads, randn, key)


def check(method, weights, x, wrt, trained, grads, randn, key):
    """Central differences along a random direction of everything that has a gradient."""
    direction = [randn(*v.shape) for v in [*wrt.values(), *trained.values()]]
    along = sum(float((g * d).sum()) for g, d in zip(grads, direction) if g is not None)

    def at_step(step):
        moved = [v.detach() + step * d for v, d in zip([*wrt.values(), *trained.values()], direction)]
        terms = method(x | dict(zip(wrt, moved)), dict(zip(trained, moved[len(wrt):])))
        return float(sum(w * t for w, t in zip(weights.values(), terms)))

    difference = (at_step(1e-6) - at_step(-1e-6)) / 2e-6
    if abs(difference - along) > 1e-5 * max(abs(along), 1e-3):
        raise ValueError(f"{key}: derivative {along}, difference {difference}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    out = {}
    make("same_size", 4, ((8, 10), (8, 10)), out, 21, (8, 10), METHODS)
    make("other_size", 3, ((6, 7), (4, 5)), out, 22, (16, 20), METHODS)
    # Those that look at classes; dist and logit_std are degenerate with two.
    make("two_classes", 2, ((8, 10), (8, 10)), out, 23, (8, 10), (kd, kd_zoo, skd, ifvd, emkd, cwd, dkd))
    write("baselines.safetensors", out, layout="NCHW", ignore_index=IGNORED)
