"""The labelled generator in PyTorch with given weights, through torch.onnx.export: what the benchmark
compares with.

    torch_graph.py weights.safetensors out.onnx

Inputs of the graph are z (batch, latents) and y (batch, classes), one-hot. Needs torch, numpy and onnx.
"""

import json
import struct
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def load(path):
    """Tensors of a safetensors file by name."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    return {
        name: torch.from_numpy(
            np.frombuffer(data[entry["data_offsets"][0]:entry["data_offsets"][1]], "<f4")
            .reshape(entry["shape"])
            .copy()
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


class Generator(nn.Module):
    """The layers as the paper's implementation has them: the label goes in at every stage."""

    def __init__(self, weights):
        super().__init__()

        def linear(name):
            out, features = weights[f"{name}.weight"].shape
            layer = nn.Linear(features, out)
            layer.load_state_dict({k: weights[f"{name}.{k}"] for k in ("weight", "bias")})
            return layer

        def deconv(name):
            features, out, *_ = weights[f"{name}.weight"].shape
            # SAME padding of a 5x5 kernel of stride 2: one row of zeros before, two after. What the
            # second one cuts off is cut off in `forward`.
            layer = nn.ConvTranspose2d(features, out, 5, 2, padding=1)
            layer.load_state_dict({k: weights[f"{name}.{k}"] for k in ("weight", "bias")})
            return layer

        def norm(name, kind):
            layer = kind(len(weights[f"{name}.weight"]), eps=1e-5)
            ours = {"weight": "weight", "bias": "bias", "running_mean": "running_mean", "running_var": "running_variance"}
            layer.load_state_dict({k: weights[f"{name}.{v}"] for k, v in ours.items()}, strict=False)
            return layer

        self.h0, self.n0 = linear("h0.linear"), norm("h0.norm", nn.BatchNorm1d)
        self.h1, self.n1 = linear("h1.linear"), norm("h1.norm", nn.BatchNorm1d)
        self.h2, self.n2 = deconv("h2.deconv"), norm("h2.norm", nn.BatchNorm2d)
        self.out = deconv("out.deconv")

    def forward(self, z, y):
        def planes(h):
            return torch.cat([h, y[:, :, None, None].expand(-1, -1, h.shape[2], h.shape[3])], 1)

        h = functional.relu(self.n0(self.h0(torch.cat([z, y], 1))))
        h = functional.relu(self.n1(self.h1(torch.cat([h, y], 1))))
        h = h.view(-1, self.h1.out_features // 49, 7, 7)
        h = functional.relu(self.n2(self.h2(planes(h))[:, :, :14, :14]))
        return torch.sigmoid(self.out(planes(h))[:, :, :28, :28])


if __name__ == "__main__":
    weights = load(sys.argv[1])
    generator = Generator(weights).eval()
    classes = weights["out.deconv.weight"].shape[0] - weights["h2.deconv.weight"].shape[1]
    latents = weights["h0.linear.weight"].shape[1] - classes
    example = (torch.rand(2, latents), torch.eye(classes)[:2])
    axes = {name: {0: "batch"} for name in ("z", "y", "image")}
    torch.onnx.export(
        generator, example, sys.argv[2], input_names=["z", "y"], output_names=["image"], dynamic_axes=axes,
        opset_version=17, dynamo=False,
    )
    print(torch.__version__)
