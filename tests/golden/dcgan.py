"""Golden values for the labelled DCGAN, computed by PyTorch: writes dcgan.safetensors beside itself.

Beside the tensors that common.py lists, the file has these (x is (N, 1, 28, 28); labels repeat and are
out of order):

  label                             (N,) int64
  same.<kind>.<parity>.<name>       one 5x5 stride-2 layer on pictures that aren't square: input,
                                    weight, bias, output; for a transposed layer the parity is that
                                    of the output
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from common import LATENT, SEED, Conv, Deconv, float32_exact, golden, initialise, write

CLASSES = 10
GENERATOR_WIDTH, GENERATOR_LINEAR_WIDTH = 4, 16  # 64 and 1024 at full size
DISCRIMINATOR_WIDTH, DISCRIMINATOR_LINEAR_WIDTH = 4, 16  # 64 and 1024 at full size
LABEL = [3, 0, 9, 4, 4, 7, 1]


def with_label(h, y):
    """Appends y (N, 10) to vectors as it is, to feature maps as constant planes."""
    planes = y if h.dim() == 2 else y[:, :, None, None].expand(*y.shape, *h.shape[2:])
    return torch.cat([h, planes], dim=1)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.planes = c = 2 * GENERATOR_WIDTH
        fc = GENERATOR_LINEAR_WIDTH
        block = nn.ModuleDict
        self.h0 = block({"linear": nn.Linear(LATENT + CLASSES, fc), "norm": nn.BatchNorm1d(fc)})
        self.h1 = block({"linear": nn.Linear(fc + CLASSES, 49 * c), "norm": nn.BatchNorm1d(49 * c)})
        self.h2 = block({"deconv": Deconv(c + CLASSES, c), "norm": nn.BatchNorm2d(c)})
        self.out = block({"deconv": Deconv(c + CLASSES, 1)})

    def forward(self, z, y):
        h = self.h0.linear(with_label(z, y))
        h = F.relu(self.h0.norm(h))  # (N, fc)
        h = self.h1.linear(with_label(h, y))
        h = F.relu(self.h1.norm(h)).unflatten(1, (self.planes, 7, 7))  # (N, c, 7, 7)
        h = self.h2.deconv(with_label(h, y))
        h = F.relu(self.h2.norm(h))  # (N, c, 14, 14)
        return torch.sigmoid(self.out.deconv(with_label(h, y)))  # (N, 1, 28, 28)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        c, fc = DISCRIMINATOR_WIDTH + CLASSES, DISCRIMINATOR_LINEAR_WIDTH
        block = nn.ModuleDict
        self.h0 = block({"conv": Conv(1 + CLASSES, 1 + CLASSES)})
        self.h1 = block({"conv": Conv(1 + 2 * CLASSES, c), "norm": nn.BatchNorm2d(c)})
        self.h2 = block({"linear": nn.Linear(49 * c + CLASSES, fc), "norm": nn.BatchNorm1d(fc)})
        self.h3 = block({"linear": nn.Linear(fc + CLASSES, 1)})

    def forward(self, x, y):
        h = F.leaky_relu(self.h0.conv(with_label(x, y)), 0.2)  # (N, 11, 14, 14)
        h = self.h1.conv(with_label(h, y))
        h = F.leaky_relu(self.h1.norm(h), 0.2).flatten(1)  # (N, 49 c)
        h = self.h2.linear(with_label(h, y))
        h = F.leaky_relu(self.h2.norm(h), 0.2)  # (N, fc)
        return self.h3.linear(with_label(h, y))  # (N, 1), logits


@torch.no_grad()
def same_layers():
    """Single layers, with even and odd sizes that differ between height and width."""
    for parity, size in (("even", (6, 10)), ("odd", (7, 9))):
        for kind, layer in (("conv", Conv(3, 4)), ("deconv", Deconv(3, 4))):
            layer.weight.data = float32_exact(torch.randn_like(layer.weight))
            layer.bias.data = float32_exact(torch.randn_like(layer.bias))
            small = [math.ceil(side / 2) for side in size]
            x = float32_exact(torch.randn(2, 3, *(size if kind == "conv" else small)))
            output = layer(x) if kind == "conv" else layer(x, size)
            named = {"input": x, "weight": layer.weight, "bias": layer.bias, "output": output}
            yield from ((f"same.{kind}.{parity}.{name}", tensor) for name, tensor in named.items())


def labelled():
    torch.manual_seed(SEED)
    torch.set_default_dtype(torch.float64)
    generator, discriminator = Generator(), Discriminator()
    initialise(generator)
    initialise(discriminator)
    label = torch.tensor(LABEL)
    y = F.one_hot(label, CLASSES).double()
    x = float32_exact(torch.rand(len(label), 1, 28, 28))
    z = float32_exact(2 * torch.rand(len(label), LATENT) - 1)
    return {"label": label} | golden(generator, discriminator, x, z, y) | dict(same_layers())


if __name__ == "__main__":
    write(__file__, labelled())
