"""The networks and the paraphraser in PyTorch: an independent second writing of models/ and distill/paraphraser.

The C++ engine is compared with these modules (make_models.py) and raced against them (tests/bench). They follow
method.md sections 5.1, 5.2 and 2 layer for layer. Parts of the released FANet that never reach its output (an
auxiliary head and three scalars) are left out.

Names
-----
A parameter is addressed by the path of modules that leads to it, then weight, bias, running_mean or running_var.
Engine and reference use the same names; `python reference_models.py --names` prints all of them with their shapes
(parameter_names.txt is that output). Two words recur:

  Pair   X.conv.weight (no bias), X.bn.{weight,bias,running_mean,running_var}: convolution, then batch norm
  BN     X.{weight,bias,running_mean,running_var}                            : batch norm alone

FANet (teacher)
  encoder1 .. encoder4                     DoubleConv: block1 (SKBlock with projection), block2 (SKBlock, identity)
  up7 decoder7 strip7                      transposed convolution 2x2 s2 (weight, bias); DoubleConv; StripPooling(3, 6)
  up8 decoder8 strip8                      the same one level up; StripPooling(12, 18)
  up9 decoder9 strip9                      the same one level up; StripPooling2(3, 6)
  classifier                               1x1 (weight, bias), after Dropout2d
  SKBlock      conv_in (1x1), bn_in, sk, bn_sk, conv_out (1x1), bn_out, and with projection shortcut (1x1), bn_shortcut
  sk           conv5 (5x5, bias), bn5, conv3 (3x3, bias), bn3, squeeze (1x1, bias), bn_squeeze,
               attend5 (1x1, bias), attend3 (1x1, bias)
  StripPooling Pairs in1, in2 (1x1), local (3x3), pool1, pool2 (3x3), horizontal (1x3), vertical (3x1),
               out1, out2 (3x3), out (1x1)
  Concatenations put the upsampled map first: cat(up7, encoder3). Taps: encoder3's output, up7's output.

Mobile U-Net (student)
  stem                                     Pair 3x3 s2
  block1 .. block17                        InvertedResidual: Pairs expand (1x1, absent in block1), depthwise (3x3), project (1x1)
  last                                     Pair 1x1
  up1 .. up4                               transposed convolution 4x4 s2 p1 (weight, bias)
  merge1 .. merge4                         InvertedResidual
  head1, head2                             1x1 (weight, bias)
  Concatenations put the skip first: cat(block13, up1). Taps: block3's output, merge3's output.

ENet (student)
  initial, bn_initial                      3x3 s2 (no bias), behind whose channels the pooled picture stands; BN with slope
  down1 stage1 down2 stage2 stage3         Down; Stage: block1, block2, ... (Regular)
  up4 stage4 up5 stage5                    Up; Stage
  head                                     transposed convolution 3x3 s2 p1 op1 (no bias)
  Regular      Pairs reduce (1x1), column (5x1, where asymmetric), middle (3x3 or 1x5), expand (1x1), out
  Down         Pairs reduce (2x2 s2), middle (3x3), expand (1x1), out
  Up           Pairs main, reduce (1x1), transposed convolution up 2x2 s2 (no bias), BN bn_up, Pair expand (1x1)
  In the encoder a BN has `slope` besides, the PReLU behind it, and out holds out.prelu.slope.
  Taps: stage1's output, stage4's output.

ERFNet (student)
  down1 down2 encoder2 down3 encoder3      conv (3x3 s2, bias) in front of the pooled map, BN bn; stages block1, block2, ...
  up4 decoder4 up5 decoder5                conv (transposed 3x3 s2 p1 op1, bias), BN bn; stages
  head                                     transposed convolution 2x2 s2 (weight, bias)
  block        column1 (3x1, bias), row1 (1x3, bias), bn1, column2, row2 (dilated), bn2; eps 1e-3
  Taps: down2's output, decoder4's output.

U-Net          encoder1..5, decoder4..1 (Pairs first, second, 3x3), up4..1 (transposed 2x2 s2, bias), classifier (1x1, bias).
  Concatenations put the skip first. Taps: encoder3's output, decoder3's output.

TransUNet R50-ViT-B/16 (teacher)
  root gn_root                             7x7 s2 (standardised, no bias); group norm
  block1 block2 block3                     unit1, unit2, ...: conv1 (1x1), conv2 (3x3), conv3 (1x1), each standardised and
                                           without bias, gn1, gn2, gn3; in unit1 shortcut (1x1) and gn_shortcut
  patches position                         1x1 (weight, bias); [1, tokens, channels]
  layer1 .. layer12                        attention_norm, attention.query, key, value, out (linear), mlp_norm, mlp1, mlp2
  norm                                     layer norm
  bridge                                   Pair 3x3
  up1 .. up4                               Pairs first, second (3x3)
  head                                     3x3 (weight, bias)
  Concatenations put the enlarged map first. Taps: block1's output padded to a quarter, up1's output.

Paraphraser    encoder0..2 (convolution), decoder0..2 (transposed convolution), each 3x3 s1 p1 (weight, bias)

Width
-----
scaled(c, width) = max(1, floor(c * width + 0.5)), for FANet's 64, 128, 256, 512 and for Mobile U-Net's
32, 16, 24, 32, 64, 96, 160, 320, 1280 (no rounding to multiples of eight), for U-Net's 64 to 1024, and for the 16, 64, 128
of ENet and ERFNet, which are raised so that there are channels to append (ENet() and ERFNet() below). Everything else derives from the scaled
numbers: FANet's squeeze max(1, c // 2), StripPooling2's pool1 and pool2 max(1, c // 2) (so out1 reads c + 2 * (c // 2)
channels), hidden channels of an inverted residual 6 * c_in. TransUNet scales its 64: the root has that many channels, every
convolution a multiple, each of the 12 heads that many. The 3 channels between head1 and head2 are not scaled.
"""

