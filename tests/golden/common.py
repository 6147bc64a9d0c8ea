"""What both golden scripts share: layers with TensorFlow's SAME padding, the reference recipe, and how
weights are spread, named and written.

Networks, losses and the recipe are the reference's (see the tables in models/src/architectures/dcgan), only narrower,
so that the files stay small. Everything is computed in float64 from inputs and weights that float32
holds exactly, and rounded to float32 at the end: the values are the true ones, and a float32 program is
measured against them with its own rounding error alone.

Tensors that both files have (N = 7, uneven):

  x, z                              pictures, and latents (N, 100)
  init.<network>.<layer>.<name>     the weights to start from
  train.image, train.logit          generator(z) and discriminator(x) of these, by batch statistics
  loss.discriminator                (3,) before the update of each iteration
  loss.generator                    (3, 2) before each of the two updates
  after.<network>.<layer>.<name>    weights and running averages after three iterations
  eval.image, eval.logit            of these, by running averages

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
  two by absolute error: PyTorch's own float32 is off by up to 1.6e-4 there in the labelled pair and
  7.0e-4 in the unlabelled one, everywhere else by less than 7e-6.
"""

import copy
import math
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

LATENT = 100
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


def float32_exact(tensor):
    """Rounded to float32, and kept in float64."""
    return tensor.float().double()


def initialise(network):
    """Biases and batch norms' weights are spread too: a program that forgets one of them must be found out."""
    for name, parameter in network.named_parameters():
        centre = 1.0 if name.endswith("norm.weight") else 0.0
        parameter.data = float32_exact(centre + 0.02 * torch.randn(parameter.shape))


def tensors(prefix, network):
    """A network's weights and running averages, under the names that the Rust crates use."""
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            yield f"{prefix}.{name.replace('running_var', 'running_variance')}", tensor.clone()


def loss(logit, target):
    return F.binary_cross_entropy_with_logits(logit, torch.full_like(logit, target))


def adam(network):
    return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), eps=1e-8)


def train(generator, discriminator, x, z, *y):
    """The reference recipe, every iteration on the same batch, with labels y or none. Returns the losses."""
    optimise_g, optimise_d = adam(generator), adam(discriminator)
    losses_d, losses_g = [], []
    for _ in range(ITERATIONS):
        # (1) update D: real toward 1, fake toward 0, each with its own batch statistics
        fake = generator(z, *y).detach()
        loss_d = loss(discriminator(x, *y), 1.0) + loss(discriminator(fake, *y), 0.0)
        optimise_d.zero_grad()
        loss_d.backward()
        optimise_d.step()
        losses_d.append(loss_d.detach())
        # (2) update G, twice: fake toward 1
        for _ in range(GENERATOR_UPDATES):
            loss_g = loss(discriminator(generator(z, *y), *y), 1.0)
            optimise_g.zero_grad()
            loss_g.backward()
            optimise_g.step()
            losses_g.append(loss_g.detach())
    return torch.stack(losses_d), torch.stack(losses_g).view(ITERATIONS, GENERATOR_UPDATES)


def golden(generator, discriminator, x, z, *y):
    """What both networks make of these inputs, by name."""
    out = {"x": x, "z": z}
    out |= tensors("init.generator", generator)
    out |= tensors("init.discriminator", discriminator)
    with torch.no_grad():
        # On copies: a forward pass in training mode moves the running averages.
        out["train.image"] = copy.deepcopy(generator)(z, *y)
        out["train.logit"] = copy.deepcopy(discriminator)(x, *y)
    out["loss.discriminator"], out["loss.generator"] = train(generator, discriminator, x, z, *y)
    out |= tensors("after.generator", generator)
    out |= tensors("after.discriminator", discriminator)
    with torch.no_grad():
        out["eval.image"] = generator.eval()(z, *y)
        out["eval.logit"] = discriminator.eval()(x, *y)
    return out


def write(script, golden):
    """Writes the tensors beside the script, under its name."""
    from safetensors.torch import save_file

    path = pathlib.Path(script).with_suffix(".safetensors")
    rounded = {name: t if t.dtype == torch.int64 else t.float() for name, t in golden.items()}
    temporary = path.with_suffix(".tmp")
    save_file({name: t.detach().contiguous() for name, t in rounded.items()}, temporary)
    temporary.replace(path)
    print(f"wrote {path.name}: {len(rounded)} tensors, {path.stat().st_size} bytes, torch {torch.__version__}")
