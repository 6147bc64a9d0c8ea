"""Other programs' generators as those programs' own exporters write them, for the tests of `export adopt`, and
what the networks draw in PyTorch.

    python tests/adopt/make.py                 the small files of this folder
    python tests/adopt/make.py --full FOLDER   the same networks at the widths of their papers and tutorials

Five files of four networks, with weights drawn from seed 0:

  torch-old.onnx    the labelled-MNIST DCGAN, latents and one-hot labels, by torch.onnx.export(dynamo=False)
  torch-new.onnx    the same weights by torch.onnx.export(dynamo=True), with its weights in torch-new.onnx.data
  tutorial.onnx     the generator of PyTorch's DCGAN tutorial: latents (N, 100, 1, 1), no labels, tanh, colour
  keras.onnx        a conditional generator as Keras's examples build it: noise and labels (N, 1), pictures with
                    channels last, tanh; by keras.Model.export(format="onnx") on its PyTorch backend
  levels.onnx       one that gives bytes, channels last, of latents and integer labels

reference.safetensors has, for each name, `<name>.z` (N, latents), `<name>.label` (N) and `<name>.image`
(N, channels, height, width): what the network draws of them in PyTorch, as numbers of the contract's range.

The batch norms' running averages are moved away from 0 and 1 by a few batches in training mode, and biases are
spread, so that a file that loses one of them is found out.
"""

import argparse
import os
import pathlib
import sys
import warnings

os.environ["KERAS_BACKEND"] = "torch"
warnings.filterwarnings("ignore")

import keras
import onnx
import torch
import torch.nn.functional as F
from keras import layers
from safetensors.torch import save_file
from torch import nn

FOLDER = pathlib.Path(__file__).parent
CLASSES = 10
IMAGES = 12


def concat_label(h, y):
    """h with y behind it: as numbers of a vector, as constant planes of a feature map."""
    if h.dim() == 2:
        return torch.cat([h, y], 1)
    return torch.cat([h, y[:, :, None, None].expand(-1, -1, h.shape[2], h.shape[3])], 1)


class Labelled(nn.Module):
    """The labelled-MNIST DCGAN's generator, of z (N, 100) and one-hot y (N, 10)."""

    def __init__(self, filters, units):
        super().__init__()
        self.c = 2 * filters
        self.fc0 = nn.Linear(100 + CLASSES, units)
        self.bn0 = nn.BatchNorm1d(units)
        self.fc1 = nn.Linear(units + CLASSES, self.c * 7 * 7)
        self.bn1 = nn.BatchNorm1d(self.c * 7 * 7)
        self.deconv2 = nn.ConvTranspose2d(self.c + CLASSES, self.c, 5, 2, padding=1)
        self.bn2 = nn.BatchNorm2d(self.c)
        self.deconv3 = nn.ConvTranspose2d(self.c + CLASSES, 1, 5, 2, padding=1)

    def forward(self, z, y):
        h = F.relu(self.bn0(self.fc0(concat_label(z, y))))  # (N, units)
        h = F.relu(self.bn1(self.fc1(concat_label(h, y)))).view(-1, self.c, 7, 7)  # (N, c, 7, 7)
        h = F.relu(self.bn2(self.deconv2(concat_label(h, y))[:, :, :14, :14]))  # (N, c, 14, 14)
        return torch.sigmoid(self.deconv3(concat_label(h, y))[:, :, :28, :28])  # (N, 1, 28, 28)


