"""Golden files for tests/engine/safetensors*.cpp and weights.cpp, written by Python's safetensors and PyTorch themselves.

Run with the packages safetensors and torch installed: python safetensors_files.py. Values are fixed, so the bytes are too (the
metadata has one key because the package writes several in no fixed order).
"""

import os

import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))


def dtypes():
    """One tensor of each dtype we read, with the values where conversions go wrong."""
    edges = [0.0, -0.0, 1.0, -2.5, float("inf"), float("-inf"), 65504.0, 6.103515625e-05, 5.960464477539063e-08, 1 / 3]
    tensors = {
        "f64": torch.tensor(edges + [1e300, -1e300, 3.4028235677973366e38], dtype=torch.float64),
        "f32": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 8,
        "f16": torch.tensor(edges, dtype=torch.float16),
        "bf16": torch.tensor(edges, dtype=torch.bfloat16),
        "i64": torch.tensor([0, -1, 2**31 - 1, -(2**31)]),
        "i64 too large": torch.tensor([1, 2**31]),
        "i32": torch.tensor([[1, -2], [3, -4]], dtype=torch.int32),
        "u8": torch.tensor([0, 1, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(7.0),
        "empty": torch.zeros(0, 4),
        'name with "quotes", \\ and é\n': torch.tensor([1.5]),
    }
    save_file(tensors, os.path.join(HERE, "safetensors_dtypes.safetensors"), metadata={"by": 'Python\'s "safetensors"\t☃'})


class Net(torch.nn.Module):
    """Every kind of weight whose order differs between PyTorch and us."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, (2, 5))
        self.bn = torch.nn.BatchNorm2d(4)
        self.depthwise = torch.nn.Conv2d(4, 4, 3, groups=4, bias=False)
        self.up = torch.nn.ConvTranspose2d(4, 2, (3, 2))


def net():
    """state_dict of Net; element i of each tensor, counted in PyTorch's order, is i plus the tensor's place in the list."""
    state = Net().state_dict()
    for place, (name, t) in enumerate(state.items()):
        state[name] = (torch.arange(t.numel()) + 1000 * place).reshape(t.shape).to(t.dtype)
    save_file(state, os.path.join(HERE, "safetensors_net.safetensors"))
    print(list(state))


dtypes()
net()
