"""Writes ops.safetensors: forward and backward of single operations on small odd sizes.

    python tests/golden/make_ops.py

PyTorch in float64, inputs exact in float32, results stored as float32, NCHW / OIHW / IOHW. Keys are case/x, case/y,
case/dy and case/dx, case/weight and case/dweight, case/bias and case/dbias; the file's metadata says what each case is.
"""

import torch
import torch.nn.functional as F

from golden_file import rounded, write

g = torch.Generator().manual_seed(3)
out, cases = {}, {}


def randn(*shape):
    return rounded(torch.randn(*shape, generator=g, dtype=torch.float64))


def case(name, what, f, x, **parameters):
    """f(x, **parameters) is differentiated for a random upstream gradient."""
    cases[name] = what
    leaves = {"x": x, **{k: v for k, v in parameters.items() if v is not None}}
    leaves = {k: v.clone().requires_grad_() for k, v in leaves.items()}
    y = f(*leaves.values())
    dy = randn(*y.shape)
    grads = torch.autograd.grad(y, list(leaves.values()), dy)
    out.update({f"{name}/{k}": v for k, v in leaves.items()})
    out.update({f"{name}/d{k}": v for k, v in zip(leaves, grads)})
    out.update({f"{name}/y": y, f"{name}/dy": dy})


