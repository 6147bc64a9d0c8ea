"""Golden values for the unlabelled DCGAN, computed by PyTorch: writes unlabelled.safetensors beside
itself. common.py lists the tensors; x is (N, 3, 20, 30), and the stages before it are 10, 5, 3, 2
rows and 15, 8, 4, 2 columns.
"""

import torch
import torch.nn.functional as F
from torch import nn

from common import LATENT, SEED, Conv, Deconv, float32_exact, golden, initialise, write

WIDTH = 2  # 64 at full size
HEIGHT, COLUMNS = 20, 30  # 64, 64
BATCH = 7


def stages(size):
    """The picture's size and the four before it, each the ceiling of half the next."""
    sizes = [size]
    for _ in range(4):
        sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))
    return sizes


class Generator(nn.Module):
    def __init__(self, width, size):
        super().__init__()
        self.whole, self.half, self.quarter, self.eighth, self.first = stages(size)
        self.planes = c = 8 * width
        block = nn.ModuleDict
        rows, columns = self.first
        self.h0 = block({"linear": nn.Linear(LATENT, c * rows * columns), "norm": nn.BatchNorm2d(c)})
        self.h1 = block({"deconv": Deconv(c, c // 2), "norm": nn.BatchNorm2d(c // 2)})
        self.h2 = block({"deconv": Deconv(c // 2, c // 4), "norm": nn.BatchNorm2d(c // 4)})
        self.h3 = block({"deconv": Deconv(c // 4, c // 8), "norm": nn.BatchNorm2d(c // 8)})
        self.out = block({"deconv": Deconv(c // 8, 3)})

    def forward(self, z):
        h = self.h0.linear(z).unflatten(1, (self.planes, *self.first))
        h = F.relu(self.h0.norm(h))  # (N, 512, 4, 4) at full size
        h = F.relu(self.h1.norm(self.h1.deconv(h, self.eighth)))  # (N, 256, 8, 8)
        h = F.relu(self.h2.norm(self.h2.deconv(h, self.quarter)))  # (N, 128, 16, 16)
        h = F.relu(self.h3.norm(self.h3.deconv(h, self.half)))  # (N, 64, 32, 32)
        return torch.tanh(self.out.deconv(h, self.whole))  # (N, 3, 64, 64)


class Discriminator(nn.Module):
    def __init__(self, width, size):
        super().__init__()
        c = width
        block = nn.ModuleDict
        rows, columns = stages(size)[-1]
        self.h0 = block({"conv": Conv(3, c)})
        self.h1 = block({"conv": Conv(c, 2 * c), "norm": nn.BatchNorm2d(2 * c)})
        self.h2 = block({"conv": Conv(2 * c, 4 * c), "norm": nn.BatchNorm2d(4 * c)})
        self.h3 = block({"conv": Conv(4 * c, 8 * c), "norm": nn.BatchNorm2d(8 * c)})
        self.h4 = block({"linear": nn.Linear(8 * c * rows * columns, 1)})

    def forward(self, x):
        h = F.leaky_relu(self.h0.conv(x), 0.2)  # (N, 64, 32, 32)
        h = F.leaky_relu(self.h1.norm(self.h1.conv(h)), 0.2)  # (N, 128, 16, 16)
        h = F.leaky_relu(self.h2.norm(self.h2.conv(h)), 0.2)  # (N, 256, 8, 8)
        h = F.leaky_relu(self.h3.norm(self.h3.conv(h)), 0.2)  # (N, 512, 4, 4)
        return self.h4.linear(h.flatten(1))  # (N, 1), logits


def unlabelled():
    torch.manual_seed(SEED)
    torch.set_default_dtype(torch.float64)
    size = (HEIGHT, COLUMNS)
    generator, discriminator = Generator(WIDTH, size), Discriminator(WIDTH, size)
    initialise(generator)
    initialise(discriminator)
    x = float32_exact(2 * torch.rand(BATCH, 3, *size) - 1)
    z = float32_exact(2 * torch.rand(BATCH, LATENT) - 1)
    return golden(generator, discriminator, x, z)


if __name__ == "__main__":
    write(__file__, unlabelled())
