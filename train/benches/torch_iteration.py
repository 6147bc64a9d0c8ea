"""One training iteration of a DCGAN in PyTorch, the labelled one of 28x28 pixels or the unlabelled one
of 64x64 in colour: the median in milliseconds, and the process's peak memory in MB.

    python torch_iteration.py BATCH THREADS WARMUP ITERATIONS [--unlabelled] [--compile] [--reduce-overhead]
                              [--cuda] [--tf32] [--bfloat16]

--reduce-overhead compiles too, and replays what it compiled as CUDA graphs.

The networks are tests/golden's at full width; the update is the usual one of PyTorch: the fake for D
without gradients, then each update of G with a forward pass of its own.
"""

import pathlib
import resource
import statistics
import sys
import time

import torch
import torch._inductor.config
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "golden"))
import common  # noqa: E402
import dcgan  # noqa: E402
import unlabelled  # noqa: E402

dcgan.GENERATOR_WIDTH, dcgan.GENERATOR_LINEAR_WIDTH = 64, 1024
dcgan.DISCRIMINATOR_WIDTH, dcgan.DISCRIMINATOR_LINEAR_WIDTH = 64, 1024


def labelled_pair(batch, device):
    """Both networks, a batch of pictures, and its labels."""
    x = torch.rand(batch, 1, 28, 28, device=device)
    y = F.one_hot(torch.arange(batch, device=device) % dcgan.CLASSES, dcgan.CLASSES).float()
    return dcgan.Generator().to(device), dcgan.Discriminator().to(device), x, [y]


def unlabelled_pair(batch, device):
    """Both networks, a batch of pictures, and no labels."""
    sizes = 64, (64, 64)
    x = 2 * torch.rand(batch, 3, 64, 64, device=device) - 1
    return unlabelled.Generator(*sizes).to(device), unlabelled.Discriminator(*sizes).to(device), x, []


def iteration(generator, discriminator, optimise_g, optimise_d, x, y, z, autocast):
    with autocast:
        with torch.no_grad():
            fake = generator(z, *y)
        loss_d = common.loss(discriminator(x, *y), 1.0) + common.loss(discriminator(fake, *y), 0.0)
    optimise_d.zero_grad()
    loss_d.backward()
    optimise_d.step()
    for _ in range(2):
        with autocast:
            loss_g = common.loss(discriminator(generator(z, *y), *y), 1.0)
        optimise_g.zero_grad()
        loss_g.backward()
        optimise_g.step()


def main():
    batch, threads, warmup, iterations = map(int, sys.argv[1:5])
    torch.set_num_threads(threads)
    cuda = "--cuda" in sys.argv
    device = torch.device("cuda" if cuda else "cpu")
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = "--tf32" in sys.argv
    pair = unlabelled_pair if "--unlabelled" in sys.argv else labelled_pair
    generator, discriminator, x, y = pair(batch, device)
    for network in (generator, discriminator):
        for parameter in network.parameters():
            parameter.data = 0.02 * torch.randn(parameter.shape, device=device)
    optimise_g, optimise_d = common.adam(generator), common.adam(discriminator)
    if cuda:
        # With channels last, convolution_backward of 2.11 returns other strides than its compiler expects.
        torch._inductor.config.layout_optimization = False
    step = torch.compile(iteration) if "--compile" in sys.argv else iteration
    if "--reduce-overhead" in sys.argv:
        step = torch.compile(iteration, mode="reduce-overhead")
        for optimiser in (optimise_g, optimise_d):
            for group in optimiser.param_groups:
                # A graph can't count steps on the host.
                group["capturable"] = True
    # Products in bfloat16, losses in float32.
    autocast = torch.autocast(device.type, torch.bfloat16, enabled="--bfloat16" in sys.argv)
    synchronise = torch.cuda.synchronize if cuda else lambda: None
    times = []
    for _ in range(warmup + iterations):
        synchronise()
        start = time.perf_counter()
        z = 2 * torch.rand(batch, common.LATENT, device=device) - 1
        torch.compiler.cudagraph_mark_step_begin()
        step(generator, discriminator, optimise_g, optimise_d, x, y, z, autocast)
        synchronise()
        times.append(1e3 * (time.perf_counter() - start))
    # Linux counts in KiB.
    print(statistics.median(times[warmup:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)


main()
