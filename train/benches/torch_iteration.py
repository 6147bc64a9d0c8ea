"""One training iteration of the labelled DCGAN in PyTorch: the median in milliseconds, and the
process's peak memory in MB.

    python torch_iteration.py BATCH THREADS WARMUP ITERATIONS [--compile] [--cuda] [--tf32]

The networks are tests/golden's at full width; the update is the usual one of PyTorch: the fake for D
without gradients, then each update of G with a forward pass of its own.
"""

import pathlib
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "golden"))
import dcgan  # noqa: E402

dcgan.GENERATOR_WIDTH, dcgan.GENERATOR_LINEAR_WIDTH = 64, 1024
dcgan.DISCRIMINATOR_WIDTH, dcgan.DISCRIMINATOR_LINEAR_WIDTH = 64, 1024


def iteration(generator, discriminator, optimise_g, optimise_d, x, y, z):
    with torch.no_grad():
        fake = generator(z, y)
    loss_d = dcgan.loss(discriminator(x, y), 1.0) + dcgan.loss(discriminator(fake, y), 0.0)
    optimise_d.zero_grad()
    loss_d.backward()
    optimise_d.step()
    for _ in range(2):
        loss_g = dcgan.loss(discriminator(generator(z, y), y), 1.0)
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
    generator, discriminator = dcgan.Generator().to(device), dcgan.Discriminator().to(device)
    for network in (generator, discriminator):
        for parameter in network.parameters():
            parameter.data = 0.02 * torch.randn(parameter.shape, device=device)
    optimise_g, optimise_d = dcgan.adam(generator), dcgan.adam(discriminator)
    x = torch.rand(batch, 1, 28, 28, device=device)
    y = F.one_hot(torch.arange(batch, device=device) % dcgan.CLASSES, dcgan.CLASSES).float()
    step = torch.compile(iteration) if "--compile" in sys.argv else iteration
    synchronise = torch.cuda.synchronize if cuda else lambda: None
    times = []
    for _ in range(warmup + iterations):
        synchronise()
        start = time.perf_counter()
        z = 2 * torch.rand(batch, dcgan.LATENT, device=device) - 1
        step(generator, discriminator, optimise_g, optimise_d, x, y, z)
        synchronise()
        times.append(1e3 * (time.perf_counter() - start))
    # Linux counts in KiB.
    print(statistics.median(times[warmup:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)


main()
