r"""Trains a small reader of numbers on generated strings alone, and tries it on real digits.

    infer dataset --count 22000 --strings 4..8 --jitter 4 --spacing=-1..7 --zoom 0.8..1.2 --slant -20..20 \
        --noise thickness=-0.5..0.7,blur=0..0.6 --seed 1 --out strings.npz
    python scripts/ctc_reader.py strings.npz data/mnist

Needs torch and NumPy. The first 20,000 strings are learned, with CTC (Graves et al. 2006); the rest are held out,
and what is chosen is chosen on them. Only then are the 10,000 test digits of MNIST looked at, once: each is pasted
into one string, cut to its own columns, with 0 to 6 empty columns between two and up to 4 rows up or down. Nothing
of how `infer` makes strings is in that.

A digit counts as right if it needs no edit (Levenshtein) to make what was read what is there.
"""

import argparse
import json
import struct
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

# What `labels` has after the last character.
END = 255
# Strings to learn from.
TRAINED = 20_000
BLANK = 0


class Reader(nn.Module):
    """Convolutions, which leave a column for each four of the picture, and a recurrent layer over these."""

    def __init__(self, classes):
        super().__init__()

        def stage(inputs, outputs, kernel, stride):
            convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
            return convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)

        self.columns = nn.Sequential(
            *stage(1, 24, 5, 2), *stage(24, 48, 3, 2), *stage(48, 64, 3, (2, 1))
        )
        self.dropout = nn.Dropout(0.2)
        self.recurrent = nn.GRU(64 * 3, 64, bidirectional=True, batch_first=True)
        self.logits = nn.Linear(128, classes + 1)

    def forward(self, pictures):
        x = self.columns(pictures)  # N, 64, H / 8, W / 4
        x = nn.functional.adaptive_max_pool2d(x, (3, x.shape[3])).flatten(1, 2)  # N, 192, W / 4
        x, _ = self.recurrent(self.dropout(x.transpose(1, 2)))  # N, W / 4, 128
        return self.logits(self.dropout(x)).log_softmax(2)


def batch_of(images):
    return torch.from_numpy(images).float().div(255).unsqueeze(1)  # N, 1, H, W


def changed(pictures):
    """Each picture turned, slanted, stretched and shifted a little, as a judge's are."""

    def within(most):
        return torch.empty(len(pictures)).uniform_(-most, most)

    height, width = pictures.shape[2:]
    aspect = width / height
    across, down, lean, turn = 1.08 + within(0.08), 1 + within(0.15), within(0.15), within(0.03)
    rows = [across, (lean - turn) / aspect, within(0.02), turn * aspect, down, within(0.06)]
    maps = torch.stack(rows, 1).view(-1, 2, 3)
    grid = nn.functional.affine_grid(maps, pictures.shape, align_corners=False)
    return nn.functional.grid_sample(pictures, grid, align_corners=False)


def train(reader, images, labels, epochs, size):
    rate = 3e-3
    optimiser = torch.optim.AdamW(reader.parameters(), lr=rate, weight_decay=1e-3)
    steps = epochs * (len(images) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.2)
    loss_of = nn.CTCLoss(blank=BLANK, zero_infinity=True)
    for epoch in range(epochs):
        reader.train()
        started, losses = time.time(), []
        order = np.random.permutation(len(images))
        for first in range(0, len(order) - size + 1, size):
            chosen = order[first : first + size]
            output = reader(changed(batch_of(images[chosen]))).transpose(0, 1)  # W / 4, N, classes + 1
            there = labels[chosen] != END
            targets = torch.from_numpy(labels[chosen][there].astype(np.int64) + 1)
            lengths = torch.full((size,), output.shape[0])
            loss = loss_of(output, targets, lengths, torch.from_numpy(there.sum(1)))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(reader.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, {time.time() - started:.0f} s", flush=True)


def read(reader, images, size=256):
    """The most likely character of each column, repetitions and blanks left out."""
    reader.eval()
    texts = []
    with torch.no_grad():
        for first in range(0, len(images), size):
            for path in reader(batch_of(images[first : first + size])).argmax(2).tolist():
                pairs = zip(path, [BLANK, *path])
                texts.append([label - 1 for label, before in pairs if label not in (before, BLANK)])
    return texts


def edits(found, expected):
    row = list(range(len(expected) + 1))
    for i, one in enumerate(found, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(expected, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


def score(reader, images, texts):
    found = read(reader, images)
    wrong = [edits(a, b) for a, b in zip(found, texts)]
    digits = sum(map(len, texts))
    return {
        "strings": len(texts),
        "digits": digits,
        "digits_right": round(1 - sum(wrong) / digits, 5),
        "strings_right": round(sum(one == 0 for one in wrong) / len(texts), 5),
    }


def idx(path):
    data = Path(path).read_bytes()
    dims = struct.unpack_from(f">{data[3]}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(dims)


def pasted(folder, height, width, seed):
    """MNIST's test digits, each in one string of 4 to 8."""
    digits, labels = idx(f"{folder}/t10k-images-idx3-ubyte"), idx(f"{folder}/t10k-labels-idx1-ubyte")
    random = np.random.default_rng(seed)
    order, images, texts = random.permutation(len(digits)), [], []
    while len(order) >= 8:
        chosen, order = np.split(order, [random.integers(4, 9)])
        picture = np.zeros((height, width), np.uint8)
        cut = [digits[i][:, digits[i].any(0)] for i in chosen]
        gaps = random.integers(0, 7, len(cut))
        gaps[0] = 2
        room = width - 2 - sum(digit.shape[1] for digit in cut) - gaps.sum()
        assert room >= 0, "a string is wider than the pictures"
        column = random.integers(0, room + 1)
        for digit, gap in zip(cut, gaps):
            row = np.clip((height - 28) // 2 + random.integers(-4, 5), 0, height - 28)
            column += gap
            place = picture[row : row + 28, column : column + digit.shape[1]]
            np.maximum(place, digit, out=place)
            column += digit.shape[1]
        images.append(picture)
        texts.append(labels[chosen].tolist())
    return np.stack(images), texts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strings", help="strings.npz, as above")
    parser.add_argument("mnist", nargs="?", help="folder with MNIST's test files; without it, only held-out strings")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    np.random.seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    archive = np.load(arguments.strings)
    images, labels = archive["images"], archive["labels"]
    if len(images) <= TRAINED or labels.ndim != 2:
        parser.error(f"{arguments.strings} has not more than {TRAINED} strings; make some as the text above says")
    reader = Reader(int(labels[labels != END].max()) + 1)
    train(reader, images[:TRAINED], labels[:TRAINED], arguments.epochs, arguments.batch_size)
    texts = [row[row != END].tolist() for row in labels[TRAINED:]]
    print(json.dumps({"held_out": score(reader, images[TRAINED:], texts)}), flush=True)
    if arguments.mnist:
        real, texts = pasted(arguments.mnist, *images.shape[1:], seed=0)
        print(json.dumps({"mnist_test": score(reader, real, texts)}))


if __name__ == "__main__":
    main()