import math
import sys

import torch
import torch.nn.functional as F
from torch import nn


def scaled(channels, width):
    return max(1, math.floor(channels * width + 0.5))


class Pair(nn.Module):
    """Convolution without bias, then batch norm."""

    def __init__(self, c_in, c_out, kernel, stride=1, groups=1):
        super().__init__()
        kh, kw = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.conv = nn.Conv2d(c_in, c_out, (kh, kw), stride, (kh // 2, kw // 2), groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c_out)

    def forward(self, x):
        return self.bn(self.conv(x))


# ------------------------------------------------------------------------------------------------------------ FANet


class SKConv(nn.Module):
    """Selective kernel: a 5x5 and a 3x3 branch, mixed per channel by a softmax over the two."""

    def __init__(self, c):
        super().__init__()
        s = max(1, c // 2)
        self.conv5, self.bn5 = nn.Conv2d(c, c, 5, padding=2), nn.BatchNorm2d(c)
        self.conv3, self.bn3 = nn.Conv2d(c, c, 3, padding=1), nn.BatchNorm2d(c)
        self.squeeze, self.bn_squeeze = nn.Conv2d(c, s, 1), nn.BatchNorm2d(s)
        self.attend5, self.attend3 = nn.Conv2d(s, c, 1), nn.Conv2d(s, c, 1)

    def forward(self, x):
        a = F.relu(self.bn5(self.conv5(x)))
        b = F.relu(self.bn3(self.conv3(x)))
        s = (a + b).mean((2, 3), keepdim=True)
        z = F.relu(self.bn_squeeze(self.squeeze(s)))
        w = torch.softmax(torch.stack([self.attend5(z), self.attend3(z)]), 0)
        return w[0] * a + w[1] * b


class SKBlock(nn.Module):
    def __init__(self, c_in, c_out, projection):
        super().__init__()
        self.conv_in, self.bn_in = nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out)
        self.sk, self.bn_sk = SKConv(c_out), nn.BatchNorm2d(c_out)
        self.conv_out, self.bn_out = nn.Conv2d(c_out, c_out, 1, bias=False), nn.BatchNorm2d(c_out)
        self.projection = projection
        if projection:
            self.shortcut, self.bn_shortcut = nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out)

    def forward(self, x):
        y = F.relu(self.bn_in(self.conv_in(x)))
        y = F.relu(self.bn_sk(self.sk(y)))
        y = self.bn_out(self.conv_out(y))
        return F.relu(y + (self.bn_shortcut(self.shortcut(x)) if self.projection else x))


class DoubleConv(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.block1 = SKBlock(c_in, c_out, True)
        self.block2 = SKBlock(c_out, c_out, False)

    def forward(self, x):
        return self.block2(self.block1(x))


class StripPooling(nn.Module):
    """Context from two square grids and from whole rows and columns. `concat` is the variant at the output (StripPooling2)."""

    def __init__(self, c, sizes, concat=False):
        super().__init__()
        half = max(1, c // 2)
        self.sizes, self.concat = sizes, concat
        self.in1, self.in2 = Pair(c, c, 1), Pair(c, c, 1)
        self.local = Pair(c, c, 3)
        self.pool1 = Pair(c, half if concat else c, 3)
        self.pool2 = Pair(c, half if concat else c, 3)
        self.horizontal, self.vertical = Pair(c, c, (1, 3)), Pair(c, c, (3, 1))
        self.out1 = Pair(c + 2 * half if concat else c, c, 3)
        self.out2 = Pair(c, c, 3)
        self.out = Pair(2 * c, c, 1)

    def forward(self, x):
        h, w = x.shape[2:]
        up = lambda t: F.interpolate(t, size=(h, w), mode="nearest")
        x1, x2 = F.relu(self.in1(x)), F.relu(self.in2(x))
        grids = [self.local(x1)] + [
            up(pair(F.adaptive_avg_pool2d(x1, size))) for pair, size in zip((self.pool1, self.pool2), self.sizes)
        ]
        strips = up(self.horizontal(x2.mean(2, keepdim=True))) + up(self.vertical(x2.mean(3, keepdim=True)))
        y1 = F.relu(self.out1(F.relu(torch.cat(grids, 1) if self.concat else grids[0] + grids[1] + grids[2])))
        y2 = F.relu(self.out2(F.relu(strips)))
        if self.concat:
            y2 = x * y2
        return F.relu(x + self.out(torch.cat([y1, y2], 1)))


class FANet(nn.Module):
    stride = 8

    def __init__(self, in_channels=1, classes=2, width=1.0, dropout=0.5):
        super().__init__()
        c1, c2, c3, c4 = (scaled(c, width) for c in (64, 128, 256, 512))
        self.tap_channels = c3
        self.dropout = dropout
        self.encoder1 = DoubleConv(in_channels, c1)
        self.encoder2 = DoubleConv(c1, c2)
        self.encoder3 = DoubleConv(c2, c3)
        self.encoder4 = DoubleConv(c3, c4)
        self.up7 = nn.ConvTranspose2d(c4, c3, 2, stride=2)
        self.decoder7, self.strip7 = DoubleConv(2 * c3, c3), StripPooling(c3, (3, 6))
        self.up8 = nn.ConvTranspose2d(c3, c2, 2, stride=2)
        self.decoder8, self.strip8 = DoubleConv(2 * c2, c2), StripPooling(c2, (12, 18))
        self.up9 = nn.ConvTranspose2d(c2, c1, 2, stride=2)
        self.decoder9, self.strip9 = DoubleConv(2 * c1, c1), StripPooling(c1, (3, 6), concat=True)
        self.classifier = nn.Conv2d(c1, classes, 1)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.xavier_uniform_(m.weight)  # biases and transposed convolutions keep PyTorch's default

    def forward(self, x):
        """Returns (shallow tap, deep tap, logits)."""
        e1 = self.encoder1(x)
        e2 = self.encoder2(F.max_pool2d(e1, 2))
        e3 = self.encoder3(F.max_pool2d(e2, 2))
        e4 = self.encoder4(F.max_pool2d(e3, 2))
        u7 = self.up7(e4)
        d7 = self.strip7(self.decoder7(torch.cat([u7, e3], 1)))
        d8 = self.strip8(self.decoder8(torch.cat([self.up8(d7), e2], 1)))
        d9 = self.strip9(self.decoder9(torch.cat([self.up9(d8), e1], 1)))
        return e3, u7, self.classifier(F.dropout2d(d9, self.dropout, self.training))


# ----------------------------------------------------------------------------------------------------- Mobile U-Net


class InvertedResidual(nn.Module):
    def __init__(self, c_in, c_out, stride=1, expansion=6):
        super().__init__()
        hidden = c_in * expansion
        self.expand = Pair(c_in, hidden, 1) if expansion != 1 else None
        self.depthwise = Pair(hidden, hidden, 3, stride, groups=hidden)
        self.project = Pair(hidden, c_out, 1)
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x):
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class MobileUNet(nn.Module):
    stride = 32
    # expansion, channels, blocks, stride of the first block
    settings = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]

    def __init__(self, in_channels=1, classes=2, width=1.0):
        super().__init__()
        s = lambda c: scaled(c, width)
        self.stem = Pair(in_channels, s(32), 3, 2)
        c, index = s(32), 0
        for expansion, channels, blocks, stride in self.settings:
            for i in range(blocks):
                index += 1
                block = InvertedResidual(c, s(channels), stride if i == 0 else 1, expansion)
                setattr(self, f"block{index}", block)
                c = s(channels)
        self.last = Pair(c, s(1280), 1)
        c = s(1280)
        for i, channels in enumerate((96, 32, 24, 16), 1):
            setattr(self, f"up{i}", nn.ConvTranspose2d(c, s(channels), 4, stride=2, padding=1))
            setattr(self, f"merge{i}", InvertedResidual(2 * s(channels), s(channels)))
            c = s(channels)
        self.head1 = nn.Conv2d(c, 3, 1)
        self.head2 = nn.Conv2d(3, classes, 1)
        self.tap_channels = s(24)
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(m.weight, 0, math.sqrt(2 / (m.kernel_size[0] * m.kernel_size[1] * m.out_channels)))
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x):
        """Returns (shallow tap, deep tap, logits)."""
        x = F.relu6(self.stem(x))
        skips = {}
        for i in range(1, 18):
            x = getattr(self, f"block{i}")(x)
            if i in (1, 3, 6, 13):
                skips[i] = x
        x = F.relu6(self.last(x))
        deep = None
        for i, skip in enumerate((13, 6, 3, 1), 1):
            x = getattr(self, f"merge{i}")(torch.cat([skips[skip], getattr(self, f"up{i}")(x)], 1))
            if i == 3:
                deep = x
        x = self.head2(self.head1(x))
        return skips[3], deep, F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


