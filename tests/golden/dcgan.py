"""Golden values for the labelled DCGAN, computed by PyTorch: writes dcgan.safetensors beside itself.

Networks, losses and the recipe are the reference's (see the tables in models/src/dcgan.rs), only
narrower, so that the file stays small. Everything is computed in float64 from inputs and weights that
float32 holds exactly, and rounded to float32 at the end: the values are the true ones, and a float32
program is measured against them with its own rounding error alone.

In the file (N = 7, uneven; labels repeat and are out of order):

  x, z, label                       (N, 1, 28, 28), (N, 100), (N,) int64
  init.<network>.<layer>.<name>     the weights to start from
  train.image, train.logit          generator(z) and discriminator(x) of these, by batch statistics
  loss.discriminator                (3,) before the update of each iteration
  loss.generator                    (3, 2) before each of the two updates
  after.<network>.<layer>.<name>    weights and running averages after three iterations
  eval.image, eval.logit            of these, by running averages
  same.<kind>.<parity>.<name>       one 5x5 stride-2 layer on pictures that aren't square: input,
                                    weight, bias, output; for a transposed layer the parity is that
                                    of the output

Networks are called generator and discriminator; layers as in the tables. Layouts are PyTorch's: linear
(out, in), convolution (out, in, 5, 5), transposed convolution (in, out, 5, 5).

What a comparison has to know:

* The running variance takes the unbiased variance, n / (n - 1) times the one that normalises, where n
  counts the values of a channel over batch and picture. Running averages keep 0.9 of the old value.
* They move with every forward pass in training mode. One iteration is three for the generator (the
  discriminator's fake, then one for each of its own updates) and four for the discriminator (real,
  fake, and one for each update of the generator).
* A bias right before a batch norm has no influence on the loss: its true gradient is zero, and it stays
  as it is. In float32 the gradient is rounding noise, which Adam, dividing it by its own size, may
  magnify to steps of up to the learning rate; the running mean behind it moves along. Compare these
  two by absolute error: PyTorch's own float32 is off by up to 1.6e-4 there, everywhere else by less
  than 4e-6.
"""

import copy
import math
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

LATENT, CLASSES = 100, 10
GENERATOR_WIDTH, GENERATOR_LINEAR_WIDTH = 4, 16  # 64 and 1024 at full size
DISCRIMINATOR_WIDTH, DISCRIMINATOR_LINEAR_WIDTH = 4, 16  # 64 and 1024 at full size
LABEL = [3, 0, 9, 4, 4, 7, 1]
SEED = 0
ITERATIONS, GENERATOR_UPDATES = 3, 2


def same_padding(size):
    """TensorFlow's SAME for a 5x5 kernel with stride 2: 1 before and 2 after, or 2 and 2 if odd."""
    total = max(2 * (math.ceil(size / 2) - 1) + 5 - size, 0)
    return total // 2, total - total // 2


class Conv(nn.Conv2d):
    """(N, C, H, W) -> (N, C', ceil(H / 2), ceil(W / 2))."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, 5, 2)

    def forward(self, x):
        height, width = x.shape[2:]
        return super().forward(F.pad(x, same_padding(width) + same_padding(height)))


class Deconv(nn.ConvTranspose2d):
    """(N, C, H, W) -> (N, C', 2 H, 2 W), or another size that `Conv` would bring back to H, W."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, 5, 2)

    def forward(self, x, size=None):
        height, width = size or (2 * x.shape[2], 2 * x.shape[3])
        top, left = same_padding(height)[0], same_padding(width)[0]
        return super().forward(x)[:, :, top : top + height, left : left + width]


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


def float32_exact(tensor):
    """Rounded to float32, and kept in float64."""
    return tensor.float().double()


def initialise(network):
    """Biases, gains and offsets are spread too: a program that forgets one of them must be found out."""
    for name, parameter in network.named_parameters():
        centre = 1.0 if name.endswith("norm.weight") else 0.0
        parameter.data = float32_exact(centre + 0.02 * torch.randn(parameter.shape))


def tensors(prefix, network):
    """A network's weights and running averages, under the names that the Rust crates use."""
    names = {"norm.weight": "norm.gain", "norm.bias": "norm.offset", "running_var": "running_variance"}
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)
        yield f"{prefix}.{name}", tensor.clone()


def loss(logit, target):
    return F.binary_cross_entropy_with_logits(logit, torch.full_like(logit, target))


def adam(network):
    return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), eps=1e-8)


def train(generator, discriminator, x, z, y):
    """The reference recipe, every iteration on the same batch. Returns the losses."""
    optimise_g, optimise_d = adam(generator), adam(discriminator)
    losses_d, losses_g = [], []
    for _ in range(ITERATIONS):
        # (1) update D: real toward 1, fake toward 0, each with its own batch statistics
        fake = generator(z, y).detach()
        loss_d = loss(discriminator(x, y), 1.0) + loss(discriminator(fake, y), 0.0)
        optimise_d.zero_grad()
        loss_d.backward()
        optimise_d.step()
        losses_d.append(loss_d.detach())
        # (2) update G, twice: fake toward 1
        for _ in range(GENERATOR_UPDATES):
            loss_g = loss(discriminator(generator(z, y), y), 1.0)
            optimise_g.zero_grad()
            loss_g.backward()
            optimise_g.step()
            losses_g.append(loss_g.detach())
    return torch.stack(losses_d), torch.stack(losses_g).view(ITERATIONS, GENERATOR_UPDATES)


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


def golden():
    torch.manual_seed(SEED)
    torch.set_default_dtype(torch.float64)
    generator, discriminator = Generator(), Discriminator()
    initialise(generator)
    initialise(discriminator)
    label = torch.tensor(LABEL)
    y = F.one_hot(label, CLASSES).double()
    x = float32_exact(torch.rand(len(label), 1, 28, 28))
    z = float32_exact(2 * torch.rand(len(label), LATENT) - 1)

    out = {"x": x, "z": z, "label": label}
    out |= tensors("init.generator", generator)
    out |= tensors("init.discriminator", discriminator)
    with torch.no_grad():
        # On copies: a forward pass in training mode moves the running averages.
        out["train.image"] = copy.deepcopy(generator)(z, y)
        out["train.logit"] = copy.deepcopy(discriminator)(x, y)
    out["loss.discriminator"], out["loss.generator"] = train(generator, discriminator, x, z, y)
    out |= tensors("after.generator", generator)
    out |= tensors("after.discriminator", discriminator)
    with torch.no_grad():
        out["eval.image"] = generator.eval()(z, y)
        out["eval.logit"] = discriminator.eval()(x, y)
    out |= same_layers()
    return out


if __name__ == "__main__":
    from safetensors.torch import save_file

    path = pathlib.Path(__file__).with_suffix(".safetensors")
    rounded = {name: t if t.dtype == torch.int64 else t.float() for name, t in golden().items()}
    temporary = path.with_suffix(".tmp")
    save_file({name: t.detach().contiguous() for name, t in rounded.items()}, temporary)
    temporary.replace(path)
    print(f"wrote {path.name}: {len(rounded)} tensors, {path.stat().st_size} bytes, torch {torch.__version__}")
