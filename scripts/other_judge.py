#!/usr/bin/env python3
"""A second opinion on drawn digits: a residual network in PyTorch, of another architecture, framework
and training than the judge, which no recipe has seen. It says how many digits it reads as their label.

    infer dataset --count 20000 --seed 0 --out digits
    python scripts/other_judge.py digits [more …] [--data data/mnist] [--epochs 12] [--seed 0] [--device cuda]

Each argument is a folder with MNIST's two files, as `infer dataset` writes them. Needs torch and numpy.
About a minute on a large GPU, an hour on two cores.
"""

import argparse
import gzip
import pathlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

BATCH = 128


def idx(folder, name):
    """An IDX file of unsigned bytes, as it is or gzipped."""
    path = pathlib.Path(folder) / name
    packed = path.with_name(name + ".gz")
    data = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, 4)
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape).copy())


def pair(folder, part, device):
    """Pictures (N, 1, 28, 28) in [0, 1], labels (N)."""
    images, labels = idx(folder, f"{part}-images-idx3-ubyte"), idx(folder, f"{part}-labels-idx1-ubyte")
    return images.to(device)[:, None] / 255.0, labels.to(device).long()


class Block(nn.Module):
    """A residual block of two 3x3 convolutions; the first may halve the picture."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.past = nn.Conv2d(before, after, 1, stride, bias=False) if before != after else nn.Identity()

    def forward(self, x):
        y = F.gelu(self.norm1(self.conv1(x)))
        return F.gelu(self.norm2(self.conv2(y)) + self.past(x))


def network():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, 1, 1),
        Block(32, 32, 1),  #   N, 32, 28, 28
        Block(32, 64, 2),  #   N, 64, 14, 14
        Block(64, 128, 2),  #  N, 128, 7, 7
        Block(128, 128, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(128, 10),
    )


def changed(x):
    """Each picture turned, scaled, slanted and shifted a little."""
    n = x.shape[0]
    within = lambda most: (torch.rand(n, device=x.device) * 2 - 1) * most  # noqa: E731
    turn, slant = within(0.2), within(0.15)
    across, down = 1 + within(0.1), 1 + within(0.1)
    rows = [across * turn.cos(), slant - turn.sin(), within(0.14), turn.sin(), down * turn.cos(), within(0.14)]
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), x.shape, align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def train(x, y, epochs):
    model = network().to(x.device)
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    total = epochs * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total)
    for _ in range(epochs):
        order = torch.randperm(len(x), device=x.device)
        for i in range(len(x) // BATCH):
            batch = order[i * BATCH : (i + 1) * BATCH]
            loss = F.cross_entropy(model(changed(x[batch])), y[batch], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def agreement(model, x, y):
    """In percent: over all, and of each class."""
    right = torch.cat([model(part).argmax(1) for part in x.split(1000)]) == y
    return 100 * right.float().mean().item(), [100 * right[y == c].float().mean().item() for c in range(10)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("digits", nargs="+", help="folders with MNIST's two files")
    parser.add_argument("--data", default="data/mnist")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    model = train(*pair(options.data, "train", options.device), options.epochs)
    sets = [("real test images", pair(options.data, "t10k", options.device))]
    sets += [(folder, pair(folder, "train", options.device)) for folder in options.digits]
    for name, (x, y) in sets:
        every, classes = agreement(model, x, y)
        worst = min(range(10), key=lambda c: classes[c])
        print(f"{name}: {every:.2f} % of {len(x)}, worst class {classes[worst]:.2f} % ({worst})", flush=True)


if __name__ == "__main__":
    main()