def convolutions():
    def conv(name, c_in, c_out, kernel, size, bias=False, groups=1, **o):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        case(name, f"conv2d, kernel {kernel}, groups {groups}, {o}, {'bias' if bias else 'no bias'}",
             lambda x, w, b=None: F.conv2d(x, w, b, groups=groups, **o), randn(2, c_in, *size),
             weight=randn(c_out, c_in // groups, *kernel), bias=randn(c_out) if bias else None)

    conv("conv_1x1", 5, 3, 1, (7, 9))
    conv("conv_1x1_bias", 3, 5, 1, (5, 4), bias=True)
    conv("conv_3x3", 5, 7, 3, (9, 7), padding=1)
    conv("conv_3x3_stride2", 3, 5, 3, (9, 8), padding=1, stride=2)
    conv("conv_3x3_one_channel", 1, 4, 3, (6, 8), padding=1, stride=2)
    conv("conv_5x5_bias", 4, 3, 5, (8, 7), bias=True, padding=2)
    conv("conv_1x3", 4, 5, (1, 3), (1, 9), padding=(0, 1))
    conv("conv_3x1", 4, 5, (3, 1), (9, 1), padding=(1, 0))
    conv("conv_4x4_stride2_bias", 3, 6, 4, (10, 8), bias=True, padding=1, stride=2)
    conv("conv_3x3_dilation2", 3, 4, 3, (9, 11), padding=2, dilation=2)
    conv("conv_3x3_dilation4", 3, 4, 3, (9, 11), padding=4, dilation=4)
    conv("conv_3x1_dilation2_bias", 4, 4, (3, 1), (9, 5), bias=True, padding=(2, 0), dilation=(2, 1))
    conv("depthwise_3x3", 7, 7, 3, (9, 7), groups=7, padding=1)
    conv("depthwise_3x3_stride2", 6, 6, 3, (9, 8), groups=6, padding=1, stride=2)

    def transposed(name, c_in, c_out, kernel, size, bias=True, **o):
        case(name, f"conv_transpose2d, kernel {kernel}, {o}, {'bias' if bias else 'no bias'}",
             lambda x, w, b=None: F.conv_transpose2d(x, w, b, **o), randn(2, c_in, *size),
             weight=randn(c_in, c_out, kernel, kernel), bias=randn(c_out) if bias else None)

    transposed("transposed_2x2_stride2", 6, 3, 2, (4, 5), stride=2)
    transposed("transposed_4x4_stride2", 5, 3, 4, (4, 3), stride=2, padding=1)
    transposed("transposed_3x3_stride1", 4, 3, 3, (5, 6), padding=1)
    transposed("transposed_3x3_stride2_output1", 4, 3, 3, (4, 5), bias=False, stride=2, padding=1, output_padding=1)


def batch_norms():
    acts = {"none": lambda t: t, "relu": F.relu, "relu6": F.relu6, "leaky_relu": lambda t: F.leaky_relu(t, 0.1)}

    def norm(name, x, training, act="none", residual=None, gain=1.0):
        c = x.shape[1]
        mean, var = randn(c), rounded(0.5 + torch.rand(c, generator=g, dtype=torch.float64))
        weight, bias = rounded(gain * (0.5 + torch.rand(c, generator=g, dtype=torch.float64))), randn(c)
        new_mean, new_var = mean.clone(), var.clone()

        def f(x, w, b, r=None):
            y = F.batch_norm(x, new_mean, new_var, w, b, training, 0.1, 1e-5)
            return acts[act](y if r is None else y + r)

        case(name, f"batch norm, {'training' if training else 'evaluation'}, eps 1e-5, momentum 0.1, activation {act}"
             + (" (slope 0.1)" if act == "leaky_relu" else "") + (", residual added before it" if residual is not None else ""),
             f, x, weight=weight, bias=bias, residual=residual)
        out.update({f"{name}/running_mean": mean, f"{name}/running_var": var})
        if training:
            out.update({f"{name}/new_running_mean": new_mean, f"{name}/new_running_var": new_var})

    norm("batch_norm_train", randn(3, 5, 4, 7), True)
    norm("batch_norm_eval", randn(3, 5, 4, 7), False)
    offset = rounded(100 + randn(3, 4, 5, 5))
    norm("batch_norm_train_offset", offset, True)
    norm("batch_norm_train_relu", randn(2, 5, 3, 5), True, "relu")
    norm("batch_norm_train_relu6", randn(2, 5, 3, 5), True, "relu6", gain=4.0)
    norm("batch_norm_train_leaky", randn(2, 5, 3, 5), True, "leaky_relu")
    norm("batch_norm_train_relu_residual", randn(2, 5, 3, 5), True, "relu", residual=randn(2, 5, 3, 5))
    norm("batch_norm_eval_relu_residual", randn(2, 5, 3, 5), False, "relu", residual=randn(2, 5, 3, 5))
    norm("batch_norm_train_1x1", randn(4, 3, 1, 1), True)


def resizes():
    for label, size, target in (("up", (5, 7), (11, 9)), ("down", (11, 9), (4, 5)), ("double", (4, 5), (8, 10)), ("from_row", (1, 7), (6, 7)), ("to_one", (5, 7), (1, 1))):
        case(f"resize_bilinear_{label}", f"bilinear {size} to {target}, align_corners=False",
             lambda x: F.interpolate(x, size=target, mode="bilinear", align_corners=False), randn(2, 3, *size))
        case(f"resize_corners_{label}", f"bilinear {size} to {target}, align_corners=True",
             lambda x: F.interpolate(x, size=target, mode="bilinear", align_corners=True), randn(2, 3, *size))
        case(f"resize_nearest_{label}", f"nearest {size} to {target}",
             lambda x: F.interpolate(x, size=target, mode="nearest"), randn(2, 3, *size))


def pools():
    case("max_pool_2x2", "max pool 2x2 stride 2", lambda x: F.max_pool2d(x, 2), randn(2, 3, 6, 8))
    case("max_pool_2x2_odd", "max pool 2x2 stride 2, last row and column unused", lambda x: F.max_pool2d(x, 2), randn(2, 3, 7, 9))
    case("max_pool_3x3", "max pool 3x3 stride 2 padding 1", lambda x: F.max_pool2d(x, 3, 2, 1), randn(2, 3, 8, 7))
    case("max_pool_3x3_no_padding", "max pool 3x3 stride 2", lambda x: F.max_pool2d(x, 3, 2), randn(2, 3, 8, 7))
    for size, target in (((8, 7), (3, 3)), ((8, 7), (6, 6)), ((7, 10), (12, 18)), ((6, 5), (1, 5)), ((6, 5), (6, 1)), ((6, 5), (1, 1))):
        name = f"adaptive_avg_pool_{size[0]}x{size[1]}_to_{target[0]}x{target[1]}"
        case(name, f"adaptive average pool {size} to {target}", lambda x: F.adaptive_avg_pool2d(x, target), randn(2, 3, *size))


def activations():
    x = lambda: randn(2, 5, 3, 7)
    case("prelu_scalar", "PReLU with one slope", lambda x, w: F.prelu(x, w), x(), weight=rounded(torch.tensor([0.25], dtype=torch.float64)))
    case("prelu_channels", "PReLU with a slope per channel", lambda x, w: F.prelu(x, w), x(), weight=randn(5))
    case("relu", "ReLU", F.relu, x())
    case("leaky_relu", "LeakyReLU, slope 0.1", lambda x: F.leaky_relu(x, 0.1), x())
    case("relu6", "ReLU6", F.relu6, 5 * x())
    case("tanh", "tanh", torch.tanh, x())
    case("sigmoid", "sigmoid", torch.sigmoid, x())
    case("softmax", "softmax over channels", lambda x: torch.softmax(x, 1), x())
    case("softmax_large", "softmax over channels, logits of order 100", lambda x: torch.softmax(x, 1), rounded(100 * x()))
    case("log_softmax", "log softmax over channels", lambda x: torch.log_softmax(x, 1), x())


if __name__ == "__main__":
    torch.set_num_threads(1)
    for group in (convolutions, batch_norms, resizes, pools, activations):
        group()
    write("ops.safetensors", out, layout="NCHW", **cases)