class Tutorial(nn.Module):
    """The generator of PyTorch's DCGAN tutorial, of latents (N, 100, 1, 1)."""

    def __init__(self, filters):
        super().__init__()

        def up(inputs, outputs, stride, padding):
            deconv = nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False)
            return deconv, nn.BatchNorm2d(outputs), nn.ReLU(True)

        self.main = nn.Sequential(
            *up(100, 8 * filters, 1, 0),
            *up(8 * filters, 4 * filters, 2, 1),
            *up(4 * filters, 2 * filters, 2, 1),
            *up(2 * filters, filters, 2, 1),
            nn.ConvTranspose2d(filters, 3, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, input):
        return self.main(input)  # (N, 3, 64, 64)


class Levels(nn.Module):
    """Bytes (N, 6, 8, 3) of latents (N, 5) and labels (N)."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(3, 4)
        self.fc = nn.Linear(5 + 4, 6 * 8 * 3)

    def forward(self, noise, label):
        h = torch.sigmoid(self.fc(torch.cat([noise, self.table(label)], 1)))
        return (h * 255 + 0.5).to(torch.uint8).view(-1, 6, 8, 3)


def keras_network(filters):
    """Noise (N, 16) and labels (N, 1) to pictures (N, 28, 28, 1)."""
    noise, label = keras.Input((16,), name="noise"), keras.Input((1,), dtype="int32", name="labels")
    plane = layers.Dense(7 * 7)(layers.Flatten()(layers.Embedding(CLASSES, 8)(label)))
    h = layers.LeakyReLU(negative_slope=0.2)(layers.Dense(7 * 7 * filters)(noise))
    h = layers.Concatenate()([layers.Reshape((7, 7, filters))(h), layers.Reshape((7, 7, 1))(plane)])
    h = layers.BatchNormalization()(layers.Conv2DTranspose(filters, 4, strides=2, padding="same")(h))
    h = layers.Conv2DTranspose(filters, 4, strides=2, padding="same")(layers.LeakyReLU(negative_slope=0.2)(h))
    h = layers.LeakyReLU(negative_slope=0.2)(h)
    return keras.Model([noise, label], layers.Conv2D(1, 7, padding="same", activation="tanh")(h))


def spread(network, *inputs):
    """Weights large enough that latents and labels show, and batch norms that are not at their start."""
    for module in network.modules():
        is_norm = isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))
        for name, parameter in module.named_parameters(recurse=False):
            centre = 1.0 if is_norm and name == "weight" else 0.0
            parameter.data = centre + 0.1 * torch.randn(parameter.shape)
    network.train()
    with torch.no_grad():
        for _ in range(20):
            network(*inputs)
    return network.eval()


def export(network, inputs, path, names, dynamo, **more):
    """By PyTorch's old or new exporter, with a batch of any size."""
    input_names, output_names = names
    batch = torch.export.Dim("batch")
    if dynamo:
        more |= {"dynamic_shapes": tuple({0: batch} for _ in inputs)}
    else:
        more |= {"dynamic_axes": {name: {0: "batch"} for name in input_names + output_names}}
    torch.onnx.export(
        network, inputs, path, input_names=input_names, output_names=output_names, dynamo=dynamo, **more
    )


def forget_paths(path):
    """PyTorch's newer exporter notes on each node where in the source it comes from; that names this machine."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", metavar="FOLDER", type=pathlib.Path)
    full = parser.parse_args().full
    folder = full or FOLDER
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
    reference = {}

    def draws(name, z, label, image):
        reference[f"{name}.z"] = z.flatten(1).clone()
        reference[f"{name}.label"] = label.clone()
        reference[f"{name}.image"] = image.detach().float().clone(memory_format=torch.contiguous_format)

    z = torch.rand(IMAGES, 100) * 2 - 1
    label = torch.arange(IMAGES) % CLASSES
    one_hot = F.one_hot(label, CLASSES).float()
    network = Labelled(*((64, 1024) if full else (3, 12)))
    network = spread(network, z, one_hot)
    names = (["z", "y"], ["image"])
    export(network, (z, one_hot), folder / "torch-old.onnx", names, dynamo=False, opset_version=17)
    export(network, (z, one_hot), folder / "torch-new.onnx", names, dynamo=True, external_data=True)
    forget_paths(folder / "torch-new.onnx")
    for name in ["torch-old", "torch-new"]:
        draws(name, z, label, network(z, one_hot))

    z = torch.randn(IMAGES // 4, 100, 1, 1)
    network = spread(Tutorial(64 if full else 2), z)
    export(network, (z,), folder / "tutorial.onnx", (["input"], ["output"]), dynamo=False)
    draws("tutorial", z, torch.zeros(len(z), dtype=torch.int64), network(z))

    z, label = torch.randn(IMAGES, 5), torch.arange(IMAGES) % 3
    network = spread(Levels(), z, label)
    export(network, (z, label), folder / "levels.onnx", (["noise", "label"], ["pixels"]), dynamo=False)
    draws("levels", z, label, network(z, label).permute(0, 3, 1, 2) / 255)

    z, label = torch.randn(IMAGES, 16), torch.arange(IMAGES) % CLASSES
    network = keras_network(64 if full else 8)
    for variable in network.trainable_variables:
        variable.assign_add(0.05 * torch.randn(variable.shape))
    inputs = [z, label[:, None].int()]
    for _ in range(20):
        network(inputs, training=True)
    network(inputs)
    network.export(str(folder / "keras.onnx"), format="onnx", verbose=False)
    draws("keras", z, label, network(inputs).permute(0, 3, 1, 2))

    save_file(reference, folder / "reference.safetensors")
    print("torch", torch.__version__, "keras", keras.__version__, file=sys.stderr)


main()
