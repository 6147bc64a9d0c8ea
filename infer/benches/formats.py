"""Data sets in one format after the other, in turn: images a second as a ratio to IDX's in the same turn, what
processors spend on an image (which other programs disturb less), medians, and the most memory.

    python formats.py infer [--turns 3] [--count 60000] [--engine auto]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

FORMATS = "idx", "parquet", "webdataset", "stylegan", "folder"


def written(infer, engine, format, count):
    """Images a second, milliseconds of processors for each, and the most MiB that the process had."""
    with tempfile.TemporaryDirectory() as folder:
        # On the disk before the next one is timed.
        os.sync()
        out = os.path.join(folder, "set.zip" if format == "stylegan" else "set")
        request = [infer, "dataset", "--count", str(count), "--seed", "1", "--engine", engine, "--quiet"]
        started = time.perf_counter()
        child = subprocess.Popen([*request, "--format", format, "--out", out])
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        if status != 0:
            sys.exit(f"{format} failed")
        return count / seconds, 1000 * (usage.ru_utime + usage.ru_stime) / count, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("infer")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--formats", nargs="+", default=FORMATS[1:], choices=FORMATS[1:])
    parser.add_argument("--four-times", action="store_true", help="measure the memory of four times as many, too")
    arguments = parser.parse_args()

    formats = ["idx", *arguments.formats]
    speeds, ratios, costs, memory = ({format: [] for format in formats} for _ in range(4))
    for _ in range(arguments.turns):
        for format in formats:
            speed, cost, peak = written(arguments.infer, arguments.engine, format, arguments.count)
            speeds[format].append(speed)
            costs[format].append(cost)
            memory[format].append(peak)
            ratios[format].append(speed / speeds["idx"][-1])
    for format in formats:
        line = f"{format}: {statistics.median(speeds[format]):.0f} images/s, "
        line += f"{statistics.median(ratios[format]):.2f} x of idx ({min(ratios[format]):.2f} to {max(ratios[format]):.2f}), "
        line += f"{statistics.median(costs[format]):.3f} ms of processors an image, at most {max(memory[format]):.1f} MiB"
        if arguments.four_times:
            *_, peak = written(arguments.infer, arguments.engine, format, 4 * arguments.count)
            line += f", of four times as many {peak:.1f} MiB"
        print(line, flush=True)


if __name__ == "__main__":
    main()