# ------------------------------------------------------------------------------------------------------------- ENet


class NormPReLU(nn.BatchNorm2d):
    """Batch norm, then PReLU with one slope for all channels."""

    def __init__(self, c):
        super().__init__(c)
        self.slope = nn.Parameter(torch.full((1,), 0.25))

    def forward(self, x):
        return F.prelu(super().forward(x), self.slope)


class NormReLU(nn.BatchNorm2d):
    def forward(self, x):
        return F.relu(super().forward(x))


class PReLU(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.full((1,), 0.25))

    def forward(self, x):
        return F.prelu(x, self.slope)


class Activation(nn.Module):
    """What follows a sum in ENet: PReLU in the encoder, ReLU in the decoder."""

    def __init__(self, encoder):
        super().__init__()
        self.prelu = PReLU() if encoder else None

    def forward(self, x):
        return F.relu(x) if self.prelu is None else self.prelu(x)


class Act(nn.Module):
    """Convolution without bias, batch norm, activation."""

    def __init__(self, c_in, c_out, kernel, encoder, stride=1, dilation=1):
        super().__init__()
        kh, kw = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (dilation * (kh - 1) // 2, dilation * (kw - 1) // 2)
        self.conv = nn.Conv2d(c_in, c_out, (kh, kw), stride, padding, dilation, bias=False)
        self.bn = NormPReLU(c_out) if encoder else NormReLU(c_out)

    def forward(self, x):
        return self.bn(self.conv(x))


class Regular(nn.Module):
    def __init__(self, c, encoder, dropout, dilation=1, asymmetric=False):
        super().__init__()
        q = max(1, c // 4)
        self.dropout = dropout
        self.reduce = Act(c, q, 1, encoder)
        self.column = Act(q, q, (5, 1), encoder) if asymmetric else None
        self.middle = Act(q, q, (1, 5) if asymmetric else 3, encoder, dilation=dilation)
        self.expand = Act(q, c, 1, encoder)
        self.out = Activation(encoder)

    def forward(self, x):
        y = self.reduce(x)
        if self.column is not None:
            y = self.column(y)
        return self.out(x + F.dropout2d(self.expand(self.middle(y)), self.dropout, self.training))


class Down(nn.Module):
    def __init__(self, c_in, c_out, dropout):
        super().__init__()
        q = max(1, c_in // 4)
        self.dropout = dropout
        self.reduce, self.middle, self.expand = Act(c_in, q, 2, True, stride=2), Act(q, q, 3, True), Act(q, c_out, 1, True)
        self.out = Activation(True)

    def forward(self, x):
        main, indices = F.max_pool2d(x, 2, return_indices=True)
        y = F.dropout2d(self.expand(self.middle(self.reduce(x))), self.dropout, self.training)
        return self.out(F.pad(main, (0, 0, 0, 0, 0, y.shape[1] - main.shape[1])) + y), indices


class Up(nn.Module):
    def __init__(self, c_in, c_out, dropout):
        super().__init__()
        q = max(1, c_in // 4)
        self.dropout = dropout
        self.main, self.reduce = Pair(c_in, c_out, 1), Act(c_in, q, 1, False)
        self.up, self.bn_up = nn.ConvTranspose2d(q, q, 2, stride=2, bias=False), NormReLU(q)
        self.expand = Pair(q, c_out, 1)

    def forward(self, x, indices):
        y = F.dropout2d(self.expand(self.bn_up(self.up(self.reduce(x)))), self.dropout, self.training)
        return F.relu(F.max_unpool2d(self.main(x), indices, 2) + y)


class Stage(nn.Sequential):
    def __init__(self, c, encoder, dropout, kinds):
        super().__init__()
        for i, kind in enumerate(kinds, 1):
            self.add_module(f"block{i}", Regular(c, encoder, dropout, **kind))


class ENet(nn.Module):
    stride = 8

    def __init__(self, in_channels=1, classes=2, width=1.0, dropout=None):
        super().__init__()
        early, late = (0.01, 0.1) if dropout is None else (dropout, dropout)
        c0 = max(scaled(16, width), in_channels + 1)
        c1 = max(scaled(64, width), c0)
        c2 = max(scaled(128, width), c1)
        deep = [{}, {"dilation": 2}, {"asymmetric": True}, {"dilation": 4}]
        deep += [{}, {"dilation": 8}, {"asymmetric": True}, {"dilation": 16}]
        self.initial = nn.Conv2d(in_channels, c0 - in_channels, 3, stride=2, padding=1, bias=False)
        self.bn_initial = NormPReLU(c0)
        self.down1, self.stage1 = Down(c0, c1, early), Stage(c1, True, early, [{}] * 4)
        self.down2, self.stage2 = Down(c1, c2, late), Stage(c2, True, late, deep)
        self.stage3 = Stage(c2, True, late, deep)
        self.up4, self.stage4 = Up(c2, c1, late), Stage(c1, False, late, [{}] * 2)
        self.up5, self.stage5 = Up(c1, c0, late), Stage(c0, False, late, [{}])
        self.head = nn.ConvTranspose2d(c0, classes, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.tap_channels = c1

    def forward(self, x):
        """Returns (shallow tap, deep tap, logits)."""
        y = self.bn_initial(torch.cat([self.initial(x), F.max_pool2d(x, 3, 2, 1)], 1))
        y, indices1 = self.down1(y)
        shallow = self.stage1(y)
        y, indices2 = self.down2(shallow)
        deep = self.stage4(self.up4(self.stage3(self.stage2(y)), indices2))
        return shallow, deep, self.head(self.stage5(self.up5(deep, indices1)))


# ----------------------------------------------------------------------------------------------------------- ERFNet


class Norm3(nn.BatchNorm2d):
    """Batch norm with ERFNet's eps."""

    def __init__(self, c):
        super().__init__(c, eps=1e-3)


class ErfDown(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(c_in, c_out - c_in, 3, stride=2, padding=1), Norm3(c_out)

    def forward(self, x):
        return F.relu(self.bn(torch.cat([self.conv(x), F.max_pool2d(x, 2)], 1)))


class NonBottleneck(nn.Module):
    """NB1D: two pairs of 3x1 and 1x3, the second dilated."""

    def __init__(self, c, dropout, dilation):
        super().__init__()
        d = dilation
        self.dropout = dropout
        self.column1, self.row1 = nn.Conv2d(c, c, (3, 1), padding=(1, 0)), nn.Conv2d(c, c, (1, 3), padding=(0, 1))
        self.bn1 = Norm3(c)
        self.column2 = nn.Conv2d(c, c, (3, 1), padding=(d, 0), dilation=(d, 1))
        self.row2 = nn.Conv2d(c, c, (1, 3), padding=(0, d), dilation=(1, d))
        self.bn2 = Norm3(c)

    def forward(self, x):
        y = F.relu(self.bn1(self.row1(F.relu(self.column1(x)))))
        y = self.bn2(self.row2(F.relu(self.column2(y))))
        return F.relu(x + F.dropout2d(y, self.dropout, self.training))


class ErfUp(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv, self.bn = nn.ConvTranspose2d(c_in, c_out, 3, stride=2, padding=1, output_padding=1), Norm3(c_out)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class ErfStage(nn.Sequential):
    def __init__(self, c, dropout, dilations):
        super().__init__()
        for i, dilation in enumerate(dilations, 1):
            self.add_module(f"block{i}", NonBottleneck(c, dropout, dilation))


class ERFNet(nn.Module):
    stride = 8

    def __init__(self, in_channels=1, classes=2, width=1.0, dropout=0.1):
        super().__init__()
        c0 = max(scaled(16, width), in_channels + 1)
        c1 = max(scaled(64, width), c0 + 1)
        c2 = max(scaled(128, width), c1 + 1)
        self.down1, self.down2 = ErfDown(in_channels, c0), ErfDown(c0, c1)
        self.encoder2 = ErfStage(c1, dropout, [1] * 5)
        self.down3, self.encoder3 = ErfDown(c1, c2), ErfStage(c2, dropout, [2, 4, 8, 16] * 2)
        self.up4, self.decoder4 = ErfUp(c2, c1), ErfStage(c1, 0.0, [1] * 2)
        self.up5, self.decoder5 = ErfUp(c1, c0), ErfStage(c0, 0.0, [1] * 2)
        self.head = nn.ConvTranspose2d(c0, classes, 2, stride=2)
        self.tap_channels = c1

    def forward(self, x):
        """Returns (shallow tap, deep tap, logits)."""
        shallow = self.down2(self.down1(x))
        y = self.encoder3(self.down3(self.encoder2(shallow)))
        deep = self.decoder4(self.up4(y))
        return shallow, deep, self.head(self.decoder5(self.up5(deep)))


# ------------------------------------------------------------------------------------------------------------ U-Net


class PlainDouble(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.first, self.second = Pair(c_in, c_out, 3), Pair(c_out, c_out, 3)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))))


class UNet(nn.Module):
    stride = 16

    def __init__(self, in_channels=1, classes=2, width=1.0):
        super().__init__()
        c = [scaled(64 * 2**i, width) for i in range(5)]
        for i in range(5):
            setattr(self, f"encoder{i + 1}", PlainDouble(c[i - 1] if i else in_channels, c[i]))
        for i in range(3, -1, -1):
            setattr(self, f"up{i + 1}", nn.ConvTranspose2d(c[i + 1], c[i], 2, stride=2))
            setattr(self, f"decoder{i + 1}", PlainDouble(2 * c[i], c[i]))
        self.classifier = nn.Conv2d(c[0], classes, 1)
        self.tap_channels = c[2]

    def forward(self, x):
        """Returns (shallow tap, deep tap, logits)."""
        maps = []
        for i in range(1, 6):
            x = getattr(self, f"encoder{i}")(F.max_pool2d(x, 2) if maps else x)
            maps.append(x)
        deep = None
        for i in range(4, 0, -1):
            x = getattr(self, f"decoder{i}")(torch.cat([maps[i - 1], getattr(self, f"up{i}")(x)], 1))
            if i == 3:
                deep = x
        return maps[2], deep, self.classifier(x)


# -------------------------------------------------------------------------------------------------------- TransUNet


class StandardisedConv(nn.Conv2d):
    """Convolution without bias, the weights of every output channel brought to mean 0 and variance 1 first."""

    def __init__(self, c_in, c_out, kernel, stride=1):
        super().__init__(c_in, c_out, kernel, stride, kernel // 2, bias=False)

    def forward(self, x):
        centred = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        w = centred / torch.sqrt((centred**2).mean((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, w, None, self.stride, self.padding)


def group_norm(c):
    return nn.GroupNorm(math.gcd(32, c), c, eps=1e-6)


class PreActBottleneck(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        c = max(1, c_out // 4)
        self.conv1, self.gn1 = StandardisedConv(c_in, c, 1), group_norm(c)
        self.conv2, self.gn2 = StandardisedConv(c, c, 3, stride), group_norm(c)
        self.conv3, self.gn3 = StandardisedConv(c, c_out, 1), group_norm(c_out)
        self.projects = stride != 1 or c_in != c_out
        if self.projects:
            self.shortcut, self.gn_shortcut = StandardisedConv(c_in, c_out, 1, stride), nn.GroupNorm(c_out, c_out)

    def forward(self, x):
        y = F.relu(self.gn1(self.conv1(x)))
        y = F.relu(self.gn2(self.conv2(y)))
        return F.relu(self.gn3(self.conv3(y)) + (self.gn_shortcut(self.shortcut(x)) if self.projects else x))


def residual_stage(c_in, c_out, count, stride):
    units = nn.Sequential()
    for i in range(count):
        units.add_module(f"unit{i + 1}", PreActBottleneck(c_out if i else c_in, c_out, 1 if i else stride))
    return units


class Attention(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(c, c) for _ in range(4))

    def forward(self, x):
        b, t, c = x.shape
        split = lambda y: y.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        weights = torch.softmax(torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(c // self.heads), -1)
        return self.out(torch.einsum("bhij,bhjd->bihd", weights, v).reshape(b, t, c))


class TransformerLayer(nn.Module):
    def __init__(self, c, heads, dropout):
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(c, eps=1e-6), Attention(c, heads)
        self.mlp_norm, self.mlp1, self.mlp2 = nn.LayerNorm(c, eps=1e-6), nn.Linear(c, 4 * c), nn.Linear(4 * c, c)
        self.dropout = dropout

    def forward(self, x):
        drop = lambda y: F.dropout(y, self.dropout, self.training)
        x = x + self.attention(self.attention_norm(x))
        return x + drop(self.mlp2(drop(F.gelu(self.mlp1(self.mlp_norm(x))))))


class TransUNet(nn.Module):
    """Three input channels, or one that is seen three times; pictures of `size`, whose sides are multiples of 16."""

    def __init__(self, in_channels=1, classes=2, width=1.0, size=(224, 224), dropout=0.1):
        super().__init__()
        b = self.base = scaled(64, width)
        c = 12 * b
        self.in_channels, self.size, self.dropout = in_channels, size, dropout
        self.root, self.gn_root = StandardisedConv(3 if in_channels == 1 else in_channels, b, 7, 2), group_norm(b)
        self.block1 = residual_stage(b, 4 * b, 3, 1)
        self.block2 = residual_stage(4 * b, 8 * b, 4, 2)
        self.block3 = residual_stage(8 * b, 16 * b, 9, 2)
        self.patches = nn.Conv2d(16 * b, c, 1)
        self.position = nn.Parameter(torch.zeros(1, size[0] // 16 * (size[1] // 16), c))
        for i in range(12):
            setattr(self, f"layer{i + 1}", TransformerLayer(c, 12, dropout))
        self.norm = nn.LayerNorm(c, eps=1e-6)
        self.bridge = Pair(c, 8 * b, 3)
        self.up1 = PlainDouble(16 * b, 4 * b)
        self.up2 = PlainDouble(8 * b, 2 * b)
        self.up3 = PlainDouble(3 * b, b)
        self.up4 = PlainDouble(b, max(1, b // 4))
        self.head = nn.Conv2d(max(1, b // 4), classes, 3, padding=1)
        self.tap_channels = 4 * b

    def forward(self, x):
        """Returns (shallow tap, deep tap, logits)."""
        h, w = x.shape[2:]
        root = F.relu(self.gn_root(self.root(x.repeat(1, 3, 1, 1) if self.in_channels == 1 else x)))
        block1 = self.block1(F.max_pool2d(root, 3, 2))
        block2 = self.block2(block1)
        tokens = self.patches(self.block3(block2)).flatten(2).transpose(1, 2) + self.position
        tokens = F.dropout(tokens, self.dropout, self.training)
        for i in range(12):
            tokens = getattr(self, f"layer{i + 1}")(tokens)
        y = F.relu(self.bridge(self.norm(tokens).transpose(1, 2).unflatten(2, (h // 16, w // 16))))
        skip1 = F.pad(block1, (0, w // 4 - block1.shape[3], 0, h // 4 - block1.shape[2]))
        deep = None
        for i, skip in enumerate((block2, skip1, root, None)):
            y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=True)
            y = getattr(self, f"up{i + 1}")(y if skip is None else torch.cat([y, skip], 1))
            deep = y if i == 0 else deep
        return skip1, deep, self.head(y)


# ------------------------------------------------------------------------------------------------------ paraphraser


class Paraphraser(nn.Module):
    """Autoencoder over channels: `channels` of a teacher tap to `factors`, the student tap's channels, and back."""

    def __init__(self, channels=256, factors=24):
        super().__init__()
        conv = lambda i, o: nn.Conv2d(i, o, 3, padding=1)
        tconv = lambda i, o: nn.ConvTranspose2d(i, o, 3, padding=1)
        self.encoder0, self.encoder1, self.encoder2 = conv(channels, channels), conv(channels, factors), conv(factors, factors)
        self.decoder0, self.decoder1, self.decoder2 = tconv(factors, factors), tconv(factors, channels), tconv(channels, channels)

    def encode(self, x):
        for layer in (self.encoder0, self.encoder1, self.encoder2):
            x = F.leaky_relu(layer(x), 0.1)
        return x

    def decode(self, x):
        for layer in (self.decoder0, self.decoder1, self.decoder2):
            x = F.leaky_relu(layer(x), 0.1)
        return x

    def forward(self, x):
        return self.decode(self.encode(x))


# ------------------------------------------------------------------------------------------------------------ losses


def soft_dice_loss(logits, labels, ignore_index=None, smooth=1e-5):
    """Softmax, then for every class c (background too) over all pixels of the whole batch
         1 - (2 sum p_c g_c + smooth) / (sum p_c^2 + sum g_c^2 + smooth),   g one-hot; ignored pixels count nowhere;
    the mean over classes."""
    p = torch.softmax(logits, 1)
    keep = torch.ones_like(labels, dtype=torch.bool) if ignore_index is None else labels != ignore_index
    g = F.one_hot(torch.where(keep, labels, 0), logits.shape[1]).permute(0, 3, 1, 2).to(p.dtype)
    p, g = p * keep[:, None], g * keep[:, None]
    sums = lambda t: t.sum((0, 2, 3))
    return (1 - (2 * sums(p * g) + smooth) / (sums(p * p) + sums(g * g) + smooth)).mean()


def logits_distillation(student, teacher, temperature=1.0, scale=1.0):
    """scale / (B C H W) * sum p_T (log p_T - log p_S), p = softmax(z / temperature) over channels; no T^2 unless in scale."""
    log_s = F.log_softmax(student / temperature, 1)
    log_t = F.log_softmax(teacher / temperature, 1)
    return scale * (log_t.exp() * (log_t - log_s)).mean()


# -------------------------------------------------------------------------------------------------------------- main


def count(model):
    return sum(p.numel() for p in model.parameters())


def print_names(title, model, note=""):
    print(f"# {title}: {count(model):,} parameters{note}")
    buffers = {n for n, _ in model.named_buffers()}
    for name, t in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            print(f"{name} {list(t.shape)}" + (" buffer" if name in buffers else ""))


def main():
    models = {
        "FANet, width 1, 1 input channel, 2 classes": (FANet(), 38_292_162),
        "Mobile U-Net, width 1, 1 input channel, 2 classes": (MobileUNet(), 4_682_323),
        "ENet, width 1, 1 input channel, 2 classes": (ENet(), 348_996),
        "ERFNet, width 1, 1 input channel, 2 classes": (ERFNet(), 2_062_872),
        "U-Net, width 1, 1 input channel, 2 classes": (UNet(), 31_036_546),
        "TransUNet, width 1, 224x224, 1 input channel, 2 classes": (TransUNet(), 105_276_066),
        "Paraphraser, 256 channels, 24 factors": (Paraphraser(256, 24), 1_301_448),
        "Paraphraser, 256 channels, 64 factors": (Paraphraser(256, 64), 1_549_248),
    }
    for title, (model, expected) in models.items():
        if count(model) != expected:
            sys.exit(f"{title}: {count(model):,} parameters, expected {expected:,}")
    if "--names" in sys.argv:
        print("# Written by: python tests/golden/reference_models.py --names. Shapes in PyTorch's order (OIHW, transposed IOHW).")
        for title, (model, _) in models.items():
            if "64 factors" not in title:
                print_names(title, model)
    else:
        for title, (model, _) in models.items():
            print(f"{title}: {count(model):,}")


if __name__ == "__main__":
    main()
