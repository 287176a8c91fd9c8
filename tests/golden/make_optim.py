"""Writes optim.safetensors: ten steps of every optimiser on a small vector with given gradients, and schedule values.

    python tests/golden/make_optim.py

torch.optim in float64. See README.md for the keys.
"""

import json

import torch

from golden_file import rounded, write

STEPS, SIZE = 10, 7
CASES = {
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.05, momentum=0.9)),
    "sgd_momentum_decay": (torch.optim.SGD, dict(lr=0.05, momentum=0.9, weight_decay=2e-2)),
    "sgd_nesterov": (torch.optim.SGD, dict(lr=0.05, momentum=0.9, weight_decay=2e-2, nesterov=True)),
    "adam": (torch.optim.Adam, dict(lr=0.01, betas=(0.9, 0.999), eps=1e-8)),
    "adam_decay": (torch.optim.Adam, dict(lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=2e-2)),
    "adam_beta2_0.99": (torch.optim.Adam, dict(lr=0.01, betas=(0.9, 0.99), eps=1e-8)),
    "adamw": (torch.optim.AdamW, dict(lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)),
}


def poly(base, step, total, power=0.9):
    """lr of step 1..total: base * (1 - step / total) ** power."""
    return base * (1 - step / total) ** power


def gastric(epoch):
    return 3e-3 if epoch <= 50 else 3e-4 if epoch <= 100 else 3e-5 if epoch <= 150 else 3e-6


def main():
    g = torch.Generator().manual_seed(5)
    start = rounded(torch.randn(SIZE, generator=g, dtype=torch.float64))
    gradients = rounded(torch.randn(STEPS, SIZE, generator=g, dtype=torch.float64))
    gradients[:, 5] = 0  # a gradient that stays zero
    gradients[:, 6] = rounded(gradients[:, 6] * 1e-7)  # one of the size of Adam's eps
    out = {"start": start, "gradients": gradients}
    for name, (build, options) in CASES.items():
        for schedule in ("", "_poly"):
            p = torch.nn.Parameter(start.clone())
            optimiser = build([p], **options)
            trace = []
            for step in range(STEPS):
                if schedule:
                    optimiser.param_groups[0]["lr"] = poly(options["lr"], step + 1, STEPS + 1)
                p.grad = gradients[step].clone()
                optimiser.step()
                trace.append(p.detach().clone())
            out[f"{name}{schedule}/parameters"] = torch.stack(trace)
    steps = torch.arange(0, 41, dtype=torch.float64)
    out["schedule/poly"] = torch.tensor([poly(1e-3, s, 40) for s in steps.tolist()], dtype=torch.float64)
    out["schedule/stepped"] = torch.tensor([gastric(e) for e in range(1, 201)], dtype=torch.float64)
    write("optim.safetensors", out, **{k: json.dumps(o) for k, (_, o) in CASES.items()},
          schedule_poly="1e-3 * (1 - step / 40) ** 0.9, step 0..40",
          schedule_stepped="epoch 1..200: 3e-3 to 50, 3e-4 to 100, 3e-5 to 150, then 3e-6",
          poly_cases="step s of 10 uses lr * (1 - s / 11) ** 0.9")


if __name__ == "__main__":
    main()
