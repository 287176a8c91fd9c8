"""Writes adversarial_parameters.safetensors and adversarial_expected.safetensors: the discriminator and its losses.

    python tests/golden/make_adversarial.py            # --check: also the penalty's gradient by central differences

The formulas are those at the heads of models/discriminator.h, engine/nn/spectral_conv.h and distill/adversarial.h, written
here a second time with torch.autograd in float64. See README.md for the keys.
"""

import sys

import torch
import torch.nn.functional as F

from golden_file import rounded, write
from reference_models import scaled

BASE, WIDTH, CLASSES, EPS = (64, 128, 256, 512), 0.0625, 2, 1e-12


def normalise(a):
    return a / (a.norm() + EPS)


class SpectralConv(torch.nn.Module):
    def __init__(self, inside, out):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(out, inside, 4, 4))
        self.bias = torch.nn.Parameter(torch.empty(out))
        self.register_buffer("u", torch.empty(out))

    def forward(self, x):
        w = self.weight.flatten(1)
        with torch.no_grad():
            v = normalise(w.t() @ self.u)
            self.u = normalise(w @ v)
        return F.conv2d(x, self.weight / (self.u @ (w @ v)), self.bias, stride=2, padding=1)


class SelfAttention(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.query, self.key, self.value = (torch.nn.Conv2d(c, k, 1) for k in (c // 8, c // 8, c))
        self.gamma = torch.nn.Parameter(torch.empty(1))

    def forward(self, x):
        q, k, v = (f(x).flatten(2) for f in (self.query, self.key, self.value))
        attention = torch.softmax(q.transpose(1, 2) @ k, dim=-1)  # (n, i, j)
        return self.gamma * (v @ attention.transpose(1, 2)).reshape(x.shape) + x


class Discriminator(torch.nn.Module):
    def __init__(self, channels, width=1.0, preprocess="tanh"):
        super().__init__()
        c = [scaled(b, width) for b in BASE]
        self.preprocess = preprocess
        if preprocess == "batch_norm":
            self.norm = torch.nn.BatchNorm2d(channels, track_running_stats=False)
        self.layer1, self.layer2 = SpectralConv(channels, c[0]), SpectralConv(c[0], c[1])
        self.layer3, self.layer4 = SpectralConv(c[1], c[2]), SpectralConv(c[2], c[3])
        self.attention1, self.attention2 = SelfAttention(c[2]), SelfAttention(c[3])
        self.last = torch.nn.Conv2d(c[3], 1, 4)

    def forward(self, x):
        x = torch.tanh(x) if self.preprocess == "tanh" else self.norm(x)
        x = F.leaky_relu(self.layer2(F.leaky_relu(self.layer1(x), 0.1)), 0.1)
        x = self.attention1(F.leaky_relu(self.layer3(x), 0.1))
        return self.last(self.attention2(F.leaky_relu(self.layer4(x), 0.1)))


def penalty(net, teacher, student, alpha):
    """mean over pictures of (|d sum of scores / d x| - 1)^2 at x between teacher and student."""
    x = (alpha * teacher + (1 - alpha) * student).detach().requires_grad_()
    g = torch.autograd.grad(net(x).sum(), x, create_graph=True)[0]
    return ((g.flatten(1).norm(dim=1) - 1) ** 2).mean()


def discriminator_loss(net, teacher, student, alpha, kind, factor=10.0):
    """(loss, mean score of the teacher, of the student, penalty)."""
    real, fake = net(teacher), net(student)
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean(), real.mean(), fake.mean(), None
    p = penalty(net, teacher, student, alpha)
    return fake.mean() - real.mean() + factor * p, real.mean(), fake.mean(), p


def fill(net, generator):
    for name, p in list(net.named_parameters()) + list(net.named_buffers()):
        draw = torch.randn(p.shape, generator=generator, dtype=torch.float64)
        if name.endswith(".u"):
            p.data = rounded(normalise(draw))
        elif name.endswith("gamma"):
            p.data = rounded(draw * 0 + 0.7)
        elif name.startswith("last"):
            p.data = rounded(draw * 0.25)
        elif name == "norm.weight":
            p.data = rounded(1 + 0.2 * draw)
        else:
            p.data = rounded(draw * (2 / max(1, p[0].numel())) ** 0.5 if p.dim() > 1 else 0.1 * draw)


def state(net):
    return {k: v.clone() for k, v in net.state_dict().items()}


def gradients(net, loss):
    names = [n for n, _ in net.named_parameters()]
    return dict(zip(names, torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)))


def check(net, teacher, student, alpha, start):
    """The penalty's gradient along random directions, parameter by parameter, u and v held where the derivative has them."""
    def value():
        net.load_state_dict(start)
        return penalty(net, teacher, student, alpha)

    for _ in range(3000):  # where u and v are singular vectors, sigma does not change with them
        net(teacher[:1])
    start = state(net)
    exact = gradients(net, value())
    for name, p in net.named_parameters():
        if exact[name] is None:
            continue
        d, h = torch.randn_like(p), 1e-6
        sides = []
        for sign in (1, -1):
            start[name] = start[name] + sign * h * d
            sides.append(value().item())
            start[name] = start[name] - sign * h * d
        found, wanted = (sides[0] - sides[1]) / (2 * h), (exact[name] * d).sum().item()
        print(f"{name:<24}{wanted:>14.6e}{abs(found - wanted) / (abs(wanted) + 1e-12):>10.1e}")


def main():
    generator = torch.Generator().manual_seed(5)
    torch.set_default_dtype(torch.float64)
    for classes, count in ((2, 3_174_275), (9, 3_181_443)):
        assert sum(p.numel() for p in Discriminator(classes).parameters()) == count
    draw = lambda *shape: rounded(1.5 * torch.randn(*shape, generator=generator))
    teacher, student, image = draw(2, CLASSES, 64, 80), draw(2, CLASSES, 64, 80), draw(2, 1, 64, 80)
    alpha = rounded(torch.rand(2, 1, 1, 1, generator=generator))

    net = Discriminator(CLASSES, WIDTH)
    fill(net, generator)
    start = state(net)
    inputs = {"teacher": teacher, "student": student, "alpha": alpha} | {f"parameters/{k}": v for k, v in start.items()}
    expected = {"scores_1": net(teacher), "scores_2": net(teacher)}
    expected |= {f"after/{k}": v for k, v in state(net).items() if k.endswith(".u")}

    def restart():
        net.load_state_dict(start)
        return net

    s = student.clone().requires_grad_()
    loss = -restart()(s).mean()
    expected |= {"generator/loss": loss, "generator/grad_logits": torch.autograd.grad(loss, s)[0]}
    value = penalty(restart(), teacher, student, alpha)
    expected["penalty/value"] = value
    expected |= {f"penalty/grad/{k}": torch.zeros_like(start[k]) if g is None else g for k, g in gradients(net, value).items()}
    for kind in ("wgan_gp", "hinge"):
        loss, real, fake, p = discriminator_loss(restart(), teacher, student, alpha, kind)
        expected |= {f"{kind}/loss": loss, f"{kind}/teacher": real, f"{kind}/student": fake}
        expected |= {f"{kind}/grad/{k}": g for k, g in gradients(net, loss).items() if kind == "wgan_gp" or k.startswith(("layer1", "attention2", "last"))}

    # Conditional, with batch norm: its first layer and its norm are its own.
    second = Discriminator(CLASSES + 1, WIDTH, "batch_norm")
    fill(second, generator)
    second.load_state_dict({k: v for k, v in start.items() if not k.startswith("layer1")}, strict=False)
    own = {k: v for k, v in state(second).items() if k.startswith(("layer1", "norm"))}
    inputs |= {f"conditional/{k}": v for k, v in own.items()} | {"image": image}
    joined = [torch.cat([image, t], 1) for t in (teacher, student)]
    loss, *_ = discriminator_loss(second, *joined, alpha, "wgan_gp")
    expected["conditional/loss"] = loss
    expected |= {f"conditional/grad/{k}": g for k, g in gradients(second, loss).items() if k.startswith(("layer1", "norm", "attention1"))}

    print(f"penalty {value.item():.4f}, scores {expected['scores_1'].flatten().tolist()}")
    write("adversarial_parameters.safetensors", inputs)
    write("adversarial_expected.safetensors", expected)
    if "--check" in sys.argv:
        check(net, teacher, student, alpha, start)


if __name__ == "__main__":
    main()
