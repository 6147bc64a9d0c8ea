"""`infer` beside Python with ONNX Runtime, both with the shipped generator, in turn: a whole process that draws
one digit, one image at a time, and a data set. Medians, ratios of the same turn, and peak memory.

    python beside_onnxruntime.py infer [--turns 3] [--count 60000]

Needs numpy, onnxruntime and pillow. Python draws the same number of images, but for the data set it neither
samples nor writes them: bare `session.run`, at the best of several batch sizes and numbers of threads.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# As `infer` does for itself: ONNX Runtime tells nobody that it runs.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

NEEDED = "numpy", "onnxruntime", "PIL"
# What an engineer without `infer` would write.
ONE_DIGIT = """
import sys, numpy, onnxruntime
from PIL import Image
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
z = numpy.random.default_rng(0).uniform(-1, 1, (1, 100)).astype(numpy.float32)
image = session.run(None, {"z": z, "label": numpy.array([5])})[0][0, 0]
Image.fromarray((image * 255).round().astype(numpy.uint8)).save(sys.argv[2])
"""
MODEL = str(pathlib.Path(__file__).parents[2] / "models/pretrained/mnist-generator.onnx")
PROCESSES = 15
BATCHES = 32, 64, 128
THREADS = sorted({1, os.cpu_count()})
VERIFIED = 10  # a part of the data set, one of so many, is drawn with --verify


def process(command):
    """Seconds that a command takes, and the most MiB that it has."""
    started = time.perf_counter()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    return seconds, usage.ru_maxrss / 1024


def runs(threads, batch):
    """A function that runs a session once on a batch."""
    # Not before: the peak memory of a process counts that of the one that started it.
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
    z = numpy.random.default_rng(0).uniform(-1, 1, (batch, 100)).astype(numpy.float32)
    feeds = {"z": z, "label": numpy.arange(batch) % 10}
    for _ in range(3):
        session.run(None, feeds)
    return lambda: session.run(None, feeds)


def images_per_second(threads, batch, count=6400):
    run = runs(threads, batch)
    started = time.perf_counter()
    for _ in range(count // batch):
        run()
    return count // batch * batch / (time.perf_counter() - started)


def best_run():
    """The most images/s of bare `session.run`."""
    return max(images_per_second(threads, batch) for threads in THREADS for batch in BATCHES)


def one_digit(infer, folder):
    picture = f"{folder}/five.png"
    draw = [infer, "--digit", "5", "--out", picture, "--quiet"]
    commands = {
        "infer": draw,
        "infer --engine rten": [*draw, "--engine", "rten"],
        "Python": [sys.executable, "-c", ONE_DIGIT, MODEL, picture],
    }
    measured = {name: [] for name in commands}
    for _ in range(PROCESSES):
        for name, command in commands.items():
            measured[name].append(process(command))
    print(f"\none digit to a PNG, whole processes, medians of {PROCESSES}")
    python = statistics.median(seconds for seconds, _ in measured["Python"])
    for name, turns in measured.items():
        seconds = statistics.median(seconds for seconds, _ in turns)
        memory = max(memory for _, memory in turns)
        print(f"  {name:20} {1e3 * seconds:6.1f} ms  {seconds / python:.2f} x  {memory:4.0f} MiB")


def data_set(infer, folder, count, more=()):
    """Images/s and MiB of a data set in MNIST's files."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        request = ["dataset", "--count", str(count), "--seed", "1", "--quiet"]
        seconds, memory = process([infer, *request, "--out", f"{out}/digits", *more])
    return count / seconds, memory


def many(infer, folder, count, turns):
    print(f"\n{count} digits to MNIST's files, beside the best session.run before and after")
    ratios, peak = [], 0
    for _ in range(turns):
        before = best_run()
        speed, memory = data_set(infer, folder, count)
        after = best_run()
        peak = max(peak, memory)
        ratios.append(speed / max(before, after))
        print(f"  infer {speed:6.0f} images/s, session.run {before:6.0f} and {after:6.0f}: {ratios[-1]:.2f} x")
    print(f"  median {statistics.median(ratios):.2f} x, {min(ratios):.2f} to {max(ratios):.2f}")
    _, ten_times = data_set(infer, folder, 10 * count)
    print(f"  at most {peak:.1f} MiB; of ten times as many {ten_times:.1f} MiB ({ten_times / peak:.3f} x)")
    for engine in "onnxruntime", "rten":
        plain, verified = [], []
        for _ in range(turns):
            for speeds, more in (plain, []), (verified, ["--verify"]):
                speeds.append(data_set(infer, folder, count // VERIFIED, ["--engine", engine, *more])[0])
        plain, verified = statistics.median(plain), statistics.median(verified)
        print(f"  {count // VERIFIED} in {engine}: {plain:.0f} images/s, with --verify {verified:.0f}")


def one_at_a_time(infer, turns):
    print("\none image at a time, one thread, medians")
    bench = [infer, "bench", "--batch-sizes", "1", "--threads", "1", "--json"]
    ratios = []
    for _ in range(turns):
        run, times = runs(1, 1), []
        for _ in range(400):
            started = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - started))
        bare = statistics.median(times)
        case = json.loads(subprocess.run(bench, check=True, capture_output=True).stdout)["cases"][0]
        ratios.append(case["p50"] / bare)
        print(f"  infer {case['p50']:.3f} ms, session.run {bare:.3f} ms: {ratios[-1]:.2f} x")
    print(f"  median {statistics.median(ratios):.2f} x, {min(ratios):.2f} to {max(ratios):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("infer")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--count", type=int, default=60000)
    asked = parser.parse_args()
    missing = [name for name in NEEDED if not importlib.util.find_spec(name)]
    if missing:
        sys.exit(f"{sys.executable} has no {', '.join(missing)}; name a Python that has: PYTHON=… make bench-infer")
    version = importlib.metadata.version("onnxruntime")
    print(f"ONNX Runtime {version} in Python, {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        one_digit(asked.infer, folder)
        one_at_a_time(asked.infer, 2 * asked.turns + 1)
        many(asked.infer, folder, asked.count, asked.turns)


main()
